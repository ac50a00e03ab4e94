"""How much longer: an estimate from what was measured, or the reason why there is none."""

from datetime import datetime, timedelta

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.pausecycles import recurs
from timellm_dashboard.moment import Moment, is_watched
from timellm_dashboard.viewmodel.evaluationtime import evaluated_s, evaluation_left_s, evaluation_s
from timellm_dashboard.viewmodel.headline import by_hand, silent_for
from timellm_dashboard.viewmodel.heatahead import (
    fades_s,
    paced_s,
    pauses_ahead,
    settled_pace,
    settles_below,
)
from timellm_dashboard.viewmodel.look import Look, ThermalLimits
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.stopping import stopping_words
from timellm_ops.contract.state import RunState

_ENDING_S = 0.7
_FARTHEST_S = 1e10
"""No end is told for later than in three centuries: a calendar has one too."""
"""From an engine's last result to its end as a process, its last save included: for most of it
Python and torch are taken down, so it is much the same for every run."""


class TimeLeft(Struct, frozen=True, kw_only=True):
    """`seconds` until the run ends, pauses included; `None` where `note` says why."""

    seconds: float | None = None
    text: str = "—"
    note: str = ""
    done_at: datetime | None = None
    done_text: str = ""
    """`done 22:42`, or `not before 22:42` where something is not counted yet."""


class _Work(Struct, frozen=True):
    """What is still to be done, in seconds of an engine that moves, its rests included."""

    seconds: float
    note: str = ""
    complete: bool = True
    """Nothing that takes time was left out."""
    ending_s: float = 0.0
    """Of them, those that no pace changes."""


def time_left(state: RunState, history: History, moment: Moment, look: Look) -> TimeLeft:
    """The time left of a run. It counts the steps left, the evaluations once one is measured or
    tried out, the pace and the one at which the card will settle, the present pause, and pauses
    such as heat has made before, or will make by how the card warms."""
    words = look.words
    if state.ended or state.engine == "imported":
        return TimeLeft()
    if not is_watched(state, moment):
        return TimeLeft(note=words.left_unsupervised)
    if state.stop is not None:
        return _until_it_stops(state, history, moment, look)
    if silent_for(state, history, moment) is not None:
        return TimeLeft(note=words.left_silent)
    work = _work_left(state, history, moment, look)
    if isinstance(work, str):
        return TimeLeft(note=work)
    seconds = _with_heat(work, state, history, look)
    held_s = _hold_left_s(state, moment)
    if held_s is None:
        return TimeLeft(
            seconds=seconds,
            text=fmt.rough(seconds, words),
            note=words.left_when_resumed,
        )
    seconds += held_s
    done_at = _after(moment, seconds)
    when = fmt.day_and_time(done_at, moment.wall, look.zone, words)
    done = words.done_at if work.complete else words.done_not_before
    return TimeLeft(
        seconds=seconds,
        text=fmt.rough(seconds, words),
        note=work.note,
        done_at=done_at,
        done_text=done.format(when=when),
    )


def _after(moment: Moment, seconds: float) -> datetime:
    return moment.wall + timedelta(seconds=min(seconds, _FARTHEST_S))


def _with_heat(work: _Work, state: RunState, history: History, look: Look) -> float:
    """Seconds until the work is done, the present pause left out: at the pace at which the card
    will settle, and with pauses such as heat has made or will make."""
    limits = None if look.limits is None else look.limits(state)
    if limits is None:
        return _with_cycles(work.seconds, state, history)
    if limits.held_c is not None:
        return _governed(work, state, history, limits, limits.held_c)
    pace, held = history.steps.duty, recurs(state)
    if not held and settles_below(history.card_of_late, pace, limits.pause_above_c):
        return work.seconds
    card = None if history.cycles.settled else history.card
    if card is not None:
        moved_s = history.cycles.moved_s
        ahead = pauses_ahead(card, work.seconds, pace, limits, held=held, moved_s=moved_s)
        if ahead is not None:
            return work.seconds + ahead.count * (history.cycles.pause_s or ahead.each_s)
    return _with_cycles(work.seconds, state, history)


def _governed(
    work: _Work, state: RunState, history: History, limits: ThermalLimits, held_c: float
) -> float:
    """The same of a run whose pace is to hold the card at `held_c`, so that heat need not pause
    it."""
    card, seconds = history.card, work.seconds
    if card is not None:
        settled = settled_pace(card, held_c, limits.lowest_pace)
        at_work_s = (seconds - work.ending_s) * history.steps.duty
        slowly_s = fades_s(card, held_c)
        seconds = paced_s(at_work_s, state.duty, settled, slowly_s) + work.ending_s
        if card.settles_c(settled) < limits.pause_above_c:
            return seconds
    return seconds if history.cycles.outgrown else _with_cycles(seconds, state, history)


def _with_cycles(seconds: float, state: RunState, history: History) -> float:
    """With pauses as they came until now."""
    again = history.cycles.ahead(seconds, held=recurs(state))
    return seconds + again * (history.cycles.pause_s or 0.0)


def _until_it_stops(state: RunState, history: History, moment: Moment, look: Look) -> TimeLeft:
    """Of a run that was told to stop: what is left of the evaluation that it waits for, without
    the saving that follows."""
    words = look.words
    if state.stop == "after_checkpoint" and state.holds:
        stopping = stopping_words(look.shown_lang)
        return TimeLeft(note=stopping.left_user if by_hand(state) else stopping.left_held)
    waits = state.stop == "after_checkpoint" and not state.standing
    left_s = evaluation_left_s(state, history, moment) if waits else None
    if left_s is None or silent_for(state, history, moment) is not None:
        return TimeLeft(note=words.left_stopping)
    done_at = _after(moment, left_s)
    when = fmt.day_and_time(done_at, moment.wall, look.zone, words)
    return TimeLeft(
        seconds=left_s,
        text=fmt.rough(left_s, words),
        note=words.left_stopping,
        done_at=done_at,
        done_text=words.done_not_before.format(when=when),
    )


def _work_left(state: RunState, history: History, moment: Moment, look: Look) -> _Work | str:
    """The work left, or why it is not known."""
    words, total = look.words, state.total_steps
    if total is None and state.activity in ("waiting", "starting"):
        return words.left_not_measured
    if total is None:
        since_s = moment.since(history.engine_word_t)
        if state.engine_left_seconds is None or since_s is None:
            return words.left_no_steps
        passed_s = 0.0 if state.standing else since_s
        return _Work(
            max(0.0, state.engine_left_seconds - passed_s), words.left_script, complete=False
        )
    step_s = history.seconds_per_step
    if step_s is None and state.engine != "timellm":
        step_s = state.seconds_per_iteration  # as it says; of our own, it is of a cold first step
    if step_s is None:
        return words.left_not_measured
    steps = 0 if state.early_stopped else max(0, total - _done(state))
    steps_s = steps * (history.steps.ahead_s(steps * step_s) or step_s)
    ending_s = _ENDING_S if state.engine == "timellm" else 0.0
    one_s = evaluation_s(state, history)
    if one_s is None:
        return _Work(
            steps_s + ending_s, words.left_plus_evaluation, complete=False, ending_s=ending_s
        )
    whole, part = _evaluations_left(state)
    present_s = (1.0 if whole else part) * one_s
    others_s = (whole + part) * one_s - present_s
    left_s = evaluation_left_s(state, history, moment)
    if left_s is None:
        left_s = max(0.0, present_s - evaluated_s(state, history, moment)) / history.steps.duty
    note = words.left_early_stop if state.early_counter > 0 and not state.early_stopped else ""
    seconds = steps_s + others_s / history.steps.duty + left_s + ending_s
    complete = state.activity != "restarting"
    return _Work(seconds, note, complete=complete, ending_s=ending_s)


def _done(state: RunState) -> int:
    """Steps that need not be made any more: of an engine that is to be started again, those that
    its last checkpoint holds."""
    if state.activity != "restarting":
        return state.step
    return 0 if state.last is None else state.last.step


def _evaluations_left(state: RunState) -> tuple[int, float]:
    """Evaluations that have not ended: one for each epoch to come, and the final test as a part
    of one, or as so many of them."""
    ended = sum(row.epoch <= state.epoch for row in state.rows)
    epochs = 0 if state.early_stopped else max(0, (state.epochs or 0) - ended)
    vali, test = state.vali_samples or 0, state.test_samples or 0
    if state.test != "end" or not vali or state.final_mse is not None:
        return epochs, 0.0  # made with an epoch's evaluation, or never, or over
    return epochs, test / vali


def _hold_left_s(state: RunState, moment: Moment) -> float | None:
    """Seconds until the engine goes on; `None` where nobody can tell: a hold of which its rule
    says nothing, one that has outlasted what its rule expected, and an engine that still stands
    though nothing holds it any more."""
    if state.standing and not state.holds:
        return None
    left_s = 0.0
    for hold in state.holds:
        expected_s, since_s = hold.expected_s, moment.since(hold.since_t)
        if expected_s is None or since_s is None or expected_s < since_s:
            return None
        left_s = max(left_s, expected_s - since_s)
    return left_s
