"""A run's model as it is trained so far: read, nothing changed, while the run goes on or not."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from safetensors import SafetensorError

from timellm_engine.checkpoints.checkpoint import Contents, read_folder
from timellm_engine.checkpoints.snapshot import check_belongs
from timellm_engine.errors import InputError
from timellm_engine.training.build import Job, build
from timellm_ops.contract.checkpoint_names import in_place, previous_name
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout

Device = Literal["auto", "cpu", "cuda"]
_ATTEMPTS = 20
_BETWEEN_S = 0.05
"""How often, and how long, a checkpoint that is being replaced is waited for."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model with its trained weights, in evaluation mode, and what it was trained on."""

    run_id: str
    checkpoint: str
    job: Job
    epoch: int
    iteration: int
    """Steps of `epoch` that the weights have seen."""


def load_trained(
    layout: RunLayout, config: Config, checkpoint: str, device: Device | None = None
) -> Trained:
    """The model of the run in `layout` with the weights of one of its checkpoints.

    `device` stands for `train.device`, which has no part in the result. Raises `InputError` for
    a checkpoint that is missing, damaged, or of other settings, data or backbone than are here
    now; and what `build` raises.
    """
    contents = read_checkpoint(layout.checkpoints, checkpoint)
    if device is not None:
        train = msgspec.structs.replace(config.train, device=device)
        config = msgspec.structs.replace(config, train=train)
    job = build(config)
    check_belongs(contents, job.identity)
    try:
        job.model.load_trainable_state(contents.tensors["weights"])
    except (KeyError, ValueError) as error:
        found = f"weights of another model ({error})"
        raise InputError(f"checkpoints/{checkpoint}", found, "those of this run") from None
    job.model.eval()
    return Trained(
        run_id=layout.run_id,
        checkpoint=checkpoint,
        job=job,
        epoch=contents.epoch,
        iteration=contents.iteration,
    )


def read_checkpoint(root: Path, name: str) -> Contents:
    """The checkpoint `name` below `root`, whole, though its run may be replacing it just now.

    Raises `InputError` where there is none, or a damaged one.
    """
    if Path(name).name != name or name.startswith("."):
        raise InputError("the checkpoint", f'"{name}"', _others(root, name))
    folder, previous = root / name, root / previous_name(name)
    for attempt in range(_ATTEMPTS):
        before = _which(folder)
        problem = ""
        try:
            contents = read_folder(folder)
        except (OSError, ValueError, SafetensorError) as error:
            problem = " ".join(str(error).split())
        if before is not None and _which(folder) == before:
            if not problem:
                return contents
            raise InputError(str(folder), f"a damaged checkpoint ({problem})", _others(root, name))
        if attempt > 0 and before is None and not previous.is_dir():
            break  # nor is it between two renames
        time.sleep(_BETWEEN_S)
    try:
        return read_folder(previous)  # a writer was killed between its two renames
    except (OSError, ValueError, SafetensorError):
        raise InputError(str(folder), "no checkpoint", _others(root, name)) from None


def checkpoint_names(root: Path) -> list[str]:
    """The checkpoints that are in place below `root`: best, last, and saves by step."""
    try:
        found = {folder.name for folder in root.iterdir() if folder.is_dir()}
    except OSError:
        return []
    return in_place(found)


def _others(root: Path, name: str) -> str:
    names = [other for other in checkpoint_names(root) if other != name]
    return f"one of {', '.join(names)}" if names else "a run that has saved its weights once"


def _which(folder: Path) -> tuple[int, int] | None:
    """What tells this folder from another one that took its name."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
