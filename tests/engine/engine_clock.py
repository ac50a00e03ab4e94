"""Time as data: a clock that the engine's own looks at it move on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from timellm_engine.clock import Clock

LONGEST_WAIT_S = 10_000.0
"""Whoever sleeps on and on beyond it would wait for ever."""
BEGIN = datetime(2026, 1, 31, 21, 45, tzinfo=UTC)


class FakeClock(Clock):
    """Starts at `now`; every look at it takes `tick_s`; sleeping takes what it says."""

    def __init__(self, now: float = 1000.0, tick_s: float = 0.0) -> None:
        self.now, self.tick_s, self._end = now, tick_s, now + LONGEST_WAIT_S
        self.slept: list[float] = []
        self._plans: list[tuple[float, Callable[[], object]]] = []

    def at(self, t: float, action: Callable[[], object]) -> None:
        """Do something when the clock reaches `t`."""
        self._plans.append((t, action))

    def wall(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)

    def monotonic(self) -> float:
        self.advance(self.tick_s)
        return self.now

    def sleep(self, seconds: float) -> None:
        if self.now > self._end:
            raise AssertionError(f"still waiting after {LONGEST_WAIT_S:,.0f} s")
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [plan for plan in self._plans if plan[0] <= self.now]
        self._plans = [plan for plan in self._plans if plan[0] > self.now]
        for _, action in due:
            action()
