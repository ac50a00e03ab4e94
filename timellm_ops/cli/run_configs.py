"""The configs of many runs as flat keys, without reading files again and again.

A run's config is written once. What was read of it is kept between commands in the user's own
cache folder, one file for all runs, with what tells that the file is still the same.
"""

import contextlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from timellm_ops.contract.layout import RunLayout
from timellm_ops.paths import private_folder
from timellm_ops.process.files import replace_file

_VERSION = 1
_MOST_KEPT = 2000

Value = str | int | float | bool
"""What a key of a config holds."""


class _Kept(Struct, frozen=True):
    """A config, and which file it was read from."""

    inode: int
    size: int
    mtime_ns: int
    keys: dict[str, Value]


class _Index(Struct):
    version: int
    configs: dict[str, _Kept]


class RunConfigs:
    """Configs of runs. Used by one thread at a time; `folder` need not exist, nor be writable."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "configs"
        self._known: dict[str, _Kept] | None = None

    def of(self, layouts: Iterable[RunLayout]) -> dict[str, Mapping[str, Value]]:
        """By a run's id, the keys of its config, dotted. One that cannot be read has none."""
        if self._known is None:
            self._known = self._recalled()
        found: dict[str, Mapping[str, Value]] = {}
        asked: dict[str, _Kept] = {}
        changed = False
        for layout in layouts:
            path = str(layout.config)
            before = self._known.get(path)
            kept = _read(layout.config, before)
            changed = changed or kept is not before
            found[layout.run_id] = {} if kept is None else kept.keys
            if kept is None:
                self._known.pop(path, None)
            else:
                asked[path] = kept
        if changed:
            together = {**self._known, **asked}
            self._known = together if len(together) <= _MOST_KEPT else asked
            self._keep(self._known)
        return found

    def _recalled(self) -> dict[str, _Kept]:
        try:
            index = msgspec.msgpack.decode(self._file.read_bytes(), type=_Index)
        except (OSError, ValueError, RecursionError):
            return {}  # none yet, or by a version that keeps something else
        return index.configs if index.version == _VERSION else {}

    def _keep(self, configs: dict[str, _Kept]) -> None:
        # They will be read again, no more. A number may have too many digits to be kept, and the
        # name of a folder may be no text.
        with contextlib.suppress(OSError, OverflowError, ValueError):
            private_folder(self._file.parent)
            data = msgspec.msgpack.encode(_Index(_VERSION, configs))
            replace_file(self._file, data, durable=False)


def _read(path: Path, before: _Kept | None) -> _Kept | None:
    """What the file holds now; `before` itself where that is the same."""
    try:
        there = path.stat()
        known = (there.st_ino, there.st_size, there.st_mtime_ns)
        if before is not None and (before.inode, before.size, before.mtime_ns) == known:
            return before
        tables = tomllib.loads(path.read_bytes().decode())
        return _Kept(*known, dict(_flat(tables, "")))
    except (OSError, ValueError, RecursionError):
        return None


def _flat(tables: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, Value):
            yield f"{prefix}{name}", value
