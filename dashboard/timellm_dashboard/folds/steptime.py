"""How long a step takes: seconds in which the engine moved, over the steps that it made in them.

Sums that fade with the time in which the engine moved, and not means of single records: a record
may be of one step or of a hundred, and many may come at once. Rests for the pace are told apart
from the work, so that a change of pace changes the estimate at once and not over many minutes.
"""

import math
from typing import Literal

from msgspec import Struct

WARM_UP_STEPS = 3
"""The first steps of a process take longer than any later one."""
LASTING_HALF_LIFE_S = 300.0
RECENT_HALF_LIFE_S = 30.0
_MEMORIES = 5
"""One of that half-life, one of half of it, and so on: what is to come within a minute is told by
the last minute, and not by the five before."""
_LOOK_BACK = 0.25
"""The half-life of the memory that tells of so much time to come, as a share of it."""
_OF_LATE_S = 120.0
_PACE_HALF_LIFE_S = 60.0
_ODD_EXCESS_S = 15.0
_ODD_TIMES = 4.0
"""A stretch that took so many times what it should have, and so much more, is odd."""
_STALL_S = 60.0
"""What was longer than expected by no more than this was the engine's own: it swapped, or waited
for a disk. Longer, the machine may have slept."""
_FEWEST_STALLS = 3
"""So many stalls are no accident, and there will be more."""
_ODD_IN_A_ROW = 3
"""So many odd ones are how it is from there on."""
_LEAST_DUTY = 0.01


class _Fading:
    """Seconds over steps, in which what was fades with a half-life of seconds."""

    __slots__ = ("_half_life_s", "seconds", "steps")

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self.seconds = self.steps = 0.0

    def add(self, seconds: float, steps: float) -> None:
        kept = 0.5 ** (seconds / self._half_life_s)
        self.seconds = kept * self.seconds + seconds
        self.steps = kept * self.steps + steps

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.steps if self.steps > 0 and self.seconds > 0 else None


class _Memories:
    """The same with several half-lives at once, each of them twice as long as the next."""

    __slots__ = ("_seconds", "_steps")

    def __init__(self) -> None:
        self._seconds, self._steps = [0.0] * _MEMORIES, [0.0] * _MEMORIES

    def add(self, seconds: float, steps: float) -> None:
        kept = 0.5 ** (seconds / LASTING_HALF_LIFE_S)
        all_seconds, all_steps = self._seconds, self._steps
        for place in range(_MEMORIES):
            all_seconds[place] = kept * all_seconds[place] + seconds
            all_steps[place] = kept * all_steps[place] + steps
            kept *= kept  # half the half-life

    @property
    def lasting(self) -> float | None:
        """By the longest; `None`: nothing was added."""
        return self._seconds[0] / self._steps[0] if self._steps[0] > 0 else None

    def within(self, seconds: float) -> float | None:
        """For the next `seconds`: between the two that are nearest to as long as is wanted, so that
        it goes smoothly from one to the next."""
        if self._steps[-1] <= 0.0:
            return self.lasting
        shorter = math.log2(LASTING_HALF_LIFE_S / max(_LOOK_BACK * seconds, 1e-9))
        place = min(max(shorter, 0.0), _MEMORIES - 1.0)
        above = int(place)
        below = min(above + 1, _MEMORIES - 1)
        long_s, short_s = (self._seconds[i] / self._steps[i] for i in (above, below))
        return long_s + (place - above) * (short_s - long_s)


class _Stretch(Struct):
    """From one place of an epoch to the next that the engine tells of."""

    epoch: int
    iteration: int
    moved_s: float = 0.0
    worked_s: float = 0.0
    saves: bool = False
    """A checkpoint was written in it, which may take any time and belongs to the run."""


class Made(Struct, frozen=True, gc=False):
    """Steps, and the seconds in which the engine moved, and worked, to make them."""

    steps: int
    moved_s: float
    worked_s: float


class StepTime:
    """Folds stretches of steps. Pauses never reach it: it is told of moving seconds alone."""

    def __init__(self) -> None:
        self._work = _Fading(LASTING_HALF_LIFE_S)
        self._saveless = _Memories()
        self._recent = _Fading(RECENT_HALF_LIFE_S)
        self._cold = _Fading(LASTING_HALF_LIFE_S)
        self._duty: float | None = None
        self._stretch: _Stretch | None = None
        self._cold_steps_left = WARM_UP_STEPS
        self._first: Made | None = None  # the first step, as long as nothing else is known
        self._odd: list[Made] = []
        self._all_s = 0.0
        self._all_steps = 0
        self._stalls = 0
        self._stalled_s = 0.0
        self._newest: Literal["cold", "work", "odd"] = "cold"  # where the newest steps were put

    @property
    def work_s(self) -> float | None:
        """Seconds of work that a step takes, rests left out; `None`: not measured."""
        return self._cold.ratio if self._work.ratio is None else self._work.ratio

    @property
    def mean_s(self) -> float | None:
        """Seconds from step to step over the whole run: first steps, rests and saves included,
        and what was no step left out: pauses, evaluations, a machine that slept."""
        return self._all_s / self._all_steps if self._all_s > 0 else None

    @property
    def duty(self) -> float:
        """Share of the moving time of late in which the engine worked."""
        return 1.0 if self._duty is None else max(_LEAST_DUTY, self._duty)

    @property
    def lasting_s(self) -> float | None:
        """Seconds from step to step as they are to be expected, rests included, and stalls where
        there were some: as much of the time as they have taken of the whole run's."""
        return self._with_stalls(self.work_s)

    def ahead_s(self, seconds: float) -> float | None:
        """The same for steps within the next `seconds`: by what was as shortly before."""
        return self._with_stalls(self._work_within_s(seconds))

    @property
    def work_of_late_s(self) -> float | None:
        """Seconds of work that a step takes of late; `None`: not measured."""
        return self._work_within_s(_OF_LATE_S)

    def _work_within_s(self, seconds: float) -> float | None:
        """Seconds of work of a step within the next `seconds`. Saves come as often as in the
        longest memory, however short the time."""
        usual_s, steps_s = self._saveless.lasting, self._saveless.within(seconds)
        if self._work.ratio is None or usual_s is None or steps_s is None:
            return self._cold.ratio
        return steps_s + max(0.0, self._work.ratio - usual_s)

    def _with_stalls(self, work_s: float | None) -> float | None:
        if work_s is None:
            return None
        step_s = work_s / self.duty
        if self._stalls < _FEWEST_STALLS:
            return step_s
        return step_s * self._all_s / (self._all_s - self._stalled_s)

    @property
    def recent_s(self) -> float | None:
        """Seconds from step to step of late, rests included and saves left out."""
        return self.lasting_s if self._recent.ratio is None else self._recent.ratio

    def start(self, epoch: int, iteration: int) -> None:
        """A process of the engine begins its steps here."""
        self._cold_steps_left, self._newest = WARM_UP_STEPS, "cold"
        self._odd.clear()
        self.begin(epoch, iteration)

    def begin(self, epoch: int, iteration: int) -> None:
        """From this place on, steps are measured."""
        self._stretch = _Stretch(epoch, iteration)

    def drop(self) -> None:
        """What happens until the next word of progress is no mere steps."""
        self._stretch = None

    def save(self) -> None:
        """A checkpoint is written."""
        if self._stretch is not None:
            self._stretch.saves = True

    def move(self, seconds: float, duty: float) -> None:
        """The engine moved for `seconds`, at work for this share of them."""
        if not 0.0 <= duty <= 1.0:
            duty = min(1.0, max(0.0, duty))
        if self._duty is None:
            self._duty = duty
        elif duty != self._duty:
            kept = 0.5 ** (seconds / _PACE_HALF_LIFE_S)
            self._duty = kept * self._duty + (1.0 - kept) * duty
        stretch = self._stretch
        if stretch is not None:
            stretch.moved_s += seconds
            stretch.worked_s += duty * seconds

    def progress(self, epoch: int, iteration: int) -> Made | None:
        """The engine tells that it has come here. The steps since it last did, if they count."""
        stretch = self._stretch
        if stretch is not None and (stretch.epoch, stretch.iteration) == (epoch, iteration):
            return None  # told twice
        self.begin(epoch, iteration)
        if stretch is None or stretch.epoch != epoch or iteration < stretch.iteration:
            return None
        made = Made(iteration - stretch.iteration, stretch.moved_s, stretch.worked_s)
        if made.moved_s <= 0:
            self._at_once(made)
        elif self._cold_steps_left > 0:
            self._take_cold(made)
        elif stretch.saves or not self._is_odd(made):
            self._pass_over()
            self._take(made, saves=stretch.saves)
        else:
            self._newest = "odd"
            self._odd.append(made)
            if len(self._odd) >= _ODD_IN_A_ROW:
                self._believe()
        return made

    def _at_once(self, made: Made) -> None:
        """More steps in the same moment: a program that writes into a full buffer tells of many at
        once, and the first of them has brought the seconds of all."""
        if self._newest == "cold":
            self._take_cold(made)
        elif self._newest == "work":
            self._take(made)
        else:
            odd = self._odd.pop()
            together = Made(odd.steps + made.steps, odd.moved_s, odd.worked_s)
            if self._is_odd(together):
                self._odd.append(together)
            else:
                self._pass_over()
                self._take(together)

    def _is_odd(self, made: Made) -> bool:
        """Such as a machine that slept with its clock going on, which no record tells of."""
        work_s = self._work.ratio
        if work_s is None:
            return False
        usual_s = made.steps * work_s
        return made.worked_s > max(_ODD_TIMES * usual_s, usual_s + _ODD_EXCESS_S)

    def _pass_over(self) -> None:
        """What was odd was so by itself, and says nothing of a step."""
        for made in self._odd:
            excess_s = made.worked_s - made.steps * (self._work.ratio or 0.0)
            if excess_s <= _STALL_S:
                self._count(made)
                self._stalls += 1
                self._stalled_s += excess_s
        self._odd.clear()

    def _believe(self) -> None:
        """It is so slow: what was before says nothing about what is to come."""
        self._work = _Fading(LASTING_HALF_LIFE_S)
        self._saveless = _Memories()
        for made in self._odd:
            self._take(made)
        self._odd.clear()

    def _take(self, made: Made, *, saves: bool = False) -> None:
        self._newest = "work"
        self._count(made)
        self._work.add(made.worked_s, made.steps)
        steps_s, usual_s = made.worked_s, self._saveless.lasting
        if saves and usual_s is not None:
            steps_s = min(steps_s, made.steps * usual_s)
        self._saveless.add(steps_s, made.steps)
        if not saves:
            self._recent.add(made.moved_s, made.steps)

    def _take_cold(self, made: Made) -> None:
        self._newest = "cold"
        self._count(made)
        first = self._cold_steps_left == WARM_UP_STEPS
        self._cold_steps_left = max(0, self._cold_steps_left - made.steps)
        if first and made.steps == 1:
            # It compiles, allocates and measures: seconds to minutes that no other step takes.
            self._first = made
            return
        if self._first is not None and made.moved_s <= 0:
            made = Made(self._first.steps + made.steps, self._first.moved_s, self._first.worked_s)
        self._first = None
        self._cold.add(made.worked_s, made.steps)

    def _count(self, made: Made) -> None:
        self._all_s += made.moved_s
        self._all_steps += made.steps
