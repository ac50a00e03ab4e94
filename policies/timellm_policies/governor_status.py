"""What the governor sees, and how it would answer."""

from timellm_policies import governor
from timellm_policies.holds import nothing_to_read
from timellm_policies.readings import degrees, latest_known
from timellm_policies.situation import RuleStatus, Situation


def governor_status(now: Situation) -> RuleStatus:
    """The governor: its newest reading against the set point, and the pace in force."""
    config, thermal = now.policy.governor, now.policy.thermal
    if not config.enabled or not thermal.enabled:
        off = "switched off" if thermal.enabled else "paces nothing without policy.thermal"
        return RuleStatus(rule=governor.RULE, standing="off", next=off)
    newest = latest_known(now.recent, 1)
    blind = nothing_to_read(now.state)
    seen = bool(newest) and not blind and not now.state.telemetry_problem
    target_c = governor.set_point_c(config, thermal, now.state)
    return RuleStatus(
        rule=governor.RULE,
        standing="watching" if seen else "unknown",
        value=newest[-1].celsius if seen else None,
        threshold=target_c,
        unit="°C",
        next=blind or f"{_deed(now)} to hold {degrees(target_c)}; {_pace(now)}",
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
