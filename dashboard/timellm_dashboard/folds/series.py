"""A series of any length in bounded memory: lows and highs survive, only their places blur."""

import math
from collections.abc import Sequence

from msgspec import Struct

from timellm_dashboard.folds.course import Course

CAPACITY = 1024
"""Points that a series may have; beyond it neighbours are merged in pairs."""


class Point(Struct, frozen=True, gc=False):
    """A stretch of a series: from `start` to `end`, between `low` and `high`, ending at `last`."""

    start: float
    end: float
    low: float
    high: float
    last: float


class _Stretch(Struct, gc=False):
    """A `Point` in the making: most values of a long series only lengthen the last one."""

    start: float
    end: float
    low: float
    high: float
    last: float

    def lengthen(self, later: "_Stretch") -> None:
        """Go on to the end of the stretch after it."""
        self.end, self.last = later.end, later.last
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)


class Series(Course):
    """Values over a coordinate that goes forward, as at most `capacity` points."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = max(2, capacity)
        self._stretches: list[_Stretch] = []
        self._kept: tuple[Point, ...] | None = ()
        self._values_per_point = 1
        self._values_in_last = 0

    def add(self, x: float, value: float | None) -> None:
        """Append a value. One that is unknown or not finite has no place on a chart."""
        if value is None or not math.isfinite(value):
            return
        self._kept = None
        if self._stretches and self._values_in_last < self._values_per_point:
            last = self._stretches[-1]
            last.end, last.last = x, value
            if value < last.low:
                last.low = value
            elif value > last.high:
                last.high = value
            self._values_in_last += 1
            return
        if len(self._stretches) >= self._capacity:
            self._halve()
        self._stretches.append(_Stretch(x, x, value, value, value))
        self._values_in_last = 1

    def _extend_known(self, xs: Sequence[float], values: Sequence[float]) -> None:
        begin = 0
        while begin < len(values):
            room = self._values_per_point - self._values_in_last if self._stretches else 0
            if room <= 0 and len(self._stretches) >= self._capacity:
                self._halve()
            end = min(len(values), begin + (room if room > 0 else self._values_per_point))
            part = values[begin:end]
            joined = _Stretch(xs[begin], xs[end - 1], min(part), max(part), part[-1])
            if room > 0:
                self._stretches[-1].lengthen(joined)
                self._values_in_last += end - begin
            else:
                self._stretches.append(joined)
                self._values_in_last = end - begin
            self._kept, begin = None, end

    def rewind(self, x: float) -> None:
        """Forget what begins beyond `x`: those steps are going to be done again."""
        while self._stretches and self._stretches[-1].start > x:
            self._stretches.pop()
            self._kept = None
            self._values_in_last = self._values_per_point

    def points(self) -> tuple[Point, ...]:
        """What is kept, in order."""
        if self._kept is None:
            self._kept = tuple(
                Point(s.start, s.end, s.low, s.high, s.last) for s in self._stretches
            )
        return self._kept

    def _halve(self) -> None:
        pairs = zip(self._stretches[::2], self._stretches[1::2], strict=False)
        for first, second in pairs:
            first.lengthen(second)
        self._stretches = self._stretches[::2]
        self._values_per_point *= 2
