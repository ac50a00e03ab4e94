"""When checkpoints are written, and what is said of it."""

from collections.abc import Callable

import torch

from timellm_engine.checkpoint import CheckpointError, Contents, Storage
from timellm_engine.clock import Clock
from timellm_engine.emit import Emitter
from timellm_engine.errors import TrainingError
from timellm_engine.snapshot import Position
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import CheckpointKind


class Saver:
    """Writes `best` and `last`, says so, and keeps what a full disk has refused."""

    def __init__(
        self,
        storage: Storage,
        emitter: Emitter,
        clock: Clock,
        every_s: float,
        take_best: Callable[[Position], Contents],
        take_last: Callable[[Position], Contents],
    ) -> None:
        self._storage, self._emitter, self._clock = storage, emitter, clock
        self._every_s = every_s
        self._take_best, self._take_last = take_best, take_last
        self._last_try_t = clock.monotonic()
        self._unsaved_best: tuple[Contents, float | None] | None = None
        self.standing = "none of this start"
        """The newest checkpoint that is durable, in words."""

    @property
    def due(self) -> bool:
        """Whether `last` is older than the config wants it to be."""
        return self._clock.monotonic() - self._last_try_t >= self._every_s

    @property
    def unsaved_best(self) -> Contents | None:
        """The best weights, where the disk has refused them."""
        return None if self._unsaved_best is None else self._unsaved_best[0]

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

    def last(self, position: Position) -> bool:
        """Save everything that is needed to go on from `position`; whether it is durable."""
        contents = self._take_last(position)
        _refuse_broken(contents)
        if self._unsaved_best is not None:
            best, vali_mse = self._unsaved_best
            if self._write("best", best, vali_mse):
                self._unsaved_best = None
        saved = self._write("last", contents)
        self._last_try_t = self._clock.monotonic()
        return saved

    def last_or_fail(self, position: Position) -> None:
        """Save `last` because training stops here. Raises `TrainingError` where that fails."""
        if not self.last(position):
            raise TrainingError(
                f"the checkpoint of epoch {position.epoch}, step {position.iteration} could not "
                f"be written; what was saved before stays: {self.standing}"
            )

    def stands(self, contents: Contents) -> None:
        """Training goes on from `contents`, which is on disk."""
        self.standing = _name("last", contents)

    def _write(
        self,
        kind: CheckpointKind,
        contents: Contents,
        vali_mse: float | None = None,
        previous_mse: float | None = None,
    ) -> bool:
        epoch, iteration = contents.epoch, contents.iteration
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
            saved = self._storage.save(kind, contents)
        except CheckpointError as error:
            self._emitter.event(ev.CheckpointFailed(kind=kind, message=str(error)))
            self._emitter.line(f"Checkpoint {kind} was not written: {error}")
            return False
        self.standing = _name(kind, contents)
        self._emitter.event(
            ev.CheckpointSaved(
                kind=kind,
                path=str(saved.path),
                bytes=saved.bytes,
                sha256=saved.sha256,
                epoch=epoch,
                iteration=iteration,
                vali_mse=vali_mse,
            )
        )
        self._emitter.line(f"Checkpoint {kind} is on disk: {saved.path} ({saved.bytes} bytes)")
        return True


def _name(kind: CheckpointKind, contents: Contents) -> str:
    return f"`{kind}` of epoch {contents.epoch}, step {contents.iteration}"


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
