"""How far a run is: in its epoch, as a whole, and in time."""

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.spent import Spent
from timellm_dashboard.moment import Moment, unrecorded_s
from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.text import Words
from timellm_ops.contract.counting import Count
from timellm_ops.contract.state import RunState

_MANY = 1000
"""Steps of a run above which a tenth of a percent is worth a look."""


class Portion(Struct, frozen=True, kw_only=True):
    """Something that is under way: `done` of `total`, where the total is known."""

    label: str
    done: int
    total: int | None
    share: float | None
    percent: str
    text: str


class ProgressView(Struct, frozen=True, kw_only=True):
    """`epoch` is the progress of an evaluation while one is under way, by its name, else that of
    the epoch's steps."""

    epoch: Portion
    whole: Portion
    evaluating: bool
    speed: Figure
    """Seconds that a step takes of late; once the run has ended, `mean_speed`."""
    mean_speed: Figure
    """The same over the whole run."""
    duty: float
    elapsed: Figure
    paused: Figure
    pauses: int


def progress_view(state: RunState, history: History, moment: Moment, look: Look) -> ProgressView:
    """Where the run stands in numbers."""
    words = look.words
    elapsed_s = state.active_s + unrecorded_s(state, moment)
    # What was imported took no time here.
    timed = state.t is not None and state.engine != "imported"
    spent = history.ledger.spent
    mean_s = mean_step_s(state, history)
    speed_s = mean_s if state.ended else history.steps.recent_s or state.seconds_per_iteration
    return ProgressView(
        epoch=_epoch(state, words),
        whole=_whole(state, words),
        evaluating=state.evaluation is not None,
        speed=figure(speed_s, lambda s: fmt.pace(s, words), "—"),
        mean_speed=figure(mean_s, lambda s: fmt.pace(s, words), "—"),
        duty=state.duty,
        elapsed=figure(elapsed_s if timed else None, lambda s: _elapsed(s, state, words), "—"),
        paused=figure(
            spent.standing_s if timed else None, lambda _: _paused(spent, state, words), "—"
        ),
        pauses=state.pauses,
    )


def mean_step_s(state: RunState, history: History) -> float | None:
    """Seconds from step to step over the run until now: as measured, or else as the engine says;
    `None`: neither is known."""
    return history.mean_step_s or state.seconds_per_iteration


def _epoch(state: RunState, words: Words) -> Portion:
    if state.epoch == 0:
        return _portion(words.epoch, 0, None, "—", state)
    label = (
        words.training_epoch_only.format(epoch=state.epoch)
        if state.epochs is None
        else words.epoch_of.format(epoch=state.epoch, epochs=state.epochs)
    )
    evaluation = state.evaluation
    if evaluation is not None:
        if not state.ended:
            label = words.validation if evaluation.split == "vali" else words.test
        total = fmt.count(evaluation.total)
        text = words.window_of.format(done=fmt.count(evaluation.done), total=total)
        return _portion(label, evaluation.done, evaluation.total, text, state)
    steps = state.steps_per_epoch
    if steps is None:
        told = _step(state.iteration, words) if state.iteration else "—"
        return _portion(label, state.iteration, None, told, state)
    text = words.step_of.format(step=fmt.count(state.iteration), total=fmt.count(steps))
    return _portion(label, state.iteration, steps, text, state)


def _whole(state: RunState, words: Words) -> Portion:
    total = state.total_steps
    if total is None:
        return _portion(words.total, state.step, None, words.steps_unknown, state)
    text = words.step_of.format(step=fmt.count(state.step), total=fmt.count(total))
    return _portion(words.total, state.step, total, text, state)


def _step(number: int, words: Words) -> str:
    return words.step.format(step=fmt.count(number)) if number > 0 else "—"


def _portion(label: str, done: int, total: int | None, text: str, state: RunState) -> Portion:
    share = min(1.0, done / total) if total else None
    # By the run, not by the bar: the two stand below each other.
    decimals = 1 if max(total or 0, state.total_steps or 0) > _MANY else 0
    percent = "—" if share is None else fmt.percent(share, decimals)
    return Portion(label=label, done=done, total=total, share=share, percent=percent, text=text)


def _elapsed(seconds: float, state: RunState, words: Words) -> str:
    template = words.took if state.ended else words.elapsed
    return template.format(time=fmt.duration(seconds, words))


def _paused(spent: Spent, state: RunState, words: Words) -> str:
    if state.pauses == 0:
        return words.not_paused
    seconds = spent.standing_s
    share = seconds / spent.supervised_s if spent.supervised_s > 0 else 0.0
    count = words.pauses.format(count=Count(state.pauses))
    return words.paused_total.format(
        time=fmt.duration(seconds, words), share=fmt.portion(share), pauses=count
    )
