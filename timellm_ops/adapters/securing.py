"""See to it that the disk has what somebody else has written, and sum it up."""

import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

from timellm_ops.adapters.saved_version import files_in
from timellm_ops.process.files import sync_folder

HASHED_BYTES = 4 << 30
"""Of a larger file no sum is made: it would be read for too long beside the training."""

_BLOCK = 1 << 20
_NOTHING_TO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)
"""What a file system answers that has no way to sync, or nothing to."""


class Securing:
    """A file, or all files of a folder, on the way to the disk; `beside`: in a thread of its own.
    Of a folder no sum is made."""

    def __init__(self, path: Path, *, beside: bool) -> None:
        self._path = path
        self.done = False
        self.sha256: str | None = None
        self.problem = ""
        """Why the file is not safe; empty where it is."""
        if beside:
            # A disk that hangs must not keep the process from ending.
            threading.Thread(target=self._secure, daemon=True).start()
        else:
            self._secure()

    def _secure(self) -> None:
        try:
            if self._path.is_dir():
                _secure_folder(self._path)
            else:
                with self._path.open("rb") as file:
                    _sync(file.fileno())
                    self.sha256 = _sum(file, os.fstat(file.fileno()).st_size)
            _sync_names(self._path.parent)
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror or error}"
        self.done = True


def _secure_folder(folder: Path) -> None:
    folders = {folder}
    for path in files_in(folder):
        with path.open("rb") as file:
            _sync(file.fileno())
        folders.add(path.parent)
    for inside in folders:
        _sync_names(inside)


def _sum(file: BinaryIO, size: int) -> str | None:
    if size > HASHED_BYTES:
        return None
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOTHING_TO_SYNC:
            raise


def _sync_names(folder: Path) -> None:
    try:
        sync_folder(folder)
    except OSError as error:
        if error.errno not in _NOTHING_TO_SYNC:
            raise
