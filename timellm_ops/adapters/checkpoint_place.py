"""Where a script saves, as far as anybody knows, and how its open files are asked for."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct


class Place(Struct, frozen=True, kw_only=True):
    """Where a script saves, as far as it is known."""

    workdir: Path
    pattern: str = ""
    """Of files or folders below `workdir`; empty: not known."""
    search: bool = False
    """Files that the script has open, or has changed in its working folder, count as well."""
    last_file: str = ""
    """Of a checkpoint that is a folder, the file in it that is written last."""
    announced: bool = True
    """The script tells of each checkpoint before it is written."""


Position: TypeAlias = tuple[int | None, int | None]
"""Epoch and iteration, as in `CheckpointSaved`."""

OpenFiles: TypeAlias = Callable[[Callable[[Path], bool]], AbstractSet[Path]]
"""The files, of those wanted, that a script has open to write."""


def nothing_open(wanted: Callable[[Path], bool]) -> frozenset[Path]:  # noqa: ARG001
    """The open files of a script whose processes nobody can look at."""
    return frozenset()
