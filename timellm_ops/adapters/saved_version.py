"""A checkpoint on disk, a file or a folder: which version of it is there, and is it complete?"""

import os
import stat
import zipfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import msgspec

_ZIP_BEGINS = b"PK\x03\x04"
_LARGEST_HEADER = 1 << 24
_MOST_FILES = 2000


class Version(NamedTuple):
    """What tells two states of a file or folder apart without reading it. Of a folder, `size` is
    the sum of its files and `mtime_ns` the newest of theirs."""

    inode: int
    size: int
    mtime_ns: int


State = Literal["partial", "readable", "whole"]
"""`whole`: its own form says that nothing is missing; `readable`: it has no form that would."""


def version_of(path: Path) -> Version | None:
    """`None` where there is neither a plain file nor a folder with files."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(found.st_mode):
        return Version(found.st_ino, found.st_size, found.st_mtime_ns)
    if not stat.S_ISDIR(found.st_mode):
        return None
    size, newest = 0, 0
    for file in files_in(path):
        try:
            inside = file.stat()
        except OSError:
            continue  # renamed at this moment
        size, newest = size + inside.st_size, max(newest, inside.st_mtime_ns)
    return Version(found.st_ino, size, newest) if newest else None


def state_of(
    path: Path, *, last_file: str = "", being_written: AbstractSet[Path] = frozenset()
) -> State:
    """Whether anything is missing.

    `last_file`: of a folder, the file in it that is written last; `being_written`: files that a
    process has open for it, by the paths that the system knows them by.
    """
    real = Path(os.path.realpath(path))
    if any(real == file or real in file.parents for file in being_written):
        return "partial"
    if not path.is_dir():
        return _file_state(path)
    files = list(files_in(path))
    if last_file and path / last_file not in files:
        return "partial"
    if not files or any(_file_state(file) == "partial" for file in files):
        return "partial"
    return "whole" if last_file else "readable"


def files_in(folder: Path) -> Iterator[Path]:
    """The plain files of a checkpoint folder and of the folders in it; not those of links."""
    count = 0
    for top, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(top, name)
            if not path.is_symlink() and path.is_file():
                count += 1
                yield path
            if count >= _MOST_FILES:
                return


def _file_state(path: Path) -> State:
    """What torch saves is a zip archive, whose directory is written last; safetensors tells its
    own length at its beginning."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            begins = file.read(9)
            if size == 0:
                return "partial"
            if begins.startswith(_ZIP_BEGINS):
                return "whole" if zipfile.is_zipfile(file) else "partial"
            if path.suffix == ".safetensors":
                return _safetensors_state(file, begins, size)
    except OSError:
        return "partial"
    return "readable"


def _safetensors_state(file: BinaryIO, begins: bytes, size: int) -> State:
    length = int.from_bytes(begins[:8], "little")
    if len(begins) < 9 or 8 + length > size:
        return "partial"
    if length > _LARGEST_HEADER:
        return "readable"
    file.seek(8)
    try:
        header = msgspec.json.decode(file.read(length), type=dict[str, dict[str, Any]])
        ends = [int(item["data_offsets"][1]) for k, item in header.items() if k != "__metadata__"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return "partial"
    return "whole" if 8 + length + max(ends, default=0) == size else "partial"
