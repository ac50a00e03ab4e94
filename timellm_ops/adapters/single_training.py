"""One training in the output of a published script, as far as its lines have come."""

from dataclasses import dataclass, field
from typing import assert_never

from msgspec import Struct

from timellm_ops.adapters.published_lines import CostLine, ProgressLine, PublishedLine, ResultsLine
from timellm_ops.adapters.terminal_output import Bar
from timellm_ops.adapters.training_shape import Shape, ShapeEvidence
from timellm_ops.contract.events import EarlyStopping


class Whereabouts(Struct, frozen=True, kw_only=True):
    """How far a training has come, by its output."""

    epoch: int
    """The newest epoch that was heard of; 0: none."""
    iteration: int
    """Of the newest progress record of that epoch; 0: none."""
    ended: int
    """The newest epoch whose results are there; 0: none."""
    shape: Shape
    stopped_early: bool
    over: bool
    """The script has said that the training is over."""


@dataclass
class SingleTraining:
    """What was said of a training, and whether a line adds to it."""

    epoch: int = 0
    iteration: int = 0
    announced: int = 0
    """The newest epoch that `EpochStarted` was told of."""
    trained: int = 0
    """The newest epoch whose cost line was there."""
    seconds: float = 0.0
    """What that line said."""
    ended: int = 0
    counted: EarlyStopping | None = None
    over: bool = False
    evidence: ShapeEvidence = field(default_factory=ShapeEvidence)
    _interval: int = 0  # iterations between two records
    _bar_began: bool = False  # one that may be an epoch's, since the last line that led on
    _last_bar: Bar | None = None
    _said: set[str] = field(default_factory=set)

    def whereabouts(self) -> Whereabouts:
        """How far it has come."""
        return Whereabouts(
            epoch=self.epoch,
            iteration=self.iteration,
            ended=self.ended,
            shape=self.evidence.shape(),
            stopped_early=self.counted is not None and self.counted.stopped,
            over=self.over,
        )

    def leads_on(self, line: ProgressLine | CostLine | ResultsLine) -> bool:
        """Whether the line tells more of this training than is known."""
        if self.over or line.epoch <= self.ended:
            return False
        match line:
            case ProgressLine():
                return (line.epoch, line.iteration) > (self.epoch, self.iteration)
            case CostLine():
                return line.epoch >= self.epoch and line.epoch != self.trained
            case ResultsLine():
                return True
            case _:
                assert_never(line)

    def is_of_another(self, line: ProgressLine | CostLine | ResultsLine) -> bool:
        """Whether a line that does not lead on belongs to another training, which has begun after
        this one, and is not just another process's word for what is known.

        Processes keep in step, so they repeat only the newest lines. Who begins anew begins with
        epoch 1, or at least with a new progress bar.
        """
        if isinstance(line, ResultsLine):
            return line.epoch == 1 and (self.over or self.ended > 1)
        if isinstance(line, CostLine) and line.epoch > self.ended and not self.over:
            return False
        from_1_again = line.epoch == 1 and (self.ended > 0 or self.epoch > 1)
        return self.over or self._bar_began or from_1_again

    def next_training(self) -> "SingleTraining":
        """The one that a line of another training begins; its first bar may be over already."""
        return SingleTraining(_last_bar=self._last_bar)

    def was_said(self, line: PublishedLine) -> bool:
        """Whether the same line was there since the last that led on; from now on it was."""
        text = repr(line)
        if text in self._said:
            return True
        self._said.add(text)
        return False

    def bar(self, bar: Bar) -> None:
        """A progress bar began or ended. One that begins after an epoch's training and before its
        results is an evaluation's."""
        if bar.closed:
            self._last_bar = bar
        elif self.trained != self.epoch or self.ended >= self.epoch:
            self._bar_began = True

    def progress(self, line: ProgressLine) -> None:
        """A progress record that leads on."""
        self._lead_on(line.epoch)
        self._interval = line.iteration - self.iteration
        self.iteration = line.iteration

    def cost(self, line: CostLine) -> None:
        """An epoch's training is done."""
        self._lead_on(line.epoch)
        if self.iteration > 0:
            self.evidence.epoch_trained(self.iteration, self._interval)
        if self._last_bar is not None:
            bar, self._last_bar = self._last_bar, None
            self.evidence.bar_ended(bar.done, bar.elapsed_s, line.seconds)
        self.trained, self.seconds = line.epoch, line.seconds

    def results(self, line: ResultsLine) -> None:
        """An epoch's evaluation is done."""
        self._lead_on(line.epoch)
        self.ended = line.epoch

    def _lead_on(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.iteration = epoch, 0
        self._bar_began = False
        self._said.clear()
