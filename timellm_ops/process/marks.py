"""Processes that are known by a word in their environment, which children inherit."""

import os
from pathlib import Path

from timellm_ops.process.identity import ProcessIdentity, boot_id
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


def _has(pid: int, wanted: bytes) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return wanted in environment.split(b"\0")
