"""Where runs stand, without reading long journals again and again.

A journal only grows. So the state after its first so many bytes stays true, and is kept between
commands in the user's own cache folder: what is read anew is what has come since.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

import timellm_ops.contract
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.journal import JournalFollower
from timellm_ops.paths import private_folder, user_cache
from timellm_ops.process.files import replace_file

_EDGE_BYTES = 512
"""Of both ends of what was read, so much is compared: the first record names the run and its start,
the last one has a number and a time of its own."""
_WORTH_KEEPING_BYTES = 1 << 18
"""A running run's state is kept again after so much more."""
_MOST_KEPT = 1000


class _Kept(Struct, frozen=True, kw_only=True):
    """A state, and all that says of which bytes it is the state."""

    code: str
    journal: str
    inode: int
    offset: int
    first: bytes
    last: bytes
    size: int
    mtime_ns: int
    state: RunState


class _Known(Struct):
    """A run, as this process knows it."""

    follower: JournalFollower
    state: RunState
    inode: int = 0
    size: int = -1
    mtime_ns: int = 0
    kept_offset: int = 0

    def is_of_another(self, found: os.stat_result) -> bool:
        """Whether another journal lies in that place: one that has not just grown."""
        if self.inode != found.st_ino or found.st_size < self.follower.offset:
            return True
        return self.size == found.st_size and self.mtime_ns != found.st_mtime_ns


def state_cache(env: Mapping[str, str] = os.environ) -> Path:
    """The folder in which states are kept, in this user's own cache."""
    return user_cache(env) / "states"


class RunStates:
    """States of runs. Used by one thread at a time; `folder` need not exist, nor be writable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, _Known] = {}

    def state(self, layout: RunLayout) -> RunState:
        """Where the run stands by now: what its whole journal comes to.

        Raises `OSError` for a journal that is there and cannot be read.
        """
        path = layout.journal
        try:
            found = path.stat()
        except FileNotFoundError:
            return RunState()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for without end
            raise OSError(errno.EINVAL, "not a file", str(path))
        known = self._known.get(path)
        if known is None or known.is_of_another(found):
            known = self._known[path] = self._recalled(path, found)
        if (known.size, known.mtime_ns) != (found.st_size, found.st_mtime_ns):
            while records := known.follower.poll():
                for record in records:
                    known.state = reduce(known.state, record.event)
            known.size, known.mtime_ns = found.st_size, found.st_mtime_ns
            self._keep(path, known)
        return known.state

    def _recalled(self, path: Path, found: os.stat_result) -> _Known:
        kept = self._read(path)
        if kept is None or not _is_of(kept, path, found):
            return _Known(JournalFollower(path), RunState(), inode=found.st_ino)
        same = kept.size == found.st_size
        return _Known(
            JournalFollower(path, kept.offset),
            kept.state,
            inode=found.st_ino,
            size=kept.size if same else -1,
            mtime_ns=kept.mtime_ns,
            kept_offset=kept.offset,
        )

    def _read(self, path: Path) -> _Kept | None:
        try:
            return msgspec.msgpack.decode(self._place(path).read_bytes(), type=_Kept)
        except (OSError, ValueError, RecursionError):
            return None  # not kept, or by a version that keeps something else

    def _keep(self, path: Path, known: _Known) -> None:
        offset = known.follower.offset
        new = offset - known.kept_offset
        if new <= 0 or (new < _WORTH_KEEPING_BYTES and not known.state.ended):
            return
        with contextlib.suppress(OSError):  # it will be read again, no more
            first, last = _edges(path, offset)
            kept = _Kept(
                code=_code(),
                journal=str(path),
                inode=known.inode,
                offset=offset,
                first=first,
                last=last,
                size=known.size,
                mtime_ns=known.mtime_ns,
                state=known.state,
            )
            private_folder(self._folder)
            replace_file(self._place(path), msgspec.msgpack.encode(kept), durable=False)
            known.kept_offset = offset
            self._forget_the_oldest()

    def _place(self, path: Path) -> Path:
        return self._folder / hashlib.sha256(os.fsencode(path)).hexdigest()[:32]

    def _forget_the_oldest(self) -> None:
        files = list(os.scandir(self._folder))
        if len(files) > _MOST_KEPT:
            files.sort(key=lambda file: file.stat().st_mtime_ns)
            for file in files[: len(files) - _MOST_KEPT // 2]:
                Path(file.path).unlink(missing_ok=True)


def _is_of(kept: _Kept, path: Path, found: os.stat_result) -> bool:
    """Whether the journal begins with the very bytes that the state was made of."""
    if (kept.code, kept.journal, kept.inode) != (_code(), str(path), found.st_ino):
        return False
    if found.st_size < kept.offset:
        return False
    if found.st_size == kept.size and found.st_mtime_ns != kept.mtime_ns:
        return False
    try:
        return _edges(path, kept.offset) == (kept.first, kept.last)
    except OSError:
        return False


def _edges(path: Path, offset: int) -> tuple[bytes, bytes]:
    """The first and the last of the first `offset` bytes."""
    with path.open("rb") as file:
        first = file.read(min(_EDGE_BYTES, offset))
        file.seek(max(0, offset - _EDGE_BYTES))
        return first, file.read(min(_EDGE_BYTES, offset))


@cache
def _code() -> str:
    """A digest of what makes a state of records: another version may make another one."""
    digest = hashlib.sha256()
    folder = Path(str(timellm_ops.contract.__file__)).parent
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
