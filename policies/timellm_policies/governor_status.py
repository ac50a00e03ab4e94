"""What the governor sees, and how it would answer."""

from timellm_policies import governor
from timellm_policies.holds import nothing_to_read, temperature_shown_c, without_reading
from timellm_policies.readings import degrees
from timellm_policies.situation import RuleStatus, Situation


def governor_status(now: Situation) -> RuleStatus:
    """The governor: its newest reading against the set point, and the pace in force."""
    config, thermal = now.policy.governor, now.policy.thermal
    if not config.enabled or not thermal.enabled:
        off = "switched off" if thermal.enabled else "paces nothing without policy.thermal"
        return RuleStatus(rule=governor.RULE, standing="off", next=off)
    shown_c = temperature_shown_c(now.state, now.recent)
    target_c = governor.set_point_c(config, thermal, now.state)
    deed = f"{_deed(now)} to hold {degrees(target_c)}; {_pace(now)}"
    return RuleStatus(
        rule=governor.RULE,
        standing=without_reading(now.state) if shown_c is None else "watching",
        value=shown_c,
        threshold=target_c,
        unit="°C",
        next=nothing_to_read(now.state) or deed,
    )


def _deed(now: Situation) -> str:
    if governor.actuator(now.policy.governor, now.state) == "power":
        return "lowers the power limit"
    if now.state.engine == "foreign":
        return "stops the engine for moments, where foreign.pace_by_stops allows it,"
    return "rests between steps"


def _pace(now: Situation) -> str:
    """The pace that was decided last."""
    pace = now.state.pace
    if pace.power_limit_w is not None:
        return f"the limit is {pace.power_limit_w:g} W"
    if pace.duty < 1.0:
        return f"computing {100.0 * pace.duty:g} % of the time"
    return "at full pace"
