"""What a run was like until now: series for the charts, measured speeds, and the latest events.

`RunState` says where a run stands; this says how it came there. Both are folds over the same
events. Its coordinate for time is `RunState.active_s`, which knows no reboots and no gaps.
"""

from collections import deque

from msgspec import Struct

from timellm_dashboard.gpucourse import GpuCourse
from timellm_dashboard.ledger import Ledger
from timellm_dashboard.losscourse import LossCourse
from timellm_dashboard.trace import Trace
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

KEPT_EVENTS = 200

_SPEED_SMOOTHING = 0.3
_SHARE_HALF_LIFE_S = 3600.0
"""How fast the share of time spent paused forgets: a fan that was cleaned soon shows."""


class FeedItem(Struct, frozen=True):
    """An event worth telling. `seconds`: how long what it ends has lasted, where that is known."""

    seq: int
    event: ev.Event
    seconds: float | None = None


class EpochMark(Struct, frozen=True):
    """Where on the step axis an epoch ended."""

    step: float
    epoch: int


class _Pace(Struct, frozen=True, gc=False):
    """A place in an epoch and the time the engine had spent moving when it was there."""

    epoch: int
    iteration: int
    moving_s: float


class History:
    """Folds events, one after the other. Bounded, whatever the length of the run."""

    def __init__(self) -> None:
        self.gpu = GpuCourse()
        self.losses = LossCourse()
        self.epoch_marks: deque[EpochMark] = deque(maxlen=500)
        self.feed: deque[FeedItem] = deque(maxlen=KEPT_EVENTS)
        self.feed_total = 0
        self.trace = Trace(self.gpu, self.losses)
        self.ledger = Ledger()
        self.seconds_per_step: float | None = None
        """Measured by the journal's clock, pace included, pauses and evaluation left out."""
        self.progress_interval_s: float | None = None
        """Usual time between two words of progress from the engine."""
        self.engine_word_t: float | None = None
        """Monotonic second of the engine's latest word."""
        self.evaluation_started_s: float | None = None
        """`RunState.active_s` at the beginning of the evaluation under way."""
        self._moving_s = 0.0
        self._share_held_s = 0.0
        self._share_moving_s = 0.0
        self._pace: _Pace | None = None
        self._steps_before_epoch = 0
        self._last_place = (0, 0)

        self.evaluation_s: float | None = None
        """What an epoch's evaluation took, by the journal's clock."""
        self._latest: _Pace | None = None

    @property
    def held_share(self) -> float:
        """Share of the recent time in which a rule, not a person, held the engine."""
        total = self._share_held_s + self._share_moving_s
        return self._share_held_s / total if total > 0 else 0.0

    @property
    def feed_left_out(self) -> int:
        """Events worth telling that are not kept any more."""
        return self.feed_total - len(self.feed)

    def fold(self, seq: int, before: RunState, event: ev.Event, after: RunState) -> None:
        """Take in `event`, which led from `before` to `after`."""
        self._pass_time(before, after)
        seconds: float | None = None
        match event:
            # Nearly all of a long journal is these two, and no line of the feed is of them.
            case ev.Telemetry():
                self.gpu.add(after.active_s, event.sample)
            case ev.Progress():
                self._progress(event, after)
            case _:
                seconds = self._happened(before, event, after)
                if _worth_telling(before, event):
                    self.feed.append(FeedItem(seq, event, seconds))
                    self.feed_total += 1
        self.trace.fold(seq, before, event, after, seconds)
        self.ledger.fold(before, event, after)

    def _happened(self, before: RunState, event: ev.Event, after: RunState) -> float | None:
        """Something that is no mere step or reading; how long what it ends has lasted."""
        seconds: float | None = None
        match event:
            case ev.TrainingStarted():
                self._training_started(event, after)
            case ev.EpochStarted():
                self._pace = _Pace(event.epoch, after.iteration, self._moving_s)
            case ev.ForecastsTimed():
                self._pace = None  # the trial was no step
            case ev.EvaluationProgress():
                self._evaluation(before)
            case ev.EpochEnded():
                self._measure_evaluation(event, after)
                self.evaluation_started_s = None
                self.epoch_marks.append(EpochMark(self._step(after), event.epoch))
            case ev.TestEvaluated() | ev.TrainingFinished():
                self.evaluation_started_s = None
            case ev.Resumed():
                seconds = event.paused_seconds or _since(before.paused_since_t, event.t)
            case _:
                pass
        if type(event) in _WORDS and event.t is not None:
            self.engine_word_t = event.t
        return seconds

    def _pass_time(self, before: RunState, after: RunState) -> None:
        passed = after.active_s - before.active_s
        if passed <= 0:
            return
        fading = 0.5 ** (passed / _SHARE_HALF_LIFE_S)
        self._share_held_s *= fading
        self._share_moving_s *= fading
        if before.standing:
            if before.holds and all(hold.rule != "user" for hold in before.holds):
                self._share_held_s += passed
        elif before.activity in ("training", "evaluating"):
            self._share_moving_s += passed
            self._moving_s += passed

    def _training_started(self, event: ev.TrainingStarted, after: RunState) -> None:
        self._rewind(after.step)
        self._pace = _Pace(event.start_epoch, event.start_iteration, self._moving_s)
        self.evaluation_started_s = None

    def _rewind(self, step: float) -> None:
        """Forget what lies beyond `step`: a resumed run does it again, and so does a script that
        trains once more."""
        self.losses.rewind(step)
        while self.epoch_marks and self.epoch_marks[-1].step > step:
            self.epoch_marks.pop()

    def _step(self, after: RunState) -> float:
        """Steps of the whole run; where nobody said how many an epoch has, those that were seen."""
        if after.steps_per_epoch is not None:
            return after.step
        epoch, iteration = self._last_place
        if after.epoch != epoch:
            self._steps_before_epoch += iteration
        self._last_place = (after.epoch, after.iteration)
        return self._steps_before_epoch + after.iteration

    def _progress(self, event: ev.Progress, after: RunState) -> None:
        step = self._step(after)
        if self.epoch_marks and self.epoch_marks[-1].step > step:
            self._rewind(step)
        self.losses.add(after.active_s, step, event.loss, after.smoothed_loss)
        if event.t is not None:
            self.engine_word_t = event.t
        self.evaluation_started_s = None
        here = _Pace(event.epoch, event.iteration, self._moving_s)
        before, self._pace, self._latest = self._pace, here, here
        if before is None or event.t is None or before.epoch != here.epoch:
            return
        steps, moved_s = here.iteration - before.iteration, here.moving_s - before.moving_s
        if steps <= 0 or moved_s <= 0:
            return
        self.seconds_per_step = _blend(self.seconds_per_step, moved_s / steps)
        self.progress_interval_s = _blend(self.progress_interval_s, moved_s)

    def _measure_evaluation(self, event: ev.EpochEnded, after: RunState) -> None:
        """The time since the epoch's last progress, less the steps that came after it."""
        latest, step_s = self._latest, self.seconds_per_step
        if latest is None or event.t is None or step_s is None or latest.epoch != event.epoch:
            return
        steps = max(0, (after.steps_per_epoch or latest.iteration) - latest.iteration)
        self.evaluation_s = max(0.0, self._moving_s - latest.moving_s - steps * step_s)

    def _evaluation(self, before: RunState) -> None:
        self._pace = None
        if self.evaluation_started_s is None:
            self.evaluation_started_s = before.active_s


_WORDS = frozenset(ev.WORDS_OF_THE_ENGINE)
_NEVER_TOLD: frozenset[type[ev.BaseEvent]] = frozenset({
    ev.Progress, ev.ForecastsTimed, ev.Telemetry, ev.HostTelemetry, ev.ControlAcknowledged,
    ev.CheckpointWriting, ev.TrainingFinished,
})  # fmt: skip


def _worth_telling(before: RunState, event: ev.Event) -> bool:
    """Whether `event` is a line of the feed. Of an evaluation, its beginning is."""
    if isinstance(event, ev.EvaluationProgress):
        return before.evaluation is None or before.evaluation.split != event.split
    return type(event) not in _NEVER_TOLD


def _since(start_t: float | None, end_t: float | None) -> float | None:
    if start_t is None or end_t is None or end_t < start_t:
        return None
    return end_t - start_t


def _blend(before: float | None, measured: float) -> float:
    return measured if before is None else before + _SPEED_SMOOTHING * (measured - before)
