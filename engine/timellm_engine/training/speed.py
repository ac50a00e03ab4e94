"""Seconds a step, measured over the steps alone."""

_SMOOTHING = 0.1


class Speed:
    """What steps take: since somebody last asked, and of late."""

    def __init__(self) -> None:
        self._seconds, self._steps = 0.0, 0
        self.of_late = 0.0
        """The exponential mean, which one odd step (an epoch's small last one) hardly moves."""
        self._known = False

    def add(self, seconds: float) -> None:
        """A step took so long."""
        self._seconds += seconds
        self._steps += 1
        self.of_late += (seconds - self.of_late) * (_SMOOTHING if self._known else 1.0)
        self._known = True

    def take(self) -> float:
        """The mean since the last call; there was at least one step."""
        mean = self._seconds / self._steps
        self._seconds, self._steps = 0.0, 0
        return mean
