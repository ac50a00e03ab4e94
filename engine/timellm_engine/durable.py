"""Files and folders that are on the disk once it is said that they are."""

import errno
import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path

from msgspec import Struct

from timellm_engine.errors import one_line
from timellm_ops.contract.sizes import size_text

_BLOCK = 1 << 20
_MIB = 1 << 20
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How `safetensors` tells what the system said."""


class FileEntry(Struct, frozen=True, kw_only=True):
    """Size and digest of one file."""

    bytes: int
    sha256: str


def described(path: Path) -> FileEntry:
    """What the file holds now. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return FileEntry(bytes=size, sha256=digest.hexdigest())


def synced(path: Path) -> FileEntry:
    """The same, once the disk has it."""
    entry = described(path)
    sync(path)
    return entry


def sync(path: Path) -> None:
    """Wait until the disk has a file, or a folder's names. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside_of(folder: Path) -> Path:
    """A new name beside `folder`, of the kind that is swept away after a kill."""
    return folder.with_name(f".tmp-{folder.name.lstrip('.')}-{secrets.token_hex(4)}")


def sweep(folder: Path) -> None:
    """Remove what writers of `folder` that were killed have left beside it. Never raises."""
    for left in folder.parent.glob(f".tmp-{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)


def discard(folder: Path) -> None:
    """Remove a folder, if there is one, which never goes by its name half. Raises `OSError`."""
    if not folder.exists():
        return
    doomed = folder if folder.name.startswith(".tmp-") else folder.rename(aside_of(folder))
    shutil.rmtree(doomed)


def put_in_place(aside: Path, final: Path, previous: Path | None = None) -> None:
    """Rename `aside`, which is synced, to `final`. What was there becomes `previous`, or nothing.

    Raises `OSError`.
    """
    if final.exists():
        replaced = previous or aside_of(final)
        final.rename(replaced)
        aside.rename(final)
        sync(final.parent)
        if previous is None:
            shutil.rmtree(replaced, ignore_errors=True)
        return
    aside.rename(final)
    sync(final.parent)


def why_not_written(error: Exception, folder: Path, needed_bytes: int = 0) -> str:
    """One line: what the system says, and what can be done about it.

    `needed_bytes` is about what writing takes; 0 where that is not known.
    """
    number = _OS_ERROR.search(str(error))
    if not isinstance(error, OSError) and number is not None:
        error = OSError(int(number[1]), os.strerror(int(number[1])))
    if not isinstance(error, OSError):
        return one_line(error)
    where = f" ({error.filename})" if error.filename else ""
    reason = f"{error.strerror or error}{where}"
    advice = _advice(error, folder, needed_bytes)
    return f"{reason}: {advice}" if advice else reason


def _advice(error: OSError, folder: Path, needed_bytes: int) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return _room_wanted(folder, needed_bytes)
        case errno.EFBIG:
            return "a limit on the size of files is in the way (ulimit -f)"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return f"make {folder} writable"
        case errno.ENOTDIR | errno.EEXIST:
            return f"{folder} must be a folder; move away what is in its place"
        case errno.EIO:
            return "the disk reports an error; save elsewhere what is on it"
        case _:
            return ""


def _room_wanted(folder: Path, needed_bytes: int) -> str:
    place = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        free = 0
    missing = max(1, -(-(needed_bytes - free) // _MIB)) * _MIB
    return f"free {size_text(missing, up=True)} in {place}"
