"""A series of any length in bounded memory: lows and highs survive, only their places blur."""

import math

from msgspec import Struct

CAPACITY = 1024
"""Points that a series may have; beyond it neighbours are merged in pairs."""


class Point(Struct, frozen=True):
    """A stretch of a series: from `start` to `end`, between `low` and `high`, ending at `last`."""

    start: float
    end: float
    low: float
    high: float
    last: float

    def joined(self, later: "Point") -> "Point":
        """This stretch and the one after it, as one."""
        return Point(
            self.start,
            later.end,
            min(self.low, later.low),
            max(self.high, later.high),
            later.last,
        )


class Series:
    """Values over a coordinate that goes forward, as at most `capacity` points."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = max(2, capacity)
        self._points: list[Point] = []
        self._kept: tuple[Point, ...] | None = ()
        self._values_per_point = 1
        self._values_in_last = 0

    def add(self, x: float, value: float | None) -> None:
        """Append a value. One that is unknown or not finite has no place on a chart."""
        if value is None or not math.isfinite(value):
            return
        self._kept = None
        new = Point(x, x, value, value, value)
        if self._points and self._values_in_last < self._values_per_point:
            self._points[-1] = self._points[-1].joined(new)
            self._values_in_last += 1
            return
        if len(self._points) >= self._capacity:
            self._halve()
        self._points.append(new)
        self._values_in_last = 1

    def rewind(self, x: float) -> None:
        """Forget what begins beyond `x`: those steps are going to be done again."""
        while self._points and self._points[-1].start > x:
            self._points.pop()
            self._kept = None
            self._values_in_last = self._values_per_point

    def points(self) -> tuple[Point, ...]:
        """What is kept, in order."""
        if self._kept is None:
            self._kept = tuple(self._points)
        return self._kept

    def _halve(self) -> None:
        pairs = zip(self._points[::2], self._points[1::2], strict=False)
        merged = [first.joined(second) for first, second in pairs]
        if len(self._points) % 2:
            merged.append(self._points[-1])
        self._points = merged
        self._values_per_point *= 2
