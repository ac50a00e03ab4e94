"""The health rule's look at the engine: whether it still makes progress."""

from statistics import median

from msgspec import Struct

from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import Pass, RunState
from timellm_policies.situation import Situation

_FEWEST_RECORDS = 3


class Silence(Struct, frozen=True):
    """For how long an engine has said nothing that should have, in seconds."""

    silent_s: float
    limit_s: float
    """One longer than this is one too long."""
    usual_s: float
    """What passes between two of its words."""


def no_progress(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """An alert, and later a stop where that is asked for, about an engine without a word."""
    section, silence = now.policy.health, silence_of(now)
    if section.stall_action == "off" or silence is None:
        return ()
    silent_s, limit_s = silence.silent_s, silence.limit_s
    if section.stall_action == "stop" and silent_s > max(section.stall_stop_after_s, limit_s):
        return (
            PolicyDecision(
                action="stop",
                rule=rule,
                reason=(
                    f"silent for {span(silent_s)}: ending the engine, as"
                    " policy.health.stall_action says"
                ),
                value=round(silent_s, 1),
                threshold=section.stall_stop_after_s,
                unit="s",
                failure=True,
            ),
        )
    # One alert for each time that it fell silent: a word in between makes it another one.
    if silent_s <= limit_s or not now.may_tell(rule, "no progress", silent_s):
        return ()
    return (
        PolicyDecision(
            action="alert",
            rule=rule,
            reason=(
                f"silent for {span(silent_s)}, usually a record every"
                f" {span(silence.usual_s)}, so the engine may hang"
            ),
            value=round(silent_s, 1),
            threshold=round(limit_s, 1),
            unit="s",
            about="no progress",
        ),
    )


def silence_of(now: Situation) -> Silence | None:
    """The silence of an engine that trains or evaluates; `None` where it need not say anything:
    while it stands, is held, saves, or is about to evaluate, and before its usual gap is known.

    A supervisor that took the run over counts from then on.
    """
    state = now.state
    if not now.at_work or state.writing is not None or state.engine_word_t is None:
        return None
    match state.activity:
        case "training" if state.solving is not None:
            usual_s, limit_s = _of_pass(now, state.solving)
        case "training" if not _epoch_is_done(state):
            usual_s, limit_s = usual_gap_s(state), stall_limit_s(now)
        case "evaluating" if state.engine == "timellm":
            usual_s, limit_s = _of_pass(now, state.evaluation)
        case _:
            return None
    if usual_s is None or limit_s is None:
        return None
    since_t = max(state.engine_word_t, state.watched_since_t or state.engine_word_t)
    return Silence(max(0.0, now.now_t - since_t), limit_s, usual_s)


def _of_pass(now: Situation, passage: Pass | None) -> tuple[float | None, float | None]:
    """The usual gap of an evaluation under way, or of what a head is solved for over, and how long
    is too long. Only our own engine tells of them; a script may evaluate without a word."""
    usual_s = None if passage is None else passage.due_s
    if usual_s is None:
        return None, None
    section = now.policy.health
    limit_s = section.stall_iterations * usual_s / _duty(now.state)
    return usual_s, max(section.stall_min_s, limit_s)


def _epoch_is_done(state: RunState) -> bool:
    """No further record of this epoch is to come, so that a silent evaluation may be under way.

    Of a script that has not shown how long an epoch is, that is never known.
    """
    if state.steps_per_epoch is None:
        return True
    gap = state.recent_training[-1].iterations if state.recent_training else 1
    return state.iteration + (gap if state.engine == "foreign" else 1) > state.steps_per_epoch


def stall_limit_s(now: Situation) -> float | None:
    """How long a silence is one too long; `None` before anything is known of this engine.

    `stall_iterations` times the median iteration, but no less than as many records as that is
    worth: an engine that tells of every hundredth iteration is silent for a hundred.
    """
    gap_s, iteration_s = usual_gap_s(now.state), _iteration_s(now.state)
    if gap_s is None or iteration_s is None:
        return None
    section = now.policy.health
    limit_s = (section.stall_iterations * iteration_s + 2.0 * gap_s) / _duty(now.state)
    return max(section.stall_min_s, limit_s)


def _duty(state: RunState) -> float:
    return max(min(state.duty, 1.0), 0.01)


def usual_gap_s(state: RunState) -> float | None:
    """The median time between two progress records, in seconds."""
    gaps = [
        record.iterations * record.seconds_per_iteration
        for record in state.recent_training
        if record.seconds_per_iteration is not None
    ]
    return median(gaps) if len(gaps) >= _FEWEST_RECORDS else None


def _iteration_s(state: RunState) -> float | None:
    times = [r.seconds_per_iteration for r in state.recent_training]
    known = [seconds for seconds in times if seconds is not None]
    return median(known) if len(known) >= _FEWEST_RECORDS else None


def loading(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """An alert about an engine that was started long ago and has not said a word yet."""
    state, limit_s = now.state, 60.0 * now.policy.health.loading_minutes
    waits = state.activity == "starting" and state.engine_pid is not None
    if not waits or state.engine_word_t is not None or state.engine_started_t is None:
        return ()
    silent_s = now.now_t - state.engine_started_t
    if silent_s <= limit_s or not now.may_tell(rule, "loading"):
        return ()
    return (
        PolicyDecision(
            action="alert",
            rule=rule,
            reason=(
                f"the engine was started {span(silent_s)} ago and has been silent since,"
                " so it may hang while it loads"
            ),
            value=round(silent_s, 1),
            threshold=limit_s,
            unit="s",
            about="loading",
        ),
    )


def span(seconds: float) -> str:
    """A length of time as a person reads it."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
