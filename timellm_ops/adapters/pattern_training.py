"""One training in the output of a program that is described by patterns: where it stands.

Programs count in different ways: steps within an epoch, steps of the whole run, or shares of an
epoch beside a progress bar. All of it becomes an epoch and an iteration within it, as far as what
was said allows.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from timellm_ops.adapters.single_training import Whereabouts
from timellm_ops.adapters.training_shape import Shape
from timellm_ops.contract.events import EarlyStopping, EpochEnded

_WHOLE = 5e-4
"""How far from a whole number of epochs a printed share still is one. Four figures are printed."""


class Place(NamedTuple):
    """Both count from 1. `iteration` is 0 where nothing tells it."""

    epoch: int
    iteration: int


class ShapeSaid(NamedTuple):
    """What lines about the training as a whole have said."""

    epochs: int | None = None
    steps_per_epoch: int | None = None
    total_steps: int | None = None


_NOTHING_SAID = ShapeSaid()
_NOWHERE = Place(0, 0)


@dataclass
class PatternTraining:
    """What is known of one training, from the lines so far."""

    said: ShapeSaid = _NOTHING_SAID
    one_epoch: bool = False
    """Nothing will be said of epochs: all steps are of one."""
    epoch: int = 0
    iteration: int = 0
    ended: int = 0
    """The newest epoch whose results were told."""
    announced: tuple[int, int | None, int | None] = (0, None, None)
    """Epoch, its steps and the epochs, as they were last told."""
    over: bool = False
    counted: EarlyStopping | None = None
    results: EpochEnded | None = None
    """Of an evaluation, as long as there may be a later one of the same epoch."""
    _before: Place = _NOWHERE  # of the progress record before the newest
    _loss_sum: float = 0.0  # of the records of this epoch
    _losses: int = 0
    _trained: tuple[int, float] | None = None  # epoch, seconds
    _bar_step: int | None = None
    _bar_total: int | None = None

    @property
    def epochs(self) -> int | None:
        """Of the whole training."""
        epochs, steps, total = self.said
        if self.one_epoch:
            return 1 if total else None
        if epochs is None and steps and total and total % steps == 0:
            return total // steps
        return epochs

    @property
    def steps_per_epoch(self) -> int | None:
        """Of one epoch."""
        epochs, steps, total = self.said
        if self.one_epoch:
            return total
        if steps is None and epochs and total and total % epochs == 0:
            return total // epochs
        return steps

    @property
    def mean_loss(self) -> float:
        """Of the losses that were printed in this epoch; NaN where there were none."""
        return self._loss_sum / self._losses if self._losses else math.nan

    def next_training(self) -> "PatternTraining":
        """The one that begins after this one. Of one that was broken off it has the shape."""
        said = _NOTHING_SAID if self.over else self.said
        return PatternTraining(said=said, one_epoch=self.one_epoch)

    def whereabouts(self) -> Whereabouts:
        """How far it has come."""
        return Whereabouts(
            epoch=self.epoch,
            iteration=self.iteration,
            ended=self.ended,
            shape=Shape(self.epochs, self.steps_per_epoch),
            stopped_early=self.counted is not None and self.counted.stopped,
            over=self.over,
        )

    def shaped(self, epochs: int | None, steps: int | None, total: int | None) -> None:
        """A line told of the training as a whole; what it does not tell stays."""
        before = self.said
        self.said = ShapeSaid(
            epochs or before.epochs, steps or before.steps_per_epoch, total or before.total_steps
        )

    def bar(self, step: int, total: int, *, of_run: bool) -> bool:
        """A progress bar; whether it is the training's, and not an evaluation's.

        The first one is. Of a whole run it keeps its total and never goes back.
        """
        if total <= 0 or step > total:
            return False
        if of_run:
            known = self.said.total_steps or self._bar_total
            if known not in (None, total) or step < (self._bar_step or 0):
                return False
            self.shaped(None, None, total)
        else:
            if self.said.steps_per_epoch not in (None, total):
                return False
            self.shaped(None, total, None)
        self._bar_step, self._bar_total = step, total
        return True

    def place(
        self,
        *,
        epoch: int | None = None,
        epochs_done: float | None = None,
        iteration: int | None = None,
        step: int | None = None,
        total: int | None = None,
    ) -> Place:
        """Where a progress record stands.

        `iteration` counts in its epoch and `step` in the run. Where there is neither, the step is
        that of the progress bar, or follows from `epochs_done`, the epochs with their fraction.
        """
        if total is not None:
            self.shaped(None, None, total)
        if iteration is not None:
            return Place(epoch or _begun(epochs_done) or max(1, self.epoch), iteration)
        if step is None and self.said.total_steps is not None:
            step = self._bar_step
        if step is not None and epochs_done:
            self._learn(step, epochs_done)
        steps = self.steps_per_epoch
        if epochs_done and steps:
            step = _agreed(step, epochs_done * steps)
        if step is None:
            within = self._bar_step if self.said.total_steps is None else None
            return Place(epoch or _begun(epochs_done) or max(1, self.epoch), within or 0)
        if steps:
            known = epoch or max(1, -(-step // steps))
            return Place(known, max(0, step - (known - 1) * steps))
        known = epoch or _begun(epochs_done) or max(1, self.epoch)
        if known == 1:
            return Place(1, step)
        if not epochs_done:
            return Place(known, 0)
        return Place(known, max(0, step - round((known - 1) * step / epochs_done)))

    def _learn(self, step: int, epochs_done: float) -> None:
        """`step` is `epochs_done` epochs: with the run's steps, that tells how many epochs."""
        total = self.said.total_steps
        if self.said.epochs or self.said.steps_per_epoch or not total or step < 1:
            return
        epochs = total * epochs_done / step
        whole = round(epochs)
        if whole >= 1 and total % whole == 0 and abs(epochs - whole) <= 2 * _WHOLE * whole:
            self.shaped(whole, None, None)

    def is_known(self, place: Place) -> bool:
        """Whether the record was there already; several processes may print the same."""
        now = Place(self.epoch, self.iteration)
        return not self.over and place.iteration > 0 and place in (now, self._before)

    def is_of_another(self, place: Place) -> bool:
        """Whether the record goes back, so that another training must have begun."""
        if self.epoch == 0:
            return False
        return (
            self.over
            or place.epoch <= self.ended
            or place.epoch < self.epoch
            or (place.epoch == self.epoch and 0 < place.iteration < self.iteration)
        )

    def began(self, epoch: int) -> None:
        """An epoch begins."""
        self._before = Place(self.epoch, self.iteration)
        self.epoch, self.iteration = epoch, 0
        self._loss_sum, self._losses = 0.0, 0

    def moved(self, iteration: int, loss: float | None) -> None:
        """A progress record of the present epoch; `None`: it tells no loss."""
        if self.iteration:
            self._before = Place(self.epoch, self.iteration)
        self.iteration = iteration
        if loss is not None:
            self._loss_sum, self._losses = self._loss_sum + loss, self._losses + 1

    def trained(self, epoch: int | None, seconds: float | None) -> None:
        """An epoch's training is done, in so many seconds."""
        if seconds is not None:
            self._trained = (epoch or self.epoch, seconds)

    def seconds_of(self, epoch: int) -> float | None:
        """What the training of an epoch has taken, where that was said."""
        if self._trained is None or self._trained[0] != epoch:
            return None
        return self._trained[1]

    def evaluated_epoch(self, epoch: int | None, epochs_done: float | None) -> tuple[int, bool]:
        """Which epoch an evaluation belongs to, and whether it is at that epoch's end."""
        if epochs_done is None:
            return epoch or max(1, self.epoch), True
        whole = round(epochs_done)
        if whole >= 1 and abs(epochs_done - whole) <= _WHOLE * whole:
            return whole, True
        return _begun(epochs_done) or 1, False

    def last_results(self) -> tuple[EpochEnded, ...]:
        """The results that are held, which are their epoch's last."""
        if self.results is None:
            return ()
        results, self.results = self.results, None
        self.ended = max(self.ended, results.epoch)
        return (results,)


def _begun(epochs_done: float | None) -> int | None:
    """The epoch under way after so many epochs: of 1.0 the first, which has just ended."""
    if epochs_done is None:
        return None
    return max(1, math.ceil(epochs_done - _WHOLE))


def _agreed(step: int | None, about: float) -> int:
    """`step` where the share of epochs that was printed allows it: a bar may be an old one."""
    if step is not None and abs(step - about) <= max(1.0, 2 * _WHOLE * about):
        return step
    return round(about)
