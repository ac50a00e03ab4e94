"""Files that are either the old or the new whole, whatever happens in between."""

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

SMALL_BYTES = 512
"""What a small file is filled up to with spaces, so that it can be written over where it lies."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` aside and rename it over `path`; a reader sees the old or the new bytes.

    `durable` also waits until the disk has them; leave it off for what is rewritten every second
    and worthless after a crash. Raises `OSError`; `path` is then untouched and nothing is left
    beside it.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def replace_small_json(path: Path, data: bytes, *, durable: bool = False) -> bool:
    """`replace_file` for a few bytes of JSON that must get through on a full disk too; whether
    there was room for a second file.

    Where there is no room for a second file, the one that is there is written over in its place,
    which takes none. Its reader may then see it torn for a moment, and must look once more when
    its times have changed. Raises `OSError`.
    """
    padded = data.ljust(SMALL_BYTES - 1) + b"\n"
    try:
        replace_file(path, padded, durable=durable)
    except OSError as error:
        if error.errno not in _NO_ROOM or not _written_over(path, padded):
            raise
        return False
    return True


def _written_over(path: Path, data: bytes) -> bool:
    """Whether `data` took the place of as many bytes."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(descriptor).st_size != len(data):
            return False
        whole = os.pwrite(descriptor, data, 0) == len(data)
        now_ns = time.time_ns()  # after the last byte: who has looked meanwhile looks again
        os.utime(descriptor, ns=(now_ns, now_ns))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return whole


def read_json(path: Path, kind: type[T]) -> T | None:
    """What a JSON file holds; `None` where there is no file or it does not hold a `kind`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, RecursionError):
        return None


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, in as many calls as the system wants. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable: files created there, renamed there or removed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
