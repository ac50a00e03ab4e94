"""Checkpoints as folders that are whole or not there, whatever happens while they are written.

`checkpoints/best`, `checkpoints/last` and `checkpoints/step-N` each hold safetensors files,
`state.json`, and a `manifest.json` with the size and SHA-256 of every other file, written last. A
new one is written aside and renamed into place; of `best` and `last` the one before stays as
`.previous-…` until the next is begun, so a valid one exists at every instant, and there is one to
go back to when a disk has altered the newest. Nothing is ever unpickled.
"""

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from timellm_engine.durable import (
    FileEntry,
    aside_of,
    described,
    discard,
    put_in_place,
    sync,
    synced,
    why_not_written,
)
from timellm_engine.errors import one_line
from timellm_ops.contract.checkpoint_names import (
    BROKEN,
    PREVIOUS,
    STEP,
    kind_of,
    previous_name,
    step_name,
    step_of,
)
from timellm_ops.contract.events import CheckpointKind

FORMAT = 1
_STATE, _MANIFEST = "state.json", "manifest.json"


class CheckpointError(Exception):
    """A checkpoint could not be written. The one before it stands. The text is one line."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a checkpoint holds."""

    epoch: int
    iteration: int
    """Steps of `epoch` that are done."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """Named tensors by the name of their file, without `.safetensors`."""
    state: bytes
    """JSON, for whoever made the checkpoint."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of what it belongs to: `config`, `data` and `backbone`."""


class Saved(Struct, frozen=True, kw_only=True):
    """Where a checkpoint lies, durable."""

    path: Path
    bytes: int
    sha256: str
    """Of the manifest, which has those of all files."""


class Manifest(Struct, frozen=True, kw_only=True):
    """The whole of a checkpoint's `manifest.json`."""

    format: int
    kind: CheckpointKind
    epoch: int
    iteration: int
    digests: dict[str, str]
    files: dict[str, FileEntry]


class Found(Struct, frozen=True, kw_only=True):
    """What loading came to."""

    contents: Contents | None
    """`None`: there is no checkpoint that can be used."""
    saved: Saved | None = None
    """Where it lies, if there is one."""
    problems: tuple[str, ...] = ()
    """Each checkpoint that was set aside, and why."""


class Storage(Protocol):
    """Where checkpoints are kept, by name: `best`, `last`, and `step-N`."""

    def save(self, name: str, contents: Contents) -> Saved:
        """Make `contents` the durable checkpoint of this name. Raises `CheckpointError`."""
        ...

    def load(self, name: str) -> Found:
        """The newest checkpoint of this name that is whole."""
        ...

    def steps(self) -> list[int]:
        """Of which steps there is a `step-N`, in order."""
        ...

    def keep(self, count: int) -> None:
        """Remove each `step-N` but the newest `count`. Never raises."""
        ...


class FolderStorage:
    """Checkpoints in a folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, contents: Contents) -> Saved:
        """Write aside, sync, and rename into place. Raises `CheckpointError`; nothing is left."""
        kind, final, previous = kind_of(name), self._root / name, self._previous(name)
        aside = aside_of(final)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            if final.exists():
                discard(previous)  # one of this name is in place: makes room for the new one
            aside.mkdir()
            size, digest = _write_folder(aside, kind, contents)
            put_in_place(aside, final, previous)
            if kind == "step":
                discard(previous)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                discard(aside)
            with contextlib.suppress(OSError):
                self._put_back(name)
            raise CheckpointError(why_not_written(error, self._root, _size(contents))) from error
        return Saved(path=final, bytes=size, sha256=digest)

    def load(self, name: str) -> Found:
        """The newest one of this name that is whole; torn or altered ones are set aside.

        Raises `OSError` for a folder that cannot be read at all.
        """
        problems: list[str] = []
        for folder in (self._root / name, self._previous(name)):
            if not folder.is_dir():
                continue
            try:
                contents = read_folder(folder)
            except (OSError, ValueError, SafetensorError) as error:
                broken = self._root / f"{BROKEN}{name}-{secrets.token_hex(4)}"
                folder.rename(broken)
                problems.append(
                    f"the checkpoint {folder} is damaged ({one_line(error)}); "
                    f"it was set aside as {broken.name}"
                )
                continue
            self._put_back(name)
            saved = _as_saved(self._root / name)
            return Found(contents=contents, saved=saved, problems=tuple(problems))
        return Found(contents=None, problems=tuple(problems))

    def steps(self) -> list[int]:
        """Of which steps there is a `step-N`, in order."""
        found = ((step_of(path.name), path) for path in self._root.glob(f"{STEP}*"))
        return sorted(step for step, path in found if step is not None and path.is_dir())

    def keep(self, count: int) -> None:
        """Remove each `step-N` but the newest `count`; what cannot be removed stays."""
        steps = self.steps()
        for step in steps[: max(0, len(steps) - count)]:
            with contextlib.suppress(OSError):
                discard(self._root / step_name(step))

    def clean(self) -> None:
        """Remove what writers that were killed have left behind."""
        for folder in self._root.glob(".tmp-*"):
            with contextlib.suppress(OSError):
                discard(folder)
        for folder in self._root.glob(f"{previous_name(STEP)}*"):
            with contextlib.suppress(OSError):
                self._put_back(folder.name.removeprefix(PREVIOUS))
                discard(folder)

    def _previous(self, name: str) -> Path:
        return self._root / previous_name(name)

    def _put_back(self, name: str) -> None:
        """Where only the one before is left, it is the newest again."""
        final, previous = self._root / name, self._previous(name)
        if previous.is_dir() and not final.exists():
            previous.rename(final)
            sync(self._root)


def _as_saved(folder: Path) -> Saved:
    """What `save` said of a checkpoint that is there."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Saved(path=folder, bytes=size, sha256=described(folder / _MANIFEST).sha256)


def _size(contents: Contents) -> int:
    """About how many bytes it takes on a disk."""
    tensors = (tensor for group in contents.tensors.values() for tensor in group.values())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) + len(contents.state)


def _write_folder(folder: Path, kind: CheckpointKind, contents: Contents) -> tuple[int, str]:
    """Every file, synced, the manifest last; the sum of the sizes and the manifest's digest."""
    files: dict[str, FileEntry] = {}
    for name, tensors in contents.tensors.items():
        path = folder / f"{name}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
        files[path.name] = synced(path)
    (folder / _STATE).write_bytes(contents.state)
    files[_STATE] = synced(folder / _STATE)
    manifest = Manifest(
        format=FORMAT,
        kind=kind,
        epoch=contents.epoch,
        iteration=contents.iteration,
        digests=dict(contents.digests),
        files=files,
    )
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    (folder / _MANIFEST).write_bytes(encoded)
    entry = synced(folder / _MANIFEST)
    sync(folder)
    return entry.bytes + sum(file.bytes for file in files.values()), entry.sha256


def read_folder(folder: Path) -> Contents:
    """A checkpoint, every file checked. Raises `ValueError`, `OSError` or `SafetensorError`."""
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise ValueError(f"{_MANIFEST} is missing") from None
    except msgspec.MsgspecError:
        raise ValueError(f"{_MANIFEST} is no manifest") from None
    if manifest.format != FORMAT:
        raise ValueError(f"its format is {manifest.format}, this engine reads {FORMAT}")
    for name, entry in manifest.files.items():
        if Path(name).name != name:
            raise ValueError(f"{_MANIFEST} names a file outside of its folder")
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing")
        if described(folder / name) != entry:
            raise ValueError(f"{name} is not what {_MANIFEST} says")
    return Contents(
        epoch=manifest.epoch,
        iteration=manifest.iteration,
        tensors={
            name.removesuffix(".safetensors"): load_file(folder / name)
            for name in manifest.files
            if name.endswith(".safetensors")
        },
        state=(folder / _STATE).read_bytes() if _STATE in manifest.files else b"{}",
        digests=manifest.digests,
    )
