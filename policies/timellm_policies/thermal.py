"""The thermal rule: pause when hot, go on when cool, stop before the card shuts itself down.

N of the last M readings must agree, so that one odd reading does nothing; pause and resume are
at least `min_dwell_s` apart, so that a run does not flap; and between the two thresholds nothing
is changed at all.
"""

import math
from collections.abc import Sequence

from timellm_ops.contract.config import ThermalSection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.estimate import cooling_s
from timellm_policies.holds import (
    dwell_after_resume_is_over,
    held,
    resume_when_cool,
    stopping,
)
from timellm_policies.limits import Limits, limits
from timellm_policies.readings import agreeing, degrees, latest_known
from timellm_policies.situation import Terms

RULE = "thermal"

_EMERGENCY_IN_A_ROW = 2


def decisions(
    config: ThermalSection, state: RunState, recent: Sequence[TimedSample], now_t: float
) -> tuple[PolicyDecision, ...]:
    """What heat asks for now."""
    if not config.enabled or stopping(state):
        return ()
    return (
        _emergency(config, state, recent)
        or _pause(config, state, recent, now_t)
        or resume_when_cool(config, state, recent, now_t, RULE)
    )


def _emergency(
    config: ThermalSection, state: RunState, recent: Sequence[TimedSample]
) -> tuple[PolicyDecision, ...]:
    threshold_c = limits(config, state.sample).emergency_c
    if threshold_c is None:
        return ()
    window = latest_known(recent, config.window)
    hot = agreeing(window, lambda celsius: celsius >= threshold_c)
    row = min(_EMERGENCY_IN_A_ROW, config.samples)
    in_a_row = len(window) >= row and all(t in hot for t in window[-row:])
    if not in_a_row and len(hot) < config.samples:
        return ()
    newest = hot[-1]
    return (
        PolicyDecision(
            action="stop",
            rule=RULE,
            reason=(
                f"{degrees(newest.celsius)} ≥ {degrees(threshold_c)} {_share(hot, window)}:"
                " saving and stopping before the card shuts itself down"
            ),
            value=newest.celsius,
            threshold=threshold_c,
            unit="°C",
        ),
    )


def _pause(
    config: ThermalSection, state: RunState, recent: Sequence[TimedSample], now_t: float
) -> tuple[PolicyDecision, ...]:
    if held(state):
        return ()
    limit = limits(config, state.sample)
    # What was read before the last resume led to the pause before it, and is settled.
    since_t = -math.inf if state.resumed_t is None else state.resumed_t
    window = latest_known(recent, config.window, after_t=since_t)
    hot = agreeing(window, lambda celsius: celsius > limit.pause_above_c)
    if len(hot) < config.samples:
        return ()
    dangerous = agreeing(window, lambda celsius: celsius >= limit.danger_c)
    if len(dangerous) < config.samples and not dwell_after_resume_is_over(config, state, now_t):
        return ()
    newest, terms = hot[-1], terms_of_hold(config, state)
    return (
        PolicyDecision(
            action="pause",
            rule=RULE,
            reason=(
                f"{degrees(newest.celsius)} > {degrees(limit.pause_above_c)} {_share(hot, window)}"
            ),
            value=newest.celsius,
            threshold=limit.pause_above_c,
            unit="°C",
            until=terms.until,
            expected_s=_pause_s(config, limit, recent),
            least_s=terms.least_s,
        ),
    )


def terms_of_hold(config: ThermalSection, state: RunState) -> Terms:
    """When a pause for heat ends."""
    limit = limits(config, state.sample)
    return Terms(
        until=f"resumes below {degrees(limit.resume_below_c)}",
        least_s=config.min_dwell_s or None,
    )


def _pause_s(config: ThermalSection, limit: Limits, recent: Sequence[TimedSample]) -> float | None:
    estimate_s = cooling_s(recent, limit.pause_above_c, limit.resume_below_c)
    return None if estimate_s is None else max(estimate_s, config.min_dwell_s)


def _share(agreed: Sequence[object], window: Sequence[object]) -> str:
    if len(agreed) == len(window):
        return "in the last reading" if len(window) == 1 else f"in the last {len(window)} readings"
    return f"in {len(agreed)} of the last {len(window)} readings"
