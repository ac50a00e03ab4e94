"""Which process is meant, beyond its pid: pids are reused, start time and boot are not."""

import os
import signal
import sys
from functools import cache
from pathlib import Path

import psutil
from msgspec import Struct

from timellm_ops.process.table import read_entry


class ProcessIdentity(Struct, frozen=True):
    """One process of one boot of the machine. It never comes to mean another one."""

    pid: int
    start_ticks: int
    boot_id: str


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of the process that has `pid` now, a zombie included; `None`: nobody has."""
    entry = read_entry(pid)
    if entry is None:
        return None
    return ProcessIdentity(pid=pid, start_ticks=entry.start_ticks, boot_id=boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process still runs or stands. A zombie has ended."""
    if identity.boot_id != boot_id():
        return False
    entry = read_entry(identity.pid)
    return entry is not None and entry.start_ticks == identity.start_ticks and not entry.zombie


def catches(identity: ProcessIdentity, number: int) -> bool:
    """Whether that very process has a handler for a signal; `False` where nobody can tell."""
    if not is_alive(identity):
        return False
    try:
        status = Path(f"/proc/{identity.pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "")
    try:
        return bool(int(caught.partition(":")[2], 16) & 1 << (number - 1))
    except ValueError:
        return False


def send_signal(identity: ProcessIdentity, number: int) -> bool:
    """Send a signal to that very process; `False` where it is gone or not ours to signal.

    On Linux the process is held by a pidfd between the check and the signal, so that a pid which
    is reused in that moment is never hit.
    """
    if sys.platform != "linux":
        return is_alive(identity) and _kill(identity.pid, number)
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _kill(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


@cache
def boot_id() -> str:
    """A name for this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"
