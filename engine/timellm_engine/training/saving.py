"""When checkpoints are written, and what is said of it."""

from collections.abc import Callable

import torch

from timellm_engine.checkpoints.checkpoint import (
    CheckpointError,
    Contents,
    Saved,
    Storage,
)
from timellm_engine.checkpoints.snapshot import Position
from timellm_engine.clock import Clock
from timellm_engine.emit import Emitter
from timellm_engine.errors import EngineError, TrainingError
from timellm_engine.training.evaluate import Errors
from timellm_ops.contract import events as ev
from timellm_ops.contract.bundle import Exported
from timellm_ops.contract.checkpoint_names import kind_of, step_name
from timellm_ops.contract.config import CheckpointSection


class Saver:
    """Writes `best`, `last` and `step-N`, says so, and keeps what a full disk has refused."""

    def __init__(
        self,
        storage: Storage,
        emitter: Emitter,
        clock: Clock,
        section: CheckpointSection,
        steps_per_epoch: int,
        take_best: Callable[[Position], Contents],
        take_last: Callable[[Position], Contents],
        make_bundle: Callable[[int, Errors | None], Exported],
    ) -> None:
        self._storage, self._emitter, self._clock = storage, emitter, clock
        self._section, self._steps_per_epoch = section, steps_per_epoch
        self._take_best, self._take_last = take_best, take_last
        self._make_bundle = make_bundle
        self._last_try_t = clock.monotonic()
        self._unsaved_best: tuple[Contents, float | None] | None = None
        self._last_refused = False
        self.standing = "none of this start"
        """The newest checkpoint that is durable, in words."""
        self._problem = ""
        """Why the latest one that was not written was not."""

    def due(self, position: Position) -> bool:
        """Whether `last` is older than the config wants it to be, in time or in steps."""
        since_s = self._clock.monotonic() - self._last_try_t
        return since_s >= 60.0 * self._section.every_minutes or self._is_kept(position)

    def _step(self, position: Position) -> int:
        return (position.epoch - 1) * self._steps_per_epoch + position.iteration

    def _is_kept(self, position: Position) -> bool:
        """Whether `every_steps` falls on this one. The count goes on over epochs and starts."""
        every = self._section.every_steps
        return every is not None and self._step(position) % every == 0

    @property
    def unsaved_best(self) -> Contents | None:
        """The best weights, where the disk has refused them."""
        return None if self._unsaved_best is None else self._unsaved_best[0]

    @property
    def all_saved(self) -> bool:
        """Whether the disk has taken all that it was given to keep, `best` and `last`."""
        return self._unsaved_best is None and not self._last_refused

    def best(self, position: Position, previous_mse: float | None) -> bool:
        """Save the weights as the best so far; whether they are durable.

        Where they cannot be written, a copy is kept and tried again with the next `last`.
        """
        contents = self._take_best(position)
        _refuse_broken(contents)
        if self._write("best", contents, position.best_vali_mse, previous_mse):
            self._unsaved_best = None
            return True
        self._unsaved_best = (_copied(contents), position.best_vali_mse)
        return False

    def last(self, position: Position, *, leaving: bool = False) -> bool:
        """Save everything that is needed to go on from `position`; whether it is durable.

        `leaving`: there will be no other try.

        Where `every_steps` falls on it, it is kept as `step-N` besides, and the oldest of those
        is removed once the new one is durable.
        """
        contents = self._take_last(position)
        _refuse_broken(contents)
        if self._unsaved_best is not None:
            best, vali_mse = self._unsaved_best
            if self._write("best", best, vali_mse, leaving=leaving):
                self._unsaved_best = None
        saved = self._write("last", contents, leaving=leaving)
        self._last_refused = not saved
        keep = self._section.keep
        if saved and keep and position.iteration and self._is_kept(position):
            name = step_name(self._step(position))
            if self._write(name, contents):
                self._storage.keep(keep)
        self._last_try_t = self._clock.monotonic()
        return saved

    def last_or_fail(self, position: Position) -> None:
        """Save `last` because training stops here. Raises `TrainingError` where that fails."""
        if not self.last(position, leaving=True):
            raise TrainingError(
                f"the checkpoint of epoch {position.epoch}, step {position.iteration} could not "
                f"be written ({self._problem}); what was saved before stays: {self.standing}"
            )
        if self._unsaved_best is not None:
            raise TrainingError(
                f"the best weights, of epoch {self._unsaved_best[0].epoch}, could not be written "
                f"({self._problem}); what was saved before stays: {self.standing}"
            )

    def bundle(self, epoch: int, test: Errors | None) -> None:
        """Make the inference bundle of the weights that are in the model, those of `epoch`'s end.

        A run does not fail of it: it can be made of the checkpoint at any time.
        """
        try:
            made = self._make_bundle(epoch, test)
        except EngineError as error:
            message = f"{error}; make it later: timellm-ops export"
            self._emitter.alert(message)
            return
        self._emitter.line(f"Inference bundle: {made.path} ({made.bytes} bytes)")

    def stands(self, name: str, contents: Contents) -> None:
        """Training goes on from `contents`, which is on disk under this name."""
        self.standing = _in_words(name, contents)

    def _write(
        self,
        name: str,
        contents: Contents,
        vali_mse: float | None = None,
        previous_mse: float | None = None,
        *,
        leaving: bool = False,
    ) -> bool:
        kind, epoch, iteration = kind_of(name), contents.epoch, contents.iteration
        self._emitter.event(
            ev.CheckpointWriting(
                kind=kind,
                epoch=epoch,
                iteration=iteration,
                vali_mse=vali_mse,
                previous_vali_mse=previous_mse,
            )
        )
        try:
            saved = self._storage.save(name, contents)
        except CheckpointError as error:
            self._problem = str(error)
            message = f"{error}; {self._what_then(name, leaving=leaving)}"
            self._emitter.event(ev.CheckpointFailed(kind=kind, message=message))
            self._emitter.line(f"Checkpoint {name} was not written: {message}")
            return False
        self.standing = _in_words(name, contents)
        self.tell(name, contents, saved, vali_mse)
        return True

    def tell(
        self, name: str, contents: Contents, saved: Saved, vali_mse: float | None = None
    ) -> None:
        """Put on record that a checkpoint is durable."""
        self._emitter.event(
            ev.CheckpointSaved(
                kind=kind_of(name),
                path=str(saved.path),
                bytes=saved.bytes,
                sha256=saved.sha256,
                epoch=contents.epoch,
                iteration=contents.iteration,
                vali_mse=vali_mse,
            )
        )
        self._emitter.line(f"Checkpoint {name} is on disk: {saved.path} ({saved.bytes} bytes)")

    def _what_then(self, name: str, *, leaving: bool) -> str:
        """What stands meanwhile, and when the writing is tried again."""
        stands = f"what was saved before stays ({self.standing})"
        if leaving or name not in ("best", "last"):
            return stands
        minutes = f"{self._section.every_minutes:g} min"
        return f"{stands}; it is tried again within {minutes} and at the epoch's end"


def _in_words(name: str, contents: Contents) -> str:
    return f"`{name}` of epoch {contents.epoch}, step {contents.iteration}"


def _refuse_broken(contents: Contents) -> None:
    """Weights that are no numbers are never saved: the last good ones stay."""
    for name, tensor in contents.tensors["weights"].items():
        if not bool(torch.isfinite(tensor).all()):
            raise TrainingError(
                f"the weights of {name} are no longer finite in epoch {contents.epoch}, step "
                f"{contents.iteration}; they were not saved"
            )


def _copied(contents: Contents) -> Contents:
    return Contents(
        epoch=contents.epoch,
        iteration=contents.iteration,
        tensors={
            file: {name: tensor.clone() for name, tensor in tensors.items()}
            for file, tensors in contents.tensors.items()
        },
        state=contents.state,
        digests=contents.digests,
    )
