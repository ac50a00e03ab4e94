"""The process table: who runs, whose child, in which session, since when, and how busily."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psutil
from msgspec import Struct

_PROC = Path("/proc")
_STAT_BYTES = 4096
"""More than the longest line of a `/proc/<pid>/stat`."""


class ProcessEntry(Struct, frozen=True):
    """One process as the system lists it at one moment."""

    pid: int
    parent: int
    session: int
    """Id of its session: the pid of the process that began it."""
    start_ticks: int
    """When it began, in the system's own unit since boot: it never changes for a process."""
    cpu_s: float
    """User and system seconds of the process and of those children that it has waited for."""
    zombie: bool
    """It has ended and only its exit status is left."""
    stopped: bool
    """It is suspended (SIGSTOP), as far as its first thread tells. One that was caught in vfork(2)
    stands as well, unlisted."""


def read_entry(pid: int) -> ProcessEntry | None:
    """The entry of one process, or `None` where there is no such process."""
    if not _has_procfs():
        return _entry_from_psutil(pid)
    return _read_stat(f"/proc/{pid}/stat")


def _read_stat(path: str) -> ProcessEntry | None:
    # The whole table is read again and again beside training: no path objects, no buffers.
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        return parse_stat(os.read(file, _STAT_BYTES))
    except OSError:  # it has ended since it was opened
        return None
    finally:
        os.close(file)


def stands(pid: int) -> bool:
    """Whether every thread of a process is suspended or has ended. Who is gone stands as well."""
    if not _has_procfs():
        entry = _entry_from_psutil(pid)
        return entry is None or entry.stopped or entry.zombie
    try:
        with os.scandir(f"/proc/{pid}/task") as found:
            threads = [thread.path for thread in found]
    except OSError:
        return True
    entries = (_read_stat(f"{thread}/stat") for thread in threads)
    return all(entry is None or entry.stopped or entry.zombie for entry in entries)


def read_table() -> dict[int, ProcessEntry]:
    """Every process that can be seen, by pid."""
    return {entry.pid: entry for pid in _pids() if (entry := read_entry(pid)) is not None}


def parse_stat(line: bytes) -> ProcessEntry | None:
    """Read one `/proc/<pid>/stat` (proc_pid_stat(5)); `None` for anything else.

    The second field is the program's name in parentheses and may itself hold spaces and
    parentheses, so fields are counted from its last closing one.
    """
    head, _, tail = line.rpartition(b")")
    fields = tail.split()
    try:
        pid = int(head.split(b" ", 1)[0])
        state = fields[0]
        ticks = sum(int(field) for field in fields[11:15])
        return ProcessEntry(
            pid=pid,
            parent=int(fields[1]),
            session=int(fields[3]),
            start_ticks=int(fields[19]),
            cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
            zombie=state in (b"Z", b"X"),
            stopped=state in (b"T", b"t"),
        )
    except (ValueError, IndexError):
        return None


def _pids() -> Iterator[int]:
    if not _has_procfs():
        yield from psutil.pids()
        return
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            yield int(entry.name)


@cache
def _has_procfs() -> bool:
    return sys.platform == "linux" and (_PROC / "self" / "stat").exists()


def _entry_from_psutil(pid: int) -> ProcessEntry | None:
    """The same where there is no /proc (macOS); start time in hundredths of a second."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            status = process.status()
            entry = ProcessEntry(
                pid=pid,
                parent=process.ppid(),
                session=os.getsid(pid),
                start_ticks=round(process.create_time() * 100),
                cpu_s=_cpu_s(process),
                zombie=status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD),
                stopped=status == psutil.STATUS_STOPPED,
            )
    except psutil.ZombieProcess:
        return ProcessEntry(
            pid=pid, parent=0, session=0, start_ticks=0, cpu_s=0.0, zombie=True, stopped=False
        )
    except (psutil.Error, OSError):
        return None
    return entry


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.AccessDenied:
        return 0.0
    return float(times.user + times.system)
