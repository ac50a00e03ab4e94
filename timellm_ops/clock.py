"""Time as a seam: whoever needs to know or wait for it is given a clock."""

import contextlib
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from timellm_ops.contract.localtime import zone_of

_ZONE_FILES = "zoneinfo"
"""The folder of time zones, wherever a system keeps it."""


class Clock(Protocol):
    """Wall time for people, monotonic time for intervals, and waiting."""

    def wall(self) -> datetime:
        """Now, in UTC. May jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward, comparable between processes of one machine."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine started; they stand still while it is suspended."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; a signal handler may run meanwhile."""
        time.sleep(max(0.0, seconds))


def machine_zone(env: Mapping[str, str] = os.environ, etc: Path = Path("/etc")) -> str:
    """The name of this machine's time zone, such as `Europe/Berlin`; empty where it has none.

    `TZ` outweighs what `localtime` in `etc` points to, and that the name in `timezone`.
    """
    candidates = [env.get("TZ", "").removeprefix(":")]
    localtime = etc / "localtime"
    parts = localtime.resolve().parts if localtime.is_symlink() else ()
    if _ZONE_FILES in parts:
        candidates.append("/".join(parts[parts.index(_ZONE_FILES) + 1 :]))
    with contextlib.suppress(OSError, ValueError):
        candidates.append((etc / "timezone").read_text(encoding="ascii").strip())
    return next((name for name in candidates if name and zone_of(name) is not None), "")
