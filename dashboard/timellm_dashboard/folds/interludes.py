"""What is between the steps of two epochs: the evaluation, saving, and getting going again.

Measured in seconds of work, pauses and rests left out, by the journal's clock.
"""

from collections import deque
from statistics import median

_KEPT = 5


class Interludes:
    """Folds the ends of epochs. The estimate is a median, so that one odd night changes nothing."""

    def __init__(self) -> None:
        self._whole: deque[float] = deque(maxlen=_KEPT)
        self._until_results_s: float | None = None
        self._worked_s = 0.0
        self._began_s: float | None = None
        self._evaluated = False

    @property
    def expected_s(self) -> float | None:
        """Seconds of work from an epoch's last step to the first of the next; `None`: there was
        none to be measured."""
        return median(self._whole) if self._whole else self._until_results_s

    @property
    def under_way_s(self) -> float:
        """How much of it is behind the engine, of one that has no results yet."""
        if self._began_s is None or self._evaluated:
            return 0.0
        return self._worked_s - self._began_s

    def move(self, worked_s: float) -> None:
        """The engine was at work for so long."""
        self._worked_s += worked_s

    def trained(self) -> None:
        """A step was made: if it was the epoch's last, an interlude begins with it."""
        self._began_s, self._evaluated = self._worked_s, False

    def evaluated(self, steps_s: float) -> None:
        """The epoch's results are there. `steps_s`: what of the time was for steps that nobody
        told of."""
        if self._began_s is None:
            return
        self._began_s += steps_s
        self._until_results_s = max(0.0, self._worked_s - self._began_s)
        self._evaluated = True

    def tested(self) -> None:
        """The test after the last epoch begins."""
        if self._evaluated:
            self._began_s, self._evaluated = self._worked_s, False

    def over(self) -> None:
        """The next epoch's steps begin."""
        if self._began_s is not None and self._evaluated:
            self._whole.append(max(0.0, self._worked_s - self._began_s))
        self._began_s, self._evaluated = None, False

    def drop(self) -> None:
        """Nobody knows what was done meanwhile."""
        self._began_s, self._evaluated = None, False
