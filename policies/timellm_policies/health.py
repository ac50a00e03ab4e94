"""The health rule: tells a person, once, what the card itself reports."""

from collections.abc import Sequence

from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample

RULE = "health"

_OVERHEATED = "hw_thermal_slowdown"


def decisions(state: RunState, recent: Sequence[TimedSample]) -> tuple[PolicyDecision, ...]:
    """An alert when the card's own hardware slows it down for heat, unless it was given before."""
    sample = recent[-1].sample if recent else None
    if sample is None or _OVERHEATED not in (sample.throttle_reasons or ()):
        return ()
    reason = (
        f"the card's hardware slows it down because it is too hot ({_OVERHEATED});"
        " a lower policy.thermal.pause_above_c loses less time"
    )
    if any(notice.message == reason for notice in state.notices):
        return ()
    return (
        PolicyDecision(
            action="alert",
            rule=RULE,
            reason=reason,
            value=sample.temperature_c,
            threshold=sample.slowdown_c,
            unit="°C",
        ),
    )
