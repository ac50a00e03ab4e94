"""The loss over the run's steps, as series for the chart, and over its time, as tracks.

Like readings of the GPU, losses are put aside as they come and sorted in when somebody looks.
"""

from timellm_dashboard.folds.series import Series
from timellm_dashboard.folds.track import Track

_WAITING = 512
"""Losses that may wait to be sorted in."""


class LossCourse:
    """Takes losses, each with its step and its `RunState.active_s`. Bounded."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._steps: list[float] = []
        self._batches: list[float] = []
        self._means: list[float | None] = []
        self._furthest = 0.0
        self._loss, self._smoothed = Series(), Series()
        self._losses, self._smoothed_losses = Track(), Track()

    def add(self, at_s: float, step: float, loss: float, smoothed: float | None) -> None:
        """The loss of a step. What lies beyond that step is going to be done again."""
        if step < self._furthest:
            self.rewind(step)
        self._furthest = step
        self._seconds.append(at_s)
        self._steps.append(step)
        self._batches.append(loss)
        self._means.append(smoothed)
        if len(self._steps) >= _WAITING:
            self._sort_in()

    def rewind(self, step: float) -> None:
        """Forget what lies beyond `step`, but not that there was a time in which it was done."""
        self._sort_in()
        self._loss.rewind(step)
        self._smoothed.rewind(step)
        self._furthest = min(step, self._furthest)

    def interrupt(self) -> None:
        """For a time there is no loss: no line goes across it."""
        self._sort_in()
        self._losses.interrupt()
        self._smoothed_losses.interrupt()

    @property
    def loss(self) -> Series:
        """Of the batches, over steps."""
        self._sort_in()
        return self._loss

    @property
    def smoothed(self) -> Series:
        """Its exponential mean, over steps."""
        self._sort_in()
        return self._smoothed

    @property
    def loss_track(self) -> Track:
        """Of the batches, over time."""
        self._sort_in()
        return self._losses

    @property
    def smoothed_track(self) -> Track:
        """Its exponential mean, over time."""
        self._sort_in()
        return self._smoothed_losses

    def _sort_in(self) -> None:
        if not self._steps:
            return
        seconds, steps = self._seconds, self._steps
        self._loss.extend(steps, self._batches)
        self._smoothed.extend(steps, self._means)
        self._losses.extend(seconds, self._batches)
        self._smoothed_losses.extend(seconds, self._means)
        for waiting in (self._seconds, self._steps, self._batches, self._means):
            waiting.clear()
