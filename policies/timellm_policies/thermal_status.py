"""What the two rules about the GPU's temperature see, and would do next."""

from timellm_policies.holds import nothing_to_read, temperature_shown_c, without_reading
from timellm_policies.limits import limits
from timellm_policies.readings import degrees, latest_known
from timellm_policies.situation import RuleStatus, Situation


def thermal_status(now: Situation) -> RuleStatus:
    """The thermal rule: its newest reading against the limits in force."""
    config, hold = now.policy.thermal, now.hold_of("thermal")
    if not config.enabled:
        return RuleStatus(rule="thermal", standing="off", next="switched off")
    limit = limits(config, now.state.sample)
    shown_c = temperature_shown_c(now.state, now.recent)
    unread = without_reading(now.state) if shown_c is None else None
    deed = f"pauses the run above {degrees(limit.pause_above_c)}"
    if limit.emergency_c is not None:
        deed += f", saves and stops at {degrees(limit.emergency_c)}"
    return RuleStatus(
        rule="thermal",
        standing="holding" if hold else unread or "watching",
        value=shown_c,
        threshold=limit.pause_above_c,
        unit="°C",
        next=hold.until_at(now.now_t) if hold else nothing_to_read(now.state) or deed,
    )


def telemetry_status(now: Situation) -> RuleStatus:
    """The unknown-telemetry rule: how old the newest temperature is."""
    config, hold = now.policy.thermal, now.hold_of("telemetry")
    if not config.enabled:
        return RuleStatus(rule="telemetry", standing="off", next="switched off")
    newest = latest_known(now.recent, 1)
    blind = nothing_to_read(now.state)
    deeds = {"pause": "pauses the run", "stop": "saves and stops", "continue": "tells you"}
    missing = f"{config.unknown_after_s:g} s without a temperature"
    return RuleStatus(
        rule="telemetry",
        standing="holding" if hold else without_reading(now.state) if blind else "watching",
        value=round(now.now_t - newest[-1].t, 1) if newest and not blind else None,
        threshold=config.unknown_after_s,
        unit="s",
        next=hold.until_at(now.now_t)
        if hold
        else blind or f"{deeds[config.unknown_action]} after {missing}",
    )
