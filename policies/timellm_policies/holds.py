"""What a rule may do now: its own hold, how long it lasts, and when the next may begin."""

import math
from collections.abc import Sequence

from timellm_ops.contract.config import ThermalSection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import Hold, RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.estimate import heating_s
from timellm_policies.limits import limits
from timellm_policies.readings import degrees, latest_readings

RULES = ("thermal", "telemetry")
"""The rules that hold a run for its GPU's sake. At most one of them holds it at a time: either
is lifted only by known, cool readings."""


def hold_of(state: RunState, rule: str) -> Hold | None:
    """The hold that `rule` has on the run."""
    return next((hold for hold in state.holds if hold.rule == rule), None)


def held(state: RunState) -> bool:
    """One of `RULES` holds the run."""
    return any(hold.rule in RULES for hold in state.holds)


def stopping(state: RunState) -> bool:
    """The run is told to stop without waiting for anything, which outranks every hold."""
    return state.stop is not None and state.stop != "after_checkpoint"


def dwell_after_resume_is_over(config: ThermalSection, state: RunState, now_t: float) -> bool:
    """Enough time has passed since a rule let the run go on."""
    return state.resumed_t is None or now_t - state.resumed_t >= config.min_dwell_s


def dwell_of_hold_is_over(config: ThermalSection, hold: Hold, now_t: float) -> bool:
    """The hold has lasted long enough to be lifted."""
    return hold.since_t is None or now_t - hold.since_t >= config.min_dwell_s


def resume_when_cool(
    config: ThermalSection,
    state: RunState,
    recent: Sequence[TimedSample],
    now_t: float,
    rule: str,
) -> tuple[PolicyDecision, ...]:
    """Lift `rule`'s hold once the last readings since it began are all known and cool.

    A failed attempt among them, or a newest reading older than `unknown_after_s`, leaves the
    hold in place: unknown is not cool.
    """
    hold = hold_of(state, rule)
    if hold is None or not dwell_of_hold_is_over(config, hold, now_t):
        return ()
    since_t = -math.inf if hold.since_t is None else hold.since_t
    latest = latest_readings(recent, config.samples, since_t)
    limit = limits(config, state.sample)
    cool = [t for t in latest if t is not None and t.celsius < limit.resume_below_c]
    if len(cool) < config.samples or now_t - cool[-1].t > config.unknown_after_s:
        return ()
    newest = cool[-1]
    last = "the last reading" if config.samples == 1 else f"the last {config.samples} readings"
    return (
        PolicyDecision(
            action="resume",
            rule=rule,
            reason=f"{degrees(newest.celsius)} < {degrees(limit.resume_below_c)} in {last}",
            value=newest.celsius,
            threshold=limit.resume_below_c,
            unit="°C",
            until=f"pauses above {degrees(limit.pause_above_c)}",
            expected_s=heating_s(recent, limit.resume_below_c, limit.pause_above_c),
        ),
    )
