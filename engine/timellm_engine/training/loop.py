"""Training, from the first step to the tested model. Read it from top to bottom.

The order of things at an epoch's end is the published code's: evaluate, report, save if better,
change the learning rate. Every step and every batch of evaluation begins at a boundary, where the
supervisor's wishes are obeyed; a stop is an exception, so it can come from inside of either.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import msgspec
import torch
from torch import Tensor

from timellm_engine.checkpoints.checkpoint import Storage
from timellm_engine.checkpoints.snapshot import Position
from timellm_engine.clock import Clock, Throttle
from timellm_engine.data.windows import Windows, epoch_order, in_batches, with_next
from timellm_engine.emit import Emitter
from timellm_engine.errors import TrainingError
from timellm_engine.training import published
from timellm_engine.training.beginning import begin_head
from timellm_engine.training.between import REPORT_EVERY_S, Between
from timellm_engine.training.build import Job
from timellm_engine.training.control import Controls, Leave, StopNow
from timellm_engine.training.determinism import refused_kernel
from timellm_engine.training.evaluate import Errors, evaluate
from timellm_engine.training.final import Ending
from timellm_engine.training.forecast_speed import windows_per_second
from timellm_engine.training.saving import Saver
from timellm_engine.training.schedule import pace
from timellm_engine.training.speed import Speed
from timellm_engine.training.step import Losses, NotFinite, Stepper
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import Split

LONGEST_WAIT_S = 60.0
"""At a run's end, what a full disk has refused is tried again so often at least."""
TRIED_AFTER_STEPS = 3
"""Forecasts are timed once so many steps were made, which have warmed everything up."""

Result = TypeVar("Result")

_replace = msgspec.structs.replace


class Trainer:
    """One run of the engine over a job, from `position` on."""

    def __init__(
        self,
        job: Job,
        position: Position,
        saver: Saver,
        storage: Storage,
        emitter: Emitter,
        controls: Controls,
        clock: Clock,
    ) -> None:
        self.job, self.position = job, position
        self.saver, self.storage = saver, storage
        self.emitter, self.controls, self.clock = emitter, controls, clock
        self.train, self.model = job.config.train, job.model
        self.steps = job.steps_per_epoch
        self.stepper = Stepper(self.train, job.model, job.optimiser, job.trainable, finer=job.finer)
        self._report = Throttle(clock, REPORT_EVERY_S)
        self._steps_made = 0
        self._windows_per_second: float | None = None
        self._said_why = False

    def run(self) -> None:
        """Train until the best model is tested, or until told to stop; then `last` is on disk.

        Raises `TrainingError` where training cannot go on, and `PreflightError` where it must be
        repeatable and cannot be.
        """
        if self.position.evaluated and not self.position.over:
            self._begin_next_epoch()
        at = self.position
        self.emitter.event(self.job.announcement(at.epoch, at.iteration))
        try:
            begin_head(self.job, self.position, self.emitter, self.controls, self.clock)
            while not self.position.over:
                self.train_epoch()
                self.conclude_epoch()
            self._save_what_was_refused()
            self.stepper.forget_recordings()
            Ending(self.job, self.position, self.saver, self.storage, self.emitter).make(
                lambda: self._evaluate(self.job.data.test, "test")[0]
            )
        except StopNow as stop:
            self.saver.last_or_fail(self.position)
            at = self.position
            self.emitter.line(f"Stopped in epoch {at.epoch} after step {at.iteration}: {stop}")
        except Leave as leave:
            self.emitter.line(f"Stopped after a checkpoint: {leave}")
        except RuntimeError as error:
            refusal = refused_kernel(error)
            if refusal is None:
                raise
            raise refusal from error

    # --- an epoch's steps ------------------------------------------------------------------------

    def train_epoch(self) -> None:
        """The steps of the epoch that are left, all of them or none."""
        epoch, windows = self.position.epoch, self.job.data.train
        self.emitter.event(ev.EpochStarted(epoch=epoch, steps=self.steps))
        order = epoch_order(self.job.config.run.seed, epoch, len(windows))
        order = order[: self.steps * self.train.batch_size]
        printed, reported = Speed(), Speed()
        self.model.train()
        pieces = in_batches(order, self.train.batch_size, first=self.position.iteration)
        for (x, y), following in with_next(windows.batch(numbers) for numbers in pieces):
            self.controls.boundary()
            began = self.clock.monotonic()
            loss, mse = self.step(x, y, None if following is None else following[0])
            self.controls.rest(self.clock.monotonic() - began)
            took = self.clock.monotonic() - began

            iteration = self.position.iteration + 1
            self.position = _replace(
                self.position,
                iteration=iteration,
                loss_sum=self.position.loss_sum + loss,
                mse_sum=self.position.mse_sum + mse,
                train_seconds=self.position.train_seconds + took,
            )
            printed.add(took)
            reported.add(took)
            logged = iteration % self.train.log_every == 0
            if self._report.due(always=logged or iteration in (1, self.steps)):
                self.emitter.event(self._progress(loss, reported.take(), reported.of_late))
            if logged:
                speed_s = printed.take()
                left = published.steps_left(self.train.epochs, self.steps, epoch, iteration)
                self.emitter.line(
                    published.progress_lines(iteration, epoch, loss, speed_s, speed_s * left)
                )
            if self.saver.due(self.position) and iteration < self.steps:
                self._save_last()
            self._steps_made += 1
            self._say_what_is_slower()
            if self._steps_made == TRIED_AFTER_STEPS:
                self._try_forecasting()

    def step(self, x: Tensor, y: Tensor, upcoming: Tensor | None = None) -> Losses:
        """One step on windows `[batch, seq_len]` and their horizons; the losses before it.

        `upcoming` are the windows of the next one. Raises `TrainingError` for a loss that is no
        number, before anything is changed by it.
        """
        try:
            at_pace = pace(self.train, self.steps, self._global_step)
            return self.stepper.take(x, y, at_pace, upcoming)
        except NotFinite as error:
            at = self.position
            raise TrainingError(
                f"{error} in epoch {at.epoch}, step {at.iteration + 1}; what was saved before "
                f"stays: {self.saver.standing}"
            ) from None

    @property
    def _global_step(self) -> int:
        return (self.position.epoch - 1) * self.steps + self.position.iteration

    def _progress(self, loss: float, speed_s: float, of_late_s: float) -> ev.Progress:
        return ev.Progress(
            iteration=self.position.iteration,
            epoch=self.position.epoch,
            loss=loss,
            seconds_per_iteration=speed_s,
            left_seconds=self._left_seconds(of_late_s),
            lr=self.job.optimiser.param_groups[0]["lr"],
            grad_norm=self.stepper.gradient_norm,
        )

    def _left_seconds(self, speed_s: float) -> float:
        """The rest of the run if it is not ended early: steps, evaluations and the final test."""
        data, at, cadence = self.job.data, self.position, self.train.test
        steps = self.train.epochs * self.steps - self._global_step
        evaluations = self.train.epochs - at.epoch + 1
        windows = len(data.vali) + (len(data.test) if cadence == "each_epoch" else 0)
        final = len(data.test) if cadence == "end" else 0
        one_s = at.evaluation_seconds
        if one_s is None and self._windows_per_second is not None:
            one_s = windows / self._windows_per_second
        if one_s is None:  # a window without its backward pass is about a third of the work
            one_s = windows * speed_s / self.train.batch_size / 3
        return steps * speed_s + one_s * (evaluations + final / windows)

    def _say_what_is_slower(self) -> None:
        """Than it could be, and why: once, as soon as it is known."""
        why = self.stepper.not_captured
        if why is None and self._steps_made == 1 and self.job.model.reading_ahead() is None:
            self.emitter.line(
                "Prompts are read together with the patches in every step: with this backbone "
                "they cannot be read ahead"
            )
        if why is not None and not self._said_why:
            self._said_why = True
            self.emitter.line(f"Steps are launched kernel by kernel: {why}")

    def _with_room(self, work: Callable[[], Result]) -> Result:
        """What `work` gives; once more without recorded steps where memory was wanting."""
        try:
            return work()
        except torch.OutOfMemoryError:
            if not self.stepper.forget_recordings():
                raise
        return work()

    def _try_forecasting(self) -> None:
        """Find out what an evaluation will take, unless one was measured already."""
        if self.position.evaluation_seconds is not None:
            return
        self._windows_per_second = self._with_room(
            lambda: windows_per_second(self.job, self.job.data.vali, self.clock)
        )
        if self._windows_per_second is not None:
            self.emitter.event(ev.ForecastsTimed(windows_per_second=self._windows_per_second))

    # --- an epoch's end --------------------------------------------------------------------------

    def conclude_epoch(self) -> None:
        """Evaluate, report, save, and set the learning rate of the next epoch."""
        epoch, data = self.position.epoch, self.job.data
        self.emitter.line(published.cost_line(epoch, self.position.train_seconds))
        vali, vali_s = self._evaluate(data.vali, "vali")
        test, test_s = None, 0.0
        if self.train.test == "each_epoch":
            test, test_s = self._evaluate(data.test, "test")
        evaluation_s = vali_s + test_s
        if not math.isfinite(vali.mse):
            raise TrainingError(
                f"the validation loss is {vali.mse} in epoch {epoch}; what was saved before "
                f"stays: {self.saver.standing}"
            )
        train_loss, train_mse = (
            total / self.steps for total in (self.position.loss_sum, self.position.mse_sum)
        )
        told = test or Errors(math.nan, math.nan)
        self.emitter.line(published.epoch_line(epoch, train_loss, vali.mse, told.mse, told.mae))
        self.emitter.event(
            ev.EpochEnded(
                epoch=epoch,
                train_mse=train_mse,
                train_loss=None if self.train.loss == "mse" else train_loss,
                vali_mse=vali.mse,
                vali_mae=vali.mae,
                test_mse=None if test is None else test.mse,
                test_mae=None if test is None else test.mae,
                seconds=self.position.train_seconds,
                evaluation_seconds=evaluation_s,
                lr=pace(self.train, self.steps, self._global_step - 1).lr,
            )
        )
        previous_mse = self.position.best_vali_mse
        better = previous_mse is None or (
            vali.mse < previous_mse and previous_mse - vali.mse >= self.train.min_delta
        )
        counter = 0 if better else self.position.early_counter + 1
        exhausted = counter >= self.train.patience
        self.position = _replace(
            self.position,
            evaluated=True,
            over=exhausted or epoch >= self.train.epochs,
            evaluation_seconds=evaluation_s,
            best_epoch=epoch if better else self.position.best_epoch,
            best_vali_mse=vali.mse if better else previous_mse,
            best_test=_known(test) if better else self.position.best_test,
            early_counter=counter,
        )
        if better:
            self.emitter.line(published.improvement_line(previous_mse, vali.mse))
            self.saver.best(self.position, previous_mse)
        else:
            self.emitter.line(published.counter_line(counter, self.train.patience))
            self.emitter.event(
                ev.EarlyStopping(counter=counter, patience=self.train.patience, stopped=exhausted)
            )
        if exhausted:
            self.emitter.line(published.EARLY_STOPPING_LINE)
        else:
            self._announce_rate()
        self._save_last()
        if not self.position.over:
            self._begin_next_epoch()

    def _announce_rate(self) -> None:
        before = pace(self.train, self.steps, self._global_step - 1).lr
        after = pace(self.train, self.steps, self._global_step).lr
        self.emitter.line(published.rate_line(after))
        if after != before:
            self.emitter.event(ev.LearningRateChanged(lr=after))

    def _begin_next_epoch(self) -> None:
        self.position = _replace(
            self.position,
            epoch=self.position.epoch + 1,
            iteration=0,
            evaluated=False,
            loss_sum=0.0,
            mse_sum=0.0,
            train_seconds=0.0,
        )

    def _evaluate(self, windows: Windows, split: Split) -> tuple[Errors, float]:
        """The model's errors, and the seconds it took, pauses not counted.

        Between two batches the supervisor is obeyed as between two steps.
        """
        return self._with_room(lambda: self._evaluated(windows, split))

    def _evaluated(self, windows: Windows, split: Split) -> tuple[Errors, float]:
        total = len(windows)

        def told(done: int) -> None:
            if self._report.due(always=done in (0, total)):
                self.emitter.event(
                    ev.EvaluationProgress(
                        split=split, done=done, total=total, epoch=self.position.epoch
                    )
                )

        between = Between(self.controls, self.clock, total, told)
        errors = evaluate(self.model, windows, self.train.eval_batch_size, between)
        return errors, between.spent_s

    def _save_what_was_refused(self) -> None:
        """Training is over, and what a full disk has refused would be lost with this process: it
        is tried again until there is room, as long as there is a supervisor to wait for it."""
        wait_s = 1.0
        while not self.saver.all_saved and self.controls.wait(wait_s):
            self._save_last()
            wait_s = min(LONGEST_WAIT_S, 2.0 * wait_s)

    def _save_last(self) -> None:
        if self.saver.last(self.position):
            self.controls.saved()


def _known(test: Errors | None) -> tuple[float, float] | None:
    """What can be written down of a test: JSON has no numbers that are not finite."""
    return test if test is not None and all(map(math.isfinite, test)) else None
