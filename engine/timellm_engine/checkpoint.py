"""Checkpoints as folders that are whole or not there, whatever happens while they are written.

`checkpoints/best` and `checkpoints/last` each hold safetensors files, `state.json`, and a
`manifest.json` with the size and SHA-256 of every other file, written last. A new one is written
aside and renamed into place; the one before it stays as `.previous-…` until the next is begun, so
a valid one exists at every instant, and there is one to go back to when a disk has altered the
newest. Nothing is ever unpickled.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from timellm_engine.errors import one_line
from timellm_ops.contract.events import CheckpointKind

FORMAT = 1
_BLOCK = 1 << 20
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


class FileEntry(Struct, frozen=True, kw_only=True):
    """One file of a checkpoint."""

    bytes: int
    sha256: str


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
    problems: tuple[str, ...] = ()
    """Each checkpoint that was set aside, and why."""


class Storage(Protocol):
    """Where checkpoints are kept."""

    def save(self, kind: CheckpointKind, contents: Contents) -> Saved:
        """Make `contents` the durable checkpoint of this kind. Raises `CheckpointError`."""
        ...

    def load(self, kind: CheckpointKind) -> Found:
        """The newest checkpoint of this kind that is whole."""
        ...


class FolderStorage:
    """Checkpoints in a folder on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, kind: CheckpointKind, contents: Contents) -> Saved:
        """Write aside, sync, and rename into place. Raises `CheckpointError`; nothing is left."""
        final, previous = self._root / kind, self._previous(kind)
        aside = self._root / f".tmp-{kind}-{secrets.token_hex(4)}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            if final.exists():
                _remove(previous)  # one of this kind is in place: makes room for the new one
            aside.mkdir()
            size, digest = _write_folder(aside, kind, contents)
            if final.exists():
                final.rename(previous)
            aside.rename(final)
            _sync(self._root)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                _remove(aside)
            with contextlib.suppress(OSError):
                self._put_back(kind)
            raise CheckpointError(_reason(error)) from error
        return Saved(path=final, bytes=size, sha256=digest)

    def load(self, kind: CheckpointKind) -> Found:
        """The newest one of this kind that is whole; torn or altered ones are set aside.

        Raises `OSError` for a folder that cannot be read at all.
        """
        problems: list[str] = []
        for folder in (self._root / kind, self._previous(kind)):
            if not folder.is_dir():
                continue
            try:
                contents = _read_folder(folder)
            except (OSError, ValueError, SafetensorError) as error:
                broken = self._root / f"broken-{kind}-{secrets.token_hex(4)}"
                folder.rename(broken)
                problems.append(
                    f"the checkpoint {folder} is damaged ({one_line(error)}); "
                    f"it was set aside as {broken.name}"
                )
                continue
            self._put_back(kind)
            return Found(contents=contents, problems=tuple(problems))
        return Found(contents=None, problems=tuple(problems))

    def clean(self) -> None:
        """Remove what writers that were killed have left behind."""
        for folder in self._root.glob(".tmp-*"):
            with contextlib.suppress(OSError):
                _remove(folder)

    def _previous(self, kind: CheckpointKind) -> Path:
        return self._root / f".previous-{kind}"

    def _put_back(self, kind: CheckpointKind) -> None:
        """Where only the one before is left, it is the newest again."""
        final, previous = self._root / kind, self._previous(kind)
        if previous.is_dir() and not final.exists():
            previous.rename(final)
            _sync(self._root)


def _write_folder(folder: Path, kind: CheckpointKind, contents: Contents) -> tuple[int, str]:
    """Every file, synced, the manifest last; the sum of the sizes and the manifest's digest."""
    files: dict[str, FileEntry] = {}
    for name, tensors in contents.tensors.items():
        path = folder / f"{name}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
        files[path.name] = _synced(path)
    (folder / _STATE).write_bytes(contents.state)
    files[_STATE] = _synced(folder / _STATE)
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
    entry = _synced(folder / _MANIFEST)
    _sync(folder)
    return entry.bytes + sum(file.bytes for file in files.values()), entry.sha256


def _read_folder(folder: Path) -> Contents:
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
        if _described(folder / name) != entry:
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


def _described(path: Path) -> FileEntry:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return FileEntry(bytes=size, sha256=digest.hexdigest())


def _synced(path: Path) -> FileEntry:
    entry = _described(path)
    _sync(path)
    return entry


def _sync(path: Path) -> None:
    """Wait until the disk has a file, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{where}"
    return one_line(error)
