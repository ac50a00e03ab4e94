"""Where what a person types leads in a replay: a second of the run. Pure.

The words are those of the log's way to a time (`log.goto`), and besides what only a run has: the
time from its start, epochs and steps.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import assert_never

from msgspec import Struct

from timellm_dashboard.log.goto import ByTime, ToClock, ToLine, ToShare, goal_of, moment_of
from timellm_dashboard.replay.replay import Schedule, clock_text
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.replay import ReplayWords
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.timespan import seconds_of

_SINCE_START = re.compile(r"([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?")
_EPOCH = r"(?:epoch *([0-9]{1,9})|第? *([0-9]{1,9}) *轮)"
_STEP = r"(?:step *([0-9][0-9,_]{0,18})|第? *([0-9][0-9,_]{0,18}) *步)"
_EPOCH_OR_STEP = re.compile(rf"(?:{_EPOCH})?[ ,，、]*(?:{_STEP})?", re.IGNORECASE)


class NoSuchPlace(ValueError):  # noqa: N818 - it says what happened
    """It leads nowhere in the run. The text is one line and says what would be right."""


class _Done(Struct, frozen=True):
    """So many steps of an epoch were done."""

    epoch: int
    iteration: int
    an_epoch: int
    """How many steps an epoch has; 0: not known yet."""
    place: float

    def count(self, of_epoch: int | None) -> int:
        """Steps of the epoch, or, without one, of the whole run as far as can be known."""
        if of_epoch is not None:
            return self.iteration
        return max(0, self.epoch - 1) * self.an_epoch + self.iteration


class Course:
    """Where the moments, the epochs and the steps of a run lie on the axis of its replay."""

    def __init__(self, records: Sequence[JournalRecord], schedule: Schedule) -> None:
        self._records, self._schedule = records, schedule

    @property
    def total_s(self) -> float:
        """Where the run ends."""
        return self._schedule.total_s

    @cached_property
    def _walls(self) -> tuple[list[float], list[float]]:
        """Of each record with a time, when it was written (Unix seconds, never less than before:
        a clock may have been put back) and where it lies."""
        walls, places = list[float](), list[float]()
        for record, place in zip(self._records, self._schedule.times, strict=True):
            if record.event.at is not None:
                wall = record.event.at.timestamp()
                walls.append(max(wall, walls[-1]) if walls else wall)
                places.append(place)
        return walls, places

    @property
    def ends(self) -> tuple[datetime, datetime] | None:
        """When the run began and ended, by the clock; `None`: nobody wrote it down."""
        walls, _ = self._walls
        if not walls:
            return None
        return datetime.fromtimestamp(walls[0], UTC), datetime.fromtimestamp(walls[-1], UTC)

    def at_wall(self, at: datetime) -> float | None:
        """Where the replay is as that second ends; `None` before the run and after it. A time at
        which nobody supervised the run has no width: it is where the run goes on."""
        walls, places = self._walls
        wall = at.timestamp()
        # The whole second counts, for that is how times are shown.
        if not walls or int(wall) < int(walls[0]) or int(wall) > int(walls[-1]):
            return None
        index = bisect_right(walls, wall) - 1
        if index < 0:
            return places[0]
        after = places[index + 1] if index + 1 < len(places) else places[index]
        return min(after, places[index] + wall - walls[index])

    @cached_property
    def _epochs(self) -> dict[int, float]:
        """Where each epoch began, for all that is known. What came again after a restart lies where
        it was first."""
        began, ended = dict[int, float](), dict[int, float]()
        for record, place in zip(self._records, self._schedule.times, strict=True):
            match record.event:
                case ev.EpochStarted(epoch=epoch) | ev.Progress(epoch=epoch):
                    began.setdefault(epoch, place)
                case ev.EpochEnded(epoch=epoch):
                    began.setdefault(epoch, ended.get(epoch - 1, 0.0))
                    ended.setdefault(epoch, place)
                case _:
                    pass
        return {epoch: place for epoch, place in began.items() if epoch > 0}

    def epoch(self, number: int) -> float | None:
        """Where that epoch began."""
        return self._epochs.get(number)

    @property
    def epochs(self) -> tuple[int, int]:
        """The first and the last one that the run has come to; zeros where there is none."""
        return (min(self._epochs), max(self._epochs)) if self._epochs else (0, 0)

    @cached_property
    def _steps(self) -> list[_Done]:
        """Every word of how many steps were done, in the order of the journal."""
        told, an_epoch = list[_Done](), 0
        for record, place in zip(self._records, self._schedule.times, strict=True):
            match record.event:
                case ev.TrainingStarted(steps_per_epoch=steps):
                    an_epoch = steps
                case ev.EpochStarted(steps=steps):
                    an_epoch = steps or an_epoch
                case ev.Progress(epoch=epoch, iteration=iteration):
                    told.append(_Done(epoch, iteration, an_epoch, place))
                case ev.EpochEnded(epoch=epoch) if an_epoch:
                    told.append(_Done(epoch, an_epoch, an_epoch, place))
                case _:
                    pass
        return told

    def step(self, number: int, epoch: int | None = None) -> float | None:
        """Where that step was first done, of the whole run or of an epoch; `None` where it was
        not."""
        for done in self._steps:
            if epoch in (None, done.epoch) and 0 < number <= done.count(epoch):
                return done.place
        return None

    def steps(self, epoch: int | None = None) -> int:
        """The last step, of the whole run or of an epoch."""
        return max(
            (done.count(epoch) for done in self._steps if epoch in (None, done.epoch)), default=0
        )


def place_of(
    text: str, course: Course, words: ReplayWords, *, here_s: float | None, zone: tzinfo | None
) -> float:
    """The second of the run that `text` means.

    A time with seconds counts from the start, as the title does, and one without is by the clock;
    where only the other one lies within the run, that is meant. `here_s` is where the replay is;
    `None`: it has not begun, so that `-30m` is half an hour before the end. Raises `NoSuchPlace`.
    """
    shown = " ".join(text.split())[:60]
    asked = unicodedata.normalize("NFKC", text).strip()  # a Chinese keyboard types wide digits
    if found := _EPOCH_OR_STEP.fullmatch(asked):
        epoch, step = found[1] or found[2], found[3] or found[4]
        if epoch or step:
            number = int(re.sub("[,_]", "", step)) if step else None
            place = _counted(shown, int(epoch) if epoch else None, number, course, words)
            if place is None:
                raise _not_in_run(shown, course, words, zone)
            return place
    if (seconds := seconds_of(asked)) is not None:
        return min(course.total_s, seconds)
    goal = goal_of(asked)
    if found := _SINCE_START.fullmatch(asked):
        clock = goal if isinstance(goal, ToClock) else None
        return _timed(shown, found, clock, course, words, zone)
    match goal:
        case ToShare(share=share):
            return share * course.total_s
        case ByTime(seconds=by_s):
            here = here_s if here_s is not None else course.total_s if by_s < 0 else 0.0
            return min(course.total_s, max(0.0, here + by_s))
        case ToClock():
            at = _by_clock(goal, course, zone)
            if at is None:
                raise _not_in_run(shown, course, words, zone)
            return at
        case ToLine() | None:
            raise NoSuchPlace(words.bad_place.format(text=shown))
        case _:
            assert_never(goal)


def _timed(
    shown: str,
    found: re.Match[str],
    clock: ToClock | None,
    course: Course,
    words: ReplayWords,
    zone: tzinfo | None,
) -> float:
    """A time that may count from the start, or be one of day."""
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    passed = float(hours * 3600 + minutes * 60 + seconds)
    since_start = passed if passed <= course.total_s else None
    by_clock = None if clock is None else _by_clock(clock, course, zone)
    first, second = (since_start, by_clock) if found[3] is not None else (by_clock, since_start)
    place = second if first is None else first
    if place is None:
        raise _not_in_run(shown, course, words, zone)
    return place


def _by_clock(goal: ToClock, course: Course, zone: tzinfo | None) -> float | None:
    ends = course.ends
    return None if ends is None else course.at_wall(moment_of(goal, ends[1], zone))


def _counted(
    shown: str, epoch: int | None, step: int | None, course: Course, words: ReplayWords
) -> float | None:
    """An epoch, a step of the whole run, or a step of an epoch; `None`: the run has none at all."""
    if epoch is not None:
        began = course.epoch(epoch)
        if began is None:
            first, newest = course.epochs
            if not newest:
                return None
            raise NoSuchPlace(words.no_epoch.format(text=shown, first=first, last=newest))
        if step is None:
            return began
    assert step is not None  # noqa: S101 - one of them was given
    place = course.step(step, epoch)
    if place is None:
        last = course.steps(epoch)
        if not last:
            return None
        told = words.no_step if epoch is None else words.no_step_of_epoch
        raise NoSuchPlace(told.format(text=shown, last=fmt.count(last)))
    return place


def _not_in_run(shown: str, course: Course, words: ReplayWords, zone: tzinfo | None) -> NoSuchPlace:
    ends = course.ends
    if ends is None:
        return NoSuchPlace(words.bad_place.format(text=shown))
    first, last = (f"{end.astimezone(zone):%m-%d %H:%M:%S}" for end in ends)
    total = clock_text(course.total_s)
    return NoSuchPlace(words.not_in_run.format(text=shown, total=total, first=first, last=last))
