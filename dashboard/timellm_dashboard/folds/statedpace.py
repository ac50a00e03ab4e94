"""How long a step takes by the engine's own words: for a log without a clock, there is no more.

The seconds of whole epochs say it best. A script that starts its stopwatch anew with every reading
lets the evaluation run into the first one of an epoch, so of readings only the later ones count.
"""

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState


class StatedPace:
    """Folds what is said of epochs and of steps."""

    def __init__(self) -> None:
        self._epoch_s = self._reading_s = 0.0
        self._epoch_steps = self._reading_steps = 0
        self._place = (0, 0)

    @property
    def mean_s(self) -> float | None:
        """Seconds from step to step, over all that was said; `None`: nothing was."""
        if self._epoch_steps:
            return self._epoch_s / self._epoch_steps
        return self._reading_s / self._reading_steps if self._reading_steps else None

    def progress(self, event: ev.Progress) -> None:
        """A reading, of the steps since the one before."""
        epoch, iteration = self._place
        self._place = (event.epoch, event.iteration)
        steps = event.iteration - iteration
        if event.epoch == epoch and steps > 0 and event.seconds_per_iteration is not None:
            self._reading_s += steps * event.seconds_per_iteration
            self._reading_steps += steps

    def epoch_ended(self, event: ev.EpochEnded, after: RunState) -> None:
        """An epoch is over, of which `after` knows how many steps it had."""
        if event.seconds and event.seconds > 0 and after.steps_per_epoch:
            self._epoch_s += event.seconds
            self._epoch_steps += after.steps_per_epoch
