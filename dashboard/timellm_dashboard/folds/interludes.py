"""What is between the steps of two epochs: the evaluation, saving, and getting going again.

Measured in seconds of work, pauses and rests left out, by the journal's clock. What makes steps
slower (other work on the machine, a card that slows down) makes evaluations slower as well: with
each is kept how long a step took before it.
"""

from collections import deque
from statistics import median

from msgspec import Struct

_KEPT = 5
_COMES_AND_GOES = 1.2
"""So many times slower, or faster, steps are now and then."""


class _Interlude(Struct, frozen=True, gc=False):
    seconds: float
    step_s: float | None
    """Of work, as steps were when it began."""

    def expected_s(self, step_s: float | None) -> float:
        """What it would take where a step takes so long; steps that are a little slower, as they
        come and go, say nothing of an evaluation."""
        if step_s is None or not self.step_s:
            return self.seconds
        slower = step_s / self.step_s
        return self.seconds * (slower / min(max(slower, 1.0 / _COMES_AND_GOES), _COMES_AND_GOES))


class Interludes:
    """Folds the ends of epochs. The estimate is a median, so that one odd night changes nothing."""

    def __init__(self) -> None:
        self._whole: deque[_Interlude] = deque(maxlen=_KEPT)
        self._until_results: _Interlude | None = None
        self._step_s: float | None = None
        self._worked_s = 0.0
        self._told_s = 0.0
        self._began_s: float | None = None
        self._evaluated = False

    def expected_s(self, step_s: float | None) -> float | None:
        """Seconds of work from an epoch's last step to the first of the next, where a step takes
        `step_s` of work; `None`: there was none to be measured."""
        if self._whole:
            return median(whole.expected_s(step_s) for whole in self._whole)
        return None if self._until_results is None else self._until_results.expected_s(step_s)

    @property
    def under_way_s(self) -> float:
        """How much of it is behind the engine, of one that has no results yet."""
        if self._began_s is None or self._evaluated:
            return 0.0
        return self._worked_s - self._began_s

    @property
    def told_s(self) -> float:
        """How much of it was behind the engine when it last said how far it is."""
        if self._began_s is None or self._evaluated:
            return 0.0
        return max(0.0, self._told_s - self._began_s)

    def tell(self) -> None:
        """The engine says how far its evaluation is."""
        self._told_s = self._worked_s

    def begin(self) -> None:
        """An epoch's evaluation begins. Mostly its last step has told so already; of a run that has
        been resumed at an epoch's end, there was none."""
        if self._began_s is None:
            self._began_s, self._evaluated = self._worked_s, False

    def move(self, worked_s: float) -> None:
        """The engine was at work for so long."""
        self._worked_s += worked_s

    def trained(self) -> None:
        """A step was made: if it was the epoch's last, an interlude begins with it."""
        self._began_s, self._evaluated = self._worked_s, False

    def evaluated(self, steps_s: float, step_s: float | None) -> None:
        """The epoch's results are there. `steps_s`: what of the time was for steps that nobody
        told of; `step_s`: what a step of late has taken."""
        if self._began_s is None:
            return
        self._began_s += steps_s
        self._step_s = step_s
        self._until_results = _Interlude(max(0.0, self._worked_s - self._began_s), step_s)
        self._evaluated = True

    def tested(self) -> None:
        """The test after the last epoch begins."""
        if self._evaluated:
            self._began_s, self._evaluated = self._worked_s, False

    def over(self) -> None:
        """The next epoch's steps begin."""
        if self._began_s is not None and self._evaluated:
            seconds = max(0.0, self._worked_s - self._began_s)
            self._whole.append(_Interlude(seconds, self._step_s))
        self._began_s, self._evaluated = None, False

    def drop(self) -> None:
        """Nobody knows what was done meanwhile."""
        self._began_s, self._evaluated = None, False
