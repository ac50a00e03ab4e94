"""The run along its own time: what was measured, when that was, and what was done.

The coordinate is `RunState.active_s`, seconds under supervision: time in which nobody supervised
the run has no width, but the clock times of what lies on both sides of it are kept.
"""

from bisect import bisect_right
from collections import deque
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import pairwise
from operator import attrgetter
from typing import Literal, assert_never, get_args

from msgspec import Struct

from timellm_dashboard.folds.gpucourse import GpuCourse
from timellm_dashboard.folds.losscourse import LossCourse
from timellm_dashboard.folds.track import Track
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

MarkKind = Literal[
    "pause", "resume", "pace", "power_limit", "saved", "epoch", "alert", "command", "engine", "run",
    "end",
]  # fmt: skip
KEPT_MARKS = 400
"""Of each kind: a governor that adjusts the pace all night pushes out no pause."""
KEPT_ANCHORS = 256
KEPT_PACES = 128
_CLOCK_SLACK_S = 2.0
"""Records are written so much later than things happen, at most, without the clock being taken to
have jumped."""
_CLOCK_CHECK_S = 10.0
"""So often the clock is compared with the run's own time where nothing but readings comes."""


class TraceMark(Struct, frozen=True, kw_only=True):
    """Something that was done or that happened. `seconds`: how long what it ends has lasted."""

    x_s: float
    seq: int
    kind: MarkKind
    event: ev.Event
    seconds: float | None = None


class _Anchor(Struct, frozen=True):
    """From `x_s` on, the clock time of an `x` is `epoch_s + x`."""

    x_s: float
    epoch_s: float


class Trace:
    """Folds events, one after the other. Bounded, whatever the length of the run."""

    def __init__(self, gpu: GpuCourse, losses: LossCourse) -> None:
        """`gpu` and `losses` are filled by whoever fills this; it tells them of interruptions."""
        self.gpu, self.losses = gpu, losses
        self.pace = Track(holds=True)
        """Share of the time in which the engine computes: its duty, 0 while it stands, and unknown
        while it is silent."""
        self.recent_pace: deque[tuple[float, float]] = deque(maxlen=KEPT_PACES)
        """The same of late: from which second on it was so, and 0 also while nothing was to be
        computed. Nothing of it is from before the present supervisor."""
        self.lowest_duty = 1.0
        """The slowest that the engine was made to go, standing not counted."""
        self.extent_s = 0.0
        """Seconds under supervision until now."""
        self.marks_total = 0
        self._marks: dict[MarkKind, deque[TraceMark]] = {
            kind: deque(maxlen=KEPT_MARKS) for kind in get_args(MarkKind)
        }
        self._merged: tuple[TraceMark, ...] = ()
        self._merged_total = 0
        self._anchors: list[_Anchor] = []
        self._pace: float | None = None
        self._pace_x = 0.0  # from where on it was so
        self._clock_due_s = 0.0

    def fold(
        self,
        seq: int,
        before: RunState,
        event: ev.Event,
        after: RunState,
        seconds: float | None = None,
        silent_since_s: float | None = None,
    ) -> None:
        """Take in `event`, which led from `before` to `after`; since when the engine was silent."""
        x = self.extent_s = after.active_s
        if silent_since_s is not None and self._pace is not None:
            self._change_pace(max(silent_since_s, self._pace_x), None)
        if isinstance(event, ev.Telemetry):
            if x < self._clock_due_s:
                return
        elif isinstance(event, ev.Progress):
            if self._pace is not None and x < self._clock_due_s:
                return
        else:
            self._happened(seq, before, event, after, seconds)
        if event.at is not None:
            self._clock_due_s = x + _CLOCK_CHECK_S
            self._anchor(x, event.at)
        pace = _pace_of(after) if silent_since_s is None else None
        if pace != self._pace:
            self._change_pace(x, pace)
            if not after.standing and pace is not None:
                self.lowest_duty = min(self.lowest_duty, pace)

    def _change_pace(self, x: float, pace: float | None) -> None:
        self._pace, self._pace_x = pace, x
        self.pace.change(x, pace)
        self.recent_pace.append((x, pace or 0.0))

    def _happened(
        self,
        seq: int,
        before: RunState,
        event: ev.Event,
        after: RunState,
        seconds: float | None,
    ) -> None:
        if after.standing or after.activity != "training":
            self.losses.interrupt()
        if isinstance(event, ev.TelemetryLost) or type(event) in ev.TAKES_CHARGE:
            self.gpu.interrupt()
        if type(event) in ev.TAKES_CHARGE:  # what was before it nobody has seen
            self.losses.interrupt()
            self.pace.change(before.active_s, None)
            self.recent_pace.clear()
            self._pace = None
        mark = mark_kind(before, event)
        if mark is not None:
            self._marks[mark].append(
                TraceMark(x_s=after.active_s, seq=seq, kind=mark, event=event, seconds=seconds)
            )
            self.marks_total += 1

    @property
    def marks(self) -> tuple[TraceMark, ...]:
        """The newest marks of each kind, in the order in which they happened."""
        if self._merged_total != self.marks_total:
            self._merged = tuple(merge(*self._marks.values(), key=attrgetter("seq")))
            self._merged_total = self.marks_total
        return self._merged

    def _anchor(self, x: float, at: datetime) -> None:
        epoch_s = at.timestamp() - x
        if self._anchors and abs(epoch_s - self._anchors[-1].epoch_s) <= _CLOCK_SLACK_S:
            return
        if self._anchors and self._anchors[-1].x_s >= x:
            self._anchors.pop()
        self._anchors.append(_Anchor(x, epoch_s))
        if len(self._anchors) > KEPT_ANCHORS:
            del self._anchors[1]

    def at(self, x: float) -> datetime | None:
        """The clock time of `x`, in UTC; `None`: no event has told one."""
        if not self._anchors:
            return None
        index = max(0, bisect_right(self._anchors, x, key=attrgetter("x_s")) - 1)
        return _EPOCH + timedelta(seconds=self._anchors[index].epoch_s + x)

    def place(self, at: datetime) -> float | None:
        """The `x` of a clock time, or the nearest one where nobody supervised the run then; `None`:
        no event has told a time."""
        if not self._anchors:
            return None
        found, until = self._anchors[0], self.extent_s
        for anchor, after in pairwise([*self._anchors, None]):
            if anchor is not None and anchor.epoch_s + anchor.x_s <= at.timestamp():
                found, until = anchor, self.extent_s if after is None else after.x_s
        return min(max(0.0, at.timestamp() - found.epoch_s), until)

    def stretches(self, start: float, end: float) -> tuple[tuple[float, float], ...]:
        """Where, from `start` to `end`, the clock runs along: the beginning of each such stretch,
        and what added to an `x` in it gives seconds since 1970. Between two of them nobody
        supervised the run, or the clock was set."""
        found: list[tuple[float, float]] = []
        for anchor in self._anchors:
            if anchor.x_s <= start or not found:
                found = [(start, anchor.epoch_s)]
            elif anchor.x_s <= end:
                found.append((anchor.x_s, anchor.epoch_s))
        return tuple(found)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _pace_of(state: RunState) -> float | None:
    """Share of the time to compute; `None` while nothing is to be computed."""
    if state.outcome is not None or state.activity not in ("training", "evaluating"):
        return None
    return 0.0 if state.standing else state.duty


def mark_kind(before: RunState, event: ev.Event) -> MarkKind | None:
    """As what `event` is marked on the timeline; `None`: it is not.

    Of one action there is one mark: the decision to pause, not that the engine then stood still.
    """
    match event:
        case ev.RunStarted() | ev.Adopted():
            return "run"
        case ev.RunEnded():
            return "engine" if event.outcome == "failed" else "end"
        case ev.EngineFailed() | ev.EngineRestart():
            return "engine"
        case ev.EngineExited():
            unseen = event.code is None and event.signal is None  # what is made of it is marked
            return None if unseen or event.code == 0 else "engine"
        case ev.EpochEnded():
            return "epoch"
        case ev.EarlyStopping():
            return "epoch" if event.stopped else None
        case ev.CheckpointSaved():
            return "saved" if event.kind != "step" else None
        case ev.CheckpointFailed() | ev.Alert() | ev.PowerLimitRefused():
            return "alert"
        case ev.Paused():
            return None if before.holds or before.standing else "pause"
        case ev.Resumed():
            return "resume"
        case ev.Paced():
            return "pace"
        case ev.PowerLimitSet():
            return "power_limit"
        case ev.Command():
            return "pause" if event.what == "pause" else "command"
        case ev.RulesOverridden() | ev.PolicyChanged():
            return "command"
        case ev.PolicyDecision():
            return _decision(event)
        case ev.TelemetryLost():
            return "alert" if not before.telemetry_problem else None
        case (
            ev.PreflightDone()
            | ev.EngineStarted()
            | ev.TrainingStarted()
            | ev.EpochStarted()
            | ev.Progress()
            | ev.HeadProgress()
            | ev.HeadSolved()
            | ev.ForecastsTimed()
            | ev.EvaluationProgress()
            | ev.LearningRateChanged()
            | ev.TestEvaluated()
            | ev.TrainingFinished()
            | ev.CheckpointWriting()
            | ev.ControlAcknowledged()
            | ev.Telemetry()
            | ev.HostTelemetry()
        ):
            return None
        case _:
            assert_never(event)


def _decision(event: ev.PolicyDecision) -> MarkKind | None:
    """A pause, a stop and a note; that a rule lets go, or sets a pace, shows when it has come."""
    match event.action:
        case "pause":
            return None if event.renewed else "pause"
        case "stop" | "alert":
            return "alert"
        case "resume" | "pace":
            return None
        case _:
            assert_never(event.action)
