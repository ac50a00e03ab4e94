"""Processes that are known by a word in their environment, which children inherit."""

import os
from pathlib import Path

from timellm_ops.process.identity import ProcessIdentity, boot_id, is_alive
from timellm_ops.process.table import read_table

_PROC = Path("/proc")


def who_has(mark: str) -> frozenset[ProcessIdentity]:
    """The processes whose environment, as they were started with it, holds `mark`, a `NAME=value`.

    Of this user's processes alone, and not this one; where there is no /proc, nobody.
    """
    wanted = mark.encode("utf-8", "surrogateescape")
    return frozenset(
        ProcessIdentity(pid=entry.pid, start_ticks=entry.start_ticks, boot_id=boot_id())
        for entry in read_table().values()
        if entry.pid != os.getpid() and _has(entry.pid, wanted)
    )


def environment_of(process: ProcessIdentity) -> dict[str, str]:
    """The environment that a living process was started with; none where it cannot be read."""
    entries = (os.fsdecode(entry).partition("=") for entry in _environment(process.pid))
    found = {name: value for name, _, value in entries if name}
    return found if is_alive(process) else {}


def _has(pid: int, wanted: bytes) -> bool:
    return wanted in _environment(pid)


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
