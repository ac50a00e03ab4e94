"""The output of the published training scripts as events.

It holds no times, so the events have none. Lines of several processes, and of several trainings
one after the other, may be in it: what was said already is not said again, and a training that
begins anew is told from one that is repeated.
"""

import math
from collections.abc import Iterable
from typing import assert_never

from timellm_ops.adapters.published_lines import (
    CostLine,
    CounterLine,
    DeletedLine,
    ProgressLine,
    PublishedLine,
    RateLine,
    ResultsLine,
    SavingLine,
    SpeedLine,
    StoppingLine,
)
from timellm_ops.adapters.single_training import SingleTraining, Whereabouts
from timellm_ops.adapters.terminal_output import Bar, Said, TerminalOutput
from timellm_ops.contract import events as ev

ANOTHER_TRAINING = "another training begins here: its epochs count from 1 again"
CHECKPOINTS_DELETED = "the script says that it has deleted its checkpoints folder"


class PublishedLog:
    """Takes the output in chunks, split anywhere, and gives the events they complete.

    Each event comes with how many bytes of the output it accounts for; no two have the same. The
    events depend on the bytes alone, never on how they were split.
    """

    def __init__(self) -> None:
        self._output = TerminalOutput()
        self._training = SingleTraining()
        # Said, but its other half, or what replaces it, may follow.
        self._held: tuple[ev.Progress | ev.LearningRateChanged, int] | None = None
        self._found: list[tuple[ev.Event, int]] = []

    def feed(self, data: bytes) -> list[tuple[ev.Event, int]]:
        """The events that are complete with these bytes, in order."""
        return self._take(self._output.feed(data))

    def finish(self) -> list[tuple[ev.Event, int]]:
        """The events of a last line without an end. Nothing may be fed after this."""
        found = self._take(self._output.finish())
        self._release()
        return found + self._handed_out()

    def whereabouts(self) -> Whereabouts:
        """How far the last training in the output has come."""
        return self._training.whereabouts()

    def _take(self, items: Iterable[Said | Bar]) -> list[tuple[ev.Event, int]]:
        for item in items:
            if isinstance(item, Bar):
                self._training.bar(item)
            else:
                self._line(item.line, item.end)
        return self._handed_out()

    def _handed_out(self) -> list[tuple[ev.Event, int]]:
        found, self._found = self._found, []
        return found

    def _line(self, line: PublishedLine, end: int) -> None:
        match line:
            case SpeedLine():
                self._speed(line)
            case ProgressLine() | CostLine() | ResultsLine():
                self._epoch_line(line, end)
            case _:
                if not self._training.was_said(line):
                    self._other_line(line, end)

    def _epoch_line(self, line: ProgressLine | CostLine | ResultsLine, end: int) -> None:
        """A line that leads on, or begins another training, or repeats what is known."""
        if not self._training.leads_on(line):
            if not self._training.is_of_another(line):
                return
            self._release()
            self._training = self._training.next_training()
            self._add(ev.Alert(level="info", message=ANOTHER_TRAINING), end - 2)
        self._release()
        match line:
            case ProgressLine():
                self._training.progress(line)
                progress = ev.Progress(iteration=line.iteration, epoch=line.epoch, loss=line.loss)
                self._held = (progress, end)
            case CostLine():
                self._announce(line.epoch, end)
                self._training.cost(line)
            case ResultsLine():
                self._announce(line.epoch, end)
                self._training.results(line)
                self._add(self._epoch_ended(line), end)
            case _:
                assert_never(line)

    def _speed(self, line: SpeedLine) -> None:
        """The other half of the progress record that is held; repeated ones find none."""
        progress, end = self._held or (None, 0)
        if not isinstance(progress, ev.Progress):
            return
        self._held = None
        pace_s, left_s = line.seconds_per_iteration, line.left_seconds
        self._training.evidence.progress(progress.epoch, progress.iteration, pace_s, left_s)
        self._announce(progress.epoch, end)
        whole = ev.Progress(
            iteration=progress.iteration,
            epoch=progress.epoch,
            loss=progress.loss,
            seconds_per_iteration=_finite(pace_s),
            left_seconds=_finite(left_s),
        )
        self._add(whole, end)

    def _epoch_ended(self, line: ResultsLine) -> ev.EpochEnded:
        known = self._training.trained == line.epoch
        return ev.EpochEnded(
            epoch=line.epoch,
            train_mse=line.train_mse,
            vali_mse=line.vali_mse,
            test_mse=line.test_mse,
            test_mae=line.test_mae,
            seconds=_finite(self._training.seconds) if known else None,
        )

    def _other_line(
        self, line: RateLine | SavingLine | CounterLine | StoppingLine | DeletedLine, end: int
    ) -> None:
        """A line that may follow an epoch's results."""
        if isinstance(line, RateLine):
            self._rate(line, end)
            return
        self._release()
        match line:
            case SavingLine():
                writing = ev.CheckpointWriting(
                    kind="best",
                    epoch=self._training.epoch or None,
                    vali_mse=_finite(line.vali_mse),
                    previous_vali_mse=_finite(line.previous_vali_mse),
                )
                self._add(writing, end)
            case CounterLine():
                self._counted(line.counter, line.patience, end)
            case StoppingLine():
                self._training.over = True
                counted = self._training.counted
                if counted is not None and not counted.stopped:
                    self._counted(counted.counter, counted.patience, end)
            case DeletedLine():
                self._training.over = True
                self._add(ev.Alert(level="warning", message=CHECKPOINTS_DELETED), end)
            case _:
                assert_never(line)

    def _rate(self, line: RateLine, end: int) -> None:
        held, _ = self._held or (None, 0)
        if line.updating and isinstance(held, ev.LearningRateChanged):
            self._held = None
        self._release()
        lr = _finite(line.lr)
        if lr is None:
            return
        if line.updating:
            self._add(ev.LearningRateChanged(lr=lr), end)
        else:
            self._held = (ev.LearningRateChanged(lr=lr), end)

    def _counted(self, counter: int, patience: int, end: int) -> None:
        stopped = self._training.over or counter >= patience
        counted = ev.EarlyStopping(counter=counter, patience=patience, stopped=stopped)
        self._training.counted = counted
        self._add(counted, end)

    def _announce(self, epoch: int, end: int) -> None:
        """Tell that an epoch has begun, before the first that is told of it."""
        training = self._training
        if training.announced == epoch:
            return
        training.announced = epoch
        shape = training.evidence.shape()
        self._add(ev.EpochStarted(epoch=epoch, steps=shape.steps, epochs=shape.epochs), end - 1)

    def _release(self) -> None:
        """What was held back will not become more than it is."""
        if self._held is None:
            return
        (event, end), self._held = self._held, None
        if isinstance(event, ev.Progress):
            self._announce(event.epoch, end)
        self._add(event, end)

    def _add(self, event: ev.Event, end: int) -> None:
        self._found.append((event, end))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
