"""Time as a seam: whoever needs to know or wait for it is given a clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


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


class Throttle:
    """Lets something through once per `interval_s` at most."""

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock, self._interval_s = clock, interval_s
        self._last: float | None = None

    def due(self, *, always: bool = False) -> bool:
        """Whether it may pass now; if so, the interval begins anew. `always` passes in any case."""
        now = self._clock.monotonic()
        if not always and self._last is not None and now - self._last < self._interval_s:
            return False
        self._last = now
        return True
