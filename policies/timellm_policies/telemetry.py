"""The unknown-telemetry rule: a GPU whose temperature nobody can tell is not taken to be cool."""

import math
from collections.abc import Sequence
from typing import assert_never

from timellm_ops.contract.config import ThermalSection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.holds import (
    dwell_after_resume_is_over,
    held,
    hold_of,
    nothing_to_read,
    resume_when_cool,
    stopping,
)
from timellm_policies.limits import limits
from timellm_policies.readings import degrees, latest_known
from timellm_policies.situation import Terms

RULE = "telemetry"


def decisions(
    config: ThermalSection, state: RunState, recent: Sequence[TimedSample], now_t: float
) -> tuple[PolicyDecision, ...]:
    """What a missing temperature asks for now, and what its return does."""
    if not config.enabled or stopping(state):
        return ()
    if hold_of(state, RULE) is not None:
        return resume_when_cool(config, state, recent, now_t, RULE)
    if nothing_to_read(state) or held(state):
        return ()
    unknown_s = _unknown_s(state, recent, now_t)
    if unknown_s is None or unknown_s < config.unknown_after_s:
        return ()
    return _act(config, state, unknown_s, now_t)


def _unknown_s(state: RunState, recent: Sequence[TimedSample], now_t: float) -> float | None:
    """Seconds since a temperature was last known, or since this supervisor began to look."""
    known_t = [reading.t for reading in latest_known(recent, 1)]
    if not known_t and state.sample is not None and state.sample.temperature_c is not None:
        known_t = [state.sample_t] if state.sample_t is not None else []
    looked_t = [] if state.watched_since_t is None else [state.watched_since_t]
    since_t = max((*known_t, *looked_t), default=-math.inf)
    return now_t - since_t if math.isfinite(since_t) else None


def _act(
    config: ThermalSection,
    state: RunState,
    unknown_s: float,
    now_t: float,
) -> tuple[PolicyDecision, ...]:
    missing = f"no temperature for {config.unknown_after_s:g} s"
    why = f"{missing} ({state.telemetry_problem})" if state.telemetry_problem else missing
    value = round(unknown_s, 1)
    match config.unknown_action:
        case "pause":
            if not dwell_after_resume_is_over(config, state, now_t):
                return ()
            terms = terms_of_hold(config, state)
            return (
                PolicyDecision(
                    action="pause",
                    rule=RULE,
                    reason=why,
                    value=value,
                    threshold=config.unknown_after_s,
                    unit="s",
                    until=terms.until,
                    least_s=terms.least_s,
                ),
            )
        case "stop":
            return (
                PolicyDecision(
                    action="stop",
                    rule=RULE,
                    reason=f"{why}: saving and stopping, as policy.thermal.unknown_action says",
                    value=value,
                    threshold=config.unknown_after_s,
                    unit="s",
                ),
            )
        case "continue":
            # Its words never change, so that the notice tells whether it was said already.
            reason = f"{missing}; the run goes on, as policy.thermal.unknown_action says"
            if any(notice.message == reason for notice in state.notices):
                return ()
            return (
                PolicyDecision(
                    action="alert",
                    rule=RULE,
                    reason=reason,
                    value=value,
                    threshold=config.unknown_after_s,
                    unit="s",
                ),
            )
        case _:
            assert_never(config.unknown_action)


def terms_of_hold(config: ThermalSection, state: RunState) -> Terms:
    """When a pause for want of a temperature ends."""
    resume_c = degrees(limits(config, state.sample).resume_below_c)
    return Terms(
        until=f"resumes when the temperature is known and below {resume_c}",
        least_s=config.min_dwell_s or None,
    )
