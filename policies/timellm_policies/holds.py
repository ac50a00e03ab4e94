"""What a rule may do now: its own hold, how long it lasts, and when the next may begin."""

import math
from collections.abc import Sequence

from timellm_ops.contract.config import ThermalSection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import Hold, RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.estimate import heating_s
from timellm_policies.limits import limits
from timellm_policies.readings import agreeing, degrees, latest_known, latest_readings
from timellm_policies.situation import Standing

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


def nothing_to_read(state: RunState) -> str:
    """Why there is no temperature to be missed; empty when there should be one."""
    if state.gpu == "none":
        return "this run looks at no GPU"
    if state.telemetry_gone:
        return "there is no GPU or driver to read"
    if state.telemetry_asleep:
        return "the GPU sleeps and makes no heat"
    return ""


def without_reading(state: RunState) -> Standing:
    """How a rule stands that reads the GPU and has no reading: where there is none to read it does
    nothing, else what it watches is not known."""
    return "off" if state.gpu == "none" or state.telemetry_gone else "unknown"


def temperature_shown_c(state: RunState, recent: Sequence[TimedSample]) -> float | None:
    """The newest temperature, while the card answers; `None`: it is unknown, or there is none."""
    newest = latest_known(recent, 1)
    if not newest or nothing_to_read(state) or state.telemetry_problem:
        return None
    return newest[-1].celsius


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
    """Lift `rule`'s hold once the last known readings since it began are all cool.

    So many as `samples` must be known among the last `window` attempts, the newest attempt too,
    which must not be older than `unknown_after_s`: unknown is not cool. Where there is nothing to
    be read any more, the hold could never be lifted otherwise, and is.
    """
    hold = hold_of(state, rule)
    if hold is None or not dwell_of_hold_is_over(config, hold, now_t):
        return ()
    why_blind = nothing_to_read(state)
    if why_blind:
        return (PolicyDecision(action="resume", rule=rule, reason=why_blind),)
    since_t = -math.inf if hold.since_t is None else hold.since_t
    attempts = latest_readings(recent, config.window, since_t)
    latest = [t for t in attempts if t is not None][-config.samples :]
    limit = limits(config, state.sample)
    if len(latest) < config.samples or attempts[-1] is None:
        return ()
    newest = latest[-1]
    hot = agreeing(latest, lambda celsius: celsius >= limit.resume_below_c)
    if hot or now_t - newest.t > config.unknown_after_s:
        return ()
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
