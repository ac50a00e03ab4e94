"""What a run was like until now: series for the charts, measured speeds, and the latest events.

`RunState` says where a run stands; this says how it came there. Both are folds over the same
events. Its coordinate for time is `RunState.active_s`, which knows no reboots and no gaps.
"""

from collections import deque
from copy import copy

from msgspec import Struct

from timellm_dashboard.folds.cardmodel import CardModel, card_model, heated_of_late
from timellm_dashboard.folds.gpucourse import GpuCourse
from timellm_dashboard.folds.interludes import Interludes
from timellm_dashboard.folds.ledger import Ledger
from timellm_dashboard.folds.losscourse import LossCourse
from timellm_dashboard.folds.pausecycles import PauseCycles
from timellm_dashboard.folds.silence import Silence, usual_gap_s
from timellm_dashboard.folds.statedpace import StatedPace
from timellm_dashboard.folds.steptime import StepTime
from timellm_dashboard.folds.trace import Trace
from timellm_dashboard.moment import Moment, unrecorded_s
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

KEPT_EVENTS = 200

_INTERVAL_SMOOTHING = 0.3
_CARD_TRIES = 8
"""Pauses after which the card is looked at, until once it is known."""


class FeedItem(Struct, frozen=True):
    """An event worth telling."""

    seq: int
    event: ev.Event
    seconds: float | None = None
    """How long what it ends has lasted, where that is known."""
    iteration: int = 0
    """Steps of the epoch that were done before it."""


class EpochMark(Struct, frozen=True):
    """Where on the step axis an epoch ended."""

    step: float
    epoch: int


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
        self.steps = StepTime()
        self.stated_pace = StatedPace()
        self.interludes = Interludes()
        self.cycles = PauseCycles()
        self.silence = Silence()
        self.progress_interval_s: float | None = None
        """Usual time between two words of progress from the engine."""
        self.engine_word_t: float | None = None
        """Monotonic second of the engine's latest word."""
        self._card: tuple[float, CardModel | None] = (-1.0, None)  # by the reading it was made at
        self._known_card: CardModel | None = None
        self._card_tries = 0
        self._latest: ev.Progress | None = None
        self._found_t: float | None = None
        """Second in which a supervisor that took over has read what was written before."""
        self._took_over = False
        self._steps_before_epoch = 0
        self._last_place = (0, 0)
        self.records_without_step = 0
        """Of progress: a script may tell losses and no steps."""

    @property
    def seconds_per_step(self) -> float | None:
        """As it is to be expected from here on, by the journal's clock: rests and checkpoints
        between steps included, pauses and evaluations left out. `None`: not measured."""
        return self.steps.lasting_s

    @property
    def mean_step_s(self) -> float | None:
        """Seconds from step to step over the whole run while it trained: rests for the pace
        included; pauses, evaluations and a sleeping machine left out. By the journal's clock, or by
        the engine's own words where a log has none. `None`: neither is known."""
        return self.stated_pace.mean_s if self.steps.mean_s is None else self.steps.mean_s

    @property
    def card(self) -> CardModel | None:
        """How the card warms and cools, by its readings of late under this supervisor; `None`:
        they do not say."""
        readings, loads = self.gpu.recent_temperature, self.trace.recent_pace
        coolest_c = self.gpu.coolest_c
        if not readings or not loads or coolest_c is None:
            return None
        newest_s = readings[-1][0]
        if self._card[0] != newest_s:
            since = [reading for reading in readings if reading[0] >= loads[0][0]]
            self._card = newest_s, card_model(since, tuple(loads), coolest_c)
        return self._card[1]

    @property
    def card_of_late(self) -> CardModel | None:
        """The card as it was seen when heat had paused it, at what the work of late makes of it;
        `None`: it was not seen well enough."""
        if self._known_card is None:
            return None
        readings, loads = self.gpu.recent_temperature, self.trace.recent_pace
        return heated_of_late(self._known_card, tuple(readings), tuple(loads))

    @property
    def feed_left_out(self) -> int:
        """Events worth telling that are not kept any more."""
        return self.feed_total - len(self.feed)

    def at(self, state: RunState, moment: Moment) -> "History":
        """What it is like at `moment`, with the last event, which led to `state`, some time ago: an
        engine that stands still is still losing time. This one is left as it is."""
        passed_s = unrecorded_s(state, moment)
        if not state.standing or passed_s <= 0.0:
            return self
        later = copy(self)
        later.ledger = self.ledger.stood_on(passed_s, state)
        return later

    def fold(self, seq: int, before: RunState, event: ev.Event, after: RunState) -> None:
        """Take in `event`, which led from `before` to `after`."""
        self._pass_time(before, event, after)
        usual_s = usual_gap_s(before, self.progress_interval_s)
        self.silence.fold(before, event, after, usual_s)
        seconds: float | None = None
        match event:
            # Nearly all of a long journal is these two, and no line of the feed is of them.
            case ev.Telemetry():
                self.gpu.add(after.active_s, event.sample)
            case ev.Progress():
                self._progress(event, after)
            case _:
                seconds = self._happened(before, event, after)
                if _worth_telling(before, event, after):
                    self.feed.append(FeedItem(seq, event, seconds, after.iteration))
                    self.feed_total += 1
        self.trace.fold(seq, before, event, after, seconds, self.silence.began_s)
        self.ledger.fold(before, event, after, self.silence)

    def _happened(self, before: RunState, event: ev.Event, after: RunState) -> float | None:
        """Something that is no mere step or reading; how long what it ends has lasted."""
        seconds: float | None = None
        match event:
            case ev.TrainingStarted():
                self._training_started(event, after)
            case ev.EpochStarted():
                if event.epoch != before.epoch or after.iteration == 0:  # else only its shape
                    self.interludes.over()
                    self.steps.begin(event.epoch, after.iteration)
            case ev.EvaluationProgress():
                self.steps.drop()
                if before.evaluation is None and event.split == "test":
                    self.interludes.tested()
                elif event.split == "vali" and not event.done:
                    self.interludes.begin()
                self.interludes.tell()
            case ev.ForecastsTimed() | ev.HeadProgress() | ev.HeadSolved():
                self.steps.drop()  # it was no step
            case ev.EngineExited():
                self.steps.drop()
                self.interludes.drop()
            case ev.EpochEnded():
                self.steps.drop()
                self.stated_pace.epoch_ended(event, after)
                untold_s = self._untold_steps_s(event, after)
                self.interludes.evaluated(untold_s, self.steps.work_of_late_s)
                self.epoch_marks.append(EpochMark(self._step(after), event.epoch))
            case ev.CheckpointWriting() | ev.CheckpointSaved():
                self.steps.save()
            case ev.Resumed():
                seconds = event.paused_seconds or _since(before.paused_since_t, event.t)
                self._look_at_card()
            case _:
                pass
        if type(event) in _WORDS and event.t is not None:
            self.engine_word_t = event.t
        return seconds

    def _pass_time(self, before: RunState, event: ev.Event, after: RunState) -> None:
        if type(event) in ev.TAKES_CHARGE:
            # What an engine did while nobody watched it is not known.
            self._found_t, self._took_over = event.t, True
            self.steps.drop()
            self.interludes.drop()
            self.cycles.forget_present()
            return
        self.cycles.fold(before, after)
        passed_s = after.active_s - before.active_s
        if passed_s > 0 and not before.standing and before.activity in ("training", "evaluating"):
            self.steps.move(passed_s, before.duty)
            self.interludes.move(passed_s * before.duty)

    def _training_started(self, event: ev.TrainingStarted, after: RunState) -> None:
        self._rewind(after.step)
        self.steps.start(event.start_epoch, event.start_iteration)
        self.interludes.drop()

    def _look_at_card(self) -> None:
        """A pause shows the card warming and cooling; how it does is its own, and stays."""
        if self._known_card is None and self._card_tries < _CARD_TRIES:
            self._card_tries += 1
            self._known_card = self.card

    def _rewind(self, step: float) -> None:
        """Forget what lies beyond `step`: a resumed run does it again, and so does a script that
        trains once more."""
        self.losses.rewind(step)
        while self.epoch_marks and self.epoch_marks[-1].step > step:
            self.epoch_marks.pop()

    def _step(self, after: RunState) -> float:
        """Steps of the whole run; where nobody said how many an epoch has, those that were seen,
        and of a script that tells none its records."""
        if after.steps_per_epoch is not None:
            return after.step
        epoch, iteration = self._last_place
        if after.epoch != epoch:
            self._steps_before_epoch += iteration
        self._last_place = (after.epoch, after.iteration)
        return self._steps_before_epoch + after.iteration + self.records_without_step

    def _progress(self, event: ev.Progress, after: RunState) -> None:
        if after.steps_per_epoch is None and event.iteration == 0:
            self.records_without_step += 1
        step = self._step(after)
        if self.epoch_marks and self.epoch_marks[-1].step > step:
            self._rewind(step)
        loss = event.known_loss
        if loss is not None:
            self.losses.add(after.active_s, step, loss, after.smoothed_loss)
        if event.t is not None:
            self.engine_word_t = event.t
        self._latest = event
        self.stated_pace.progress(event)
        if self._took_over and after.engine == "foreign":
            self._found_t = event.t  # it holds no times: it is read at the first look
        self._took_over = False
        if event.t is None:
            return
        if event.t == self._found_t:
            self.steps.begin(event.epoch, event.iteration)
            return
        made = self.steps.progress(event.epoch, event.iteration)
        self.interludes.trained()
        if made is not None and made.moved_s > 0:
            self.progress_interval_s = _blend(self.progress_interval_s, made.moved_s)

    def _untold_steps_s(self, event: ev.EpochEnded, after: RunState) -> float:
        """Work of the epoch's steps that came after the last one that was told of."""
        latest, step_s = self._latest, self.steps.work_s
        if latest is None or step_s is None or latest.epoch != event.epoch:
            return 0.0
        return max(0, (after.steps_per_epoch or latest.iteration) - latest.iteration) * step_s


_WORDS = frozenset(ev.WORDS_OF_THE_ENGINE)
_NEVER_TOLD: frozenset[type[ev.BaseEvent]] = frozenset({
    ev.Progress, ev.ForecastsTimed, ev.Telemetry, ev.HostTelemetry, ev.ControlAcknowledged,
    ev.CheckpointWriting, ev.TrainingFinished,
})  # fmt: skip


def _worth_telling(before: RunState, event: ev.Event, after: RunState) -> bool:
    """Whether `event` is a line of the feed. Of an evaluation, and of a head that is
    solved for, its beginning is; of a pace, that it was decided, with the reason, and not that it
    then was kept as well. That nobody saw how an adopted engine left is told by what is made of it
    next: by its own words it may have finished.
    """
    match event:
        case ev.EvaluationProgress():
            return before.evaluation is None or before.evaluation.split != event.split
        case ev.HeadProgress():
            return before.solving is None
        case ev.Paced():
            return event.duty != before.pace.duty
        case ev.EngineExited():
            return event.code is not None or event.signal is not None
        case ev.PowerLimitSet():
            return event.limit_w != before.pace.power_limit_w
        case ev.EpochStarted():  # of a script under way, it may be how many steps there are
            return after.iteration == 0 or after.engine == "timellm"
        case _:
            return type(event) not in _NEVER_TOLD


def _since(start_t: float | None, end_t: float | None) -> float | None:
    if start_t is None or end_t is None or end_t < start_t:
        return None
    return end_t - start_t


def _blend(before: float | None, measured: float) -> float:
    return measured if before is None else before + _INTERVAL_SMOOTHING * (measured - before)
