"""One measured value over the run's time, in bounded memory, to be looked at from near and far.

A `Series` is made for a chart of the whole run. A track keeps sixteen times as many stretches, in
flat arrays, and is cut into columns for whatever window is looked at. It knows where nothing was
known: there it has a gap and no line across it.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from msgspec import Struct

from timellm_dashboard.folds.course import Course

CAPACITY = 16_384
"""Stretches that a track may have; beyond it neighbours are merged in pairs. A reading a second for
14 hours (50,400) then has stretches of four seconds, in half a megabyte."""
_KEPT_GAP_SHARE = 4.0
"""A gap stays through a merger if it is so many times as long as a stretch would be on average."""


class Column(Struct, frozen=True):
    """What a track has in one of the columns of a window: its lowest and highest value there.

    `joined`: nothing was unknown between it and the column before it that has something.
    """

    low: float
    high: float
    joined: bool

    @property
    def middle(self) -> float:
        """Where a line goes through it."""
        return (self.low + self.high) / 2


class Track(Course):
    """Values over a coordinate that never goes back. `holds`: a value is true until the next."""

    def __init__(self, *, holds: bool = False, capacity: int = CAPACITY) -> None:
        self._holds, self._capacity = holds, max(8, capacity)
        self._starts, self._lows, self._highs = array("d"), array("d"), array("d")
        self._breaks: set[int] = set()  # stretches before which there is a gap
        self._values_per_stretch = 1
        self._room = 0  # for so many values more in the last stretch
        self._gap = True
        self._last = math.nan

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def known(self) -> bool:
        """Whether there ever was a value."""
        return len(self._starts) > 0

    @property
    def latest(self) -> float | None:
        """The newest value; `None`: nothing was known after it, or ever."""
        return None if self._gap else self._last

    def add(self, x: float, value: float | None) -> None:
        """Append a value; one that is unknown or not finite begins a gap."""
        if value is None or not isfinite(value):
            self._gap = True
            return
        self._last = value
        if self._gap:
            self._breaks.add(self._begin(x, value))
            self._gap = False
        elif self._room:
            self._room -= 1
            if value < self._lows[-1]:
                self._lows[-1] = value
            elif value > self._highs[-1]:
                self._highs[-1] = value
        else:
            self._begin(x, value)

    def _extend_known(self, xs: Sequence[float], values: Sequence[float]) -> None:
        begin = 0
        while begin < len(values):
            whole = 0 if self._gap or self._room else self._append(xs, values, begin)
            if not whole:
                self.add(xs[begin], values[begin])
            begin += whole or 1

    def _append(self, xs: Sequence[float], values: Sequence[float], begin: int) -> int:
        """Append whole stretches of the values from `begin` on; how many values went into them."""
        if len(self._starts) >= self._capacity:
            self._merge()
        size = self._values_per_stretch
        stretches = min(self._capacity - len(self._starts), (len(values) - begin) // size)
        end = begin + stretches * size
        if stretches:
            self._starts.extend(xs[begin:end:size])
            columns = [values[begin + place : end : size] for place in range(size)]
            self._lows.extend(map(min, *columns) if size > 1 else columns[0])
            self._highs.extend(map(max, *columns) if size > 1 else columns[0])
            self._last = values[end - 1]
        return end - begin

    def _begin(self, x: float, value: float) -> int:
        """A new stretch; its index."""
        if len(self._starts) >= self._capacity:
            self._merge()
        self._starts.append(x)
        self._lows.append(value)
        self._highs.append(value)
        self._room = self._values_per_stretch - 1
        return len(self._starts) - 1

    def interrupt(self) -> None:
        """Nothing is known from here to the next value."""
        self._gap = True

    def change(self, x: float, value: float | None) -> None:
        """Append a value that holds from `x` on; the one before it held until then."""
        if not self._gap:
            self.add(x, self._last)
        self.add(x, value)

    def columns(self, start: float, end: float, count: int) -> tuple[Column | None, ...]:
        """The track from `start` to `end`, both included, in `count` columns.

        `None` where no value lies; a line goes through it if the next column is joined. At both
        edges there is a value wherever the line goes on beyond them.
        """
        if count < 1 or end <= start or not self._starts:
            return (None,) * max(0, count)
        starts, step = self._starts, (end - start) / count
        first = bisect_left(starts, start)
        beyond = bisect_right(starts, end)
        found: list[Column | None] = [None] * count
        here = first
        for index in range(count):
            last = index == count - 1
            edge = beyond if last else bisect_left(starts, start + (index + 1) * step, here, beyond)
            if edge > here:
                found[index] = self._column(here, edge)
                here = edge
            elif self._holds and here and self._goes_on(here):
                held = self._column(here - 1, here)
                found[index] = Column(held.low, held.high, joined=index > 0)
        self._enter(found, start, first)
        self._leave(found, end, beyond)
        return tuple(found)

    def between(self, start: float, end: float) -> tuple[float, float] | None:
        """The lowest and highest value from `start` to `end`; where none lies there, those that a
        line goes between. `None`: not known."""
        column = self.columns(start, end, 1)[0] if end > start else None
        return None if column is None else (column.low, column.high)

    def _column(self, here: int, edge: int) -> Column:
        joined = here not in self._breaks
        if edge - here == 1:
            return Column(self._lows[here], self._highs[here], joined)
        return Column(min(self._lows[here:edge]), max(self._highs[here:edge]), joined)

    def _goes_on(self, index: int) -> bool:
        """Whether nothing is unknown between the stretch before `index` and what follows it."""
        return not (self._gap if index == len(self._starts) else index in self._breaks)

    def _enter(self, found: list[Column | None], start: float, first: int) -> None:
        """The value at the left edge, where a line comes in from beyond it."""
        if found[0] is not None or not first:
            return
        value = self._across(first, start)
        if value is not None:
            found[0] = Column(value, value, joined=False)

    def _leave(self, found: list[Column | None], end: float, beyond: int) -> None:
        if found[-1] is not None or not beyond:
            return
        value = self._across(beyond, end)
        if value is not None:
            found[-1] = Column(value, value, joined=True)

    def _across(self, index: int, x: float) -> float | None:
        """The value at `x`, on the line from the stretch before `index` to the one at it."""
        if index == len(self._starts) or index in self._breaks:
            return None
        before = (self._lows[index - 1] + self._highs[index - 1]) / 2
        after = (self._lows[index] + self._highs[index]) / 2
        from_x, to_x = self._starts[index - 1], self._starts[index]
        if to_x <= from_x:
            return after
        return before + (after - before) * (x - from_x) / (to_x - from_x)

    def _merge(self) -> None:
        """Join stretches in pairs, but not across a gap that can be seen."""
        starts, lows, highs = self._starts, self._lows, self._highs
        shortest = _KEPT_GAP_SHARE * (starts[-1] - starts[0]) / self._capacity
        gaps = [i for i in sorted(self._breaks) if i and starts[i] - starts[i - 1] > shortest]
        self._starts, self._lows, self._highs = array("d"), array("d"), array("d")
        self._breaks = set()
        for begin, end in pairwise((0, *gaps, len(starts))):
            self._breaks.add(len(self._starts))
            self._starts.extend(starts[begin:end:2])
            self._lows.extend(map(min, lows[begin:end:2], lows[begin + 1 : end : 2]))
            self._highs.extend(map(max, highs[begin:end:2], highs[begin + 1 : end : 2]))
            if (end - begin) % 2:  # the last one has no partner
                self._lows.append(lows[end - 1])
                self._highs.append(highs[end - 1])
        self._values_per_stretch *= 2
        self._room = 0
