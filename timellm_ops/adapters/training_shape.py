"""How many epochs a published training has, and how many steps an epoch: what its output proves.

The scripts print neither. But a left time is `speed * ((epochs - epoch) * steps - iteration)`,
with `epoch` and `iteration` counted from 0 and both figures rounded to four decimals: an interval
for each record, and over two epochs enough of them to leave one pair of whole numbers. `steps`
there is what one process would have to do alone; over several GPUs each does a share of it. What
is really done in an epoch is counted by its progress bar.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

_ROUNDING = 0.5001e-4
"""What a printed figure may be off by: half of its last decimal, and a little."""
_MOST_CANDIDATES = 20_000
_BAR_MAY_LACK_S = 3.0
"""How much longer an epoch may have taken than its bar shows."""


class Shape(NamedTuple):
    """What is certain; `None` is not."""

    epochs: int | None = None
    steps: int | None = None
    """Of one epoch."""


class _Interval(NamedTuple):
    low: float
    high: float


class ShapeEvidence:
    """Gathers what is known of one training."""

    def __init__(self) -> None:
        self._left: dict[int, _Interval] = {}  # by epoch: (epochs - epoch) * steps
        self._seen = _Interval(1, math.inf)  # steps of an epoch
        self._counted: int | None = None

    def progress(self, epoch: int, iteration: int, pace_s: float, left_s: float) -> None:
        """A progress record; `epoch` and `iteration` counted from 1, as they are printed."""
        if not (math.isfinite(pace_s) and math.isfinite(left_s)):
            return
        fast, slow = pace_s - _ROUNDING, pace_s + _ROUNDING
        low = (left_s - _ROUNDING) / slow + iteration - 1
        high = (left_s + _ROUNDING) / fast + iteration - 1 if fast > 0 else math.inf
        known = self._left.get(epoch, _Interval(-math.inf, math.inf))
        self._left[epoch] = _Interval(max(low, known.low), min(high, known.high))

    def epoch_trained(self, last: int, interval: int) -> None:
        """An epoch's steps are done. `last` was the iteration of its last progress record and
        `interval` the iterations between two; both 0 where it had none."""
        if interval > 0:
            low, high = self._seen
            self._seen = _Interval(max(low, last), min(high, last + interval - 1))

    def bar_ended(self, done: int, elapsed_s: int, trained_s: float) -> None:
        """The last bar before the line that said how many seconds an epoch's training took."""
        if -1.0 < trained_s - elapsed_s < _BAR_MAY_LACK_S and self._is_seen(done):
            self._counted = done

    def _is_seen(self, steps: int) -> bool:
        return self._seen.low <= steps <= self._seen.high

    def shape(self) -> Shape:
        """What follows from all of it."""
        fitting = list(self._fitting())
        epochs = {shape.epochs for shape in fitting}
        steps = {shape.steps for shape in fitting}
        counted = self._counted
        if counted is None and len(steps) == 1 and math.isfinite(self._seen.high):
            only = steps.pop()
            counted = only if only is not None and self._is_seen(only) else None
        return Shape(epochs.pop() if len(epochs) == 1 else None, counted)

    def _fitting(self) -> Iterator[Shape]:
        """Every pair of whole numbers that all left times allow; none where too little is known."""
        if len(self._left) < 2:
            return
        first, newest = min(self._left), max(self._left)
        apart, a, b = newest - first, self._left[first], self._left[newest]
        low, high = max(1.0, (a.low - b.high) / apart), (a.high - b.low) / apart
        if not (math.isfinite(low) and math.isfinite(high)) or high - low > _MOST_CANDIDATES:
            return  # left times that no training has
        for steps in range(math.ceil(low), math.floor(high) + 1):
            fewest = max(math.ceil(i.low / steps) + e - 1 for e, i in self._left.items())
            most = min(math.floor(i.high / steps) + e - 1 for e, i in self._left.items())
            for epochs in range(max(fewest, newest), most + 1):
                yield Shape(epochs, steps)
