"""What a card's slowdowns cost: steps made while it was slowed, beside steps at its full speed.

Rests for the pace are left out of both. Steps between two words of progress count as slowed where
the card was so for most of that time, and as full speed where it never was.
"""

from collections import deque
from functools import lru_cache
from statistics import median
from typing import Literal

from msgspec import Struct

from timellm_ops.contract.events import Progress

Slowdown = Literal["heat", "power_cap"]
"""What a card slows itself down for."""

_KEPT_SPEEDS = 255
_FEWEST_SPEEDS = 5
"""Stretches at full speed that must be known before anything is compared with them."""
_REFRESH = 4
"""The median is taken again when one in so many of them is another one."""
_MOSTLY = 0.5
_HEAT = frozenset({"sw_thermal_slowdown", "hw_thermal_slowdown"})
_POWER_CAP = frozenset({"sw_power_cap", "hw_power_brake_slowdown", "board_limit"})


@lru_cache(maxsize=64)
def slowdown_of(reasons: tuple[str, ...] | None) -> Slowdown | Literal["none"] | None:
    """What a card with these throttle reasons is slowed by, heat before power; `None`: it does not
    say. A slowdown whose reason the hardware does not tell is one by heat."""
    if reasons is None:
        return None
    if not _HEAT.isdisjoint(reasons):
        return "heat"
    if not _POWER_CAP.isdisjoint(reasons):
        return "power_cap"
    return "heat" if "hw_slowdown" in reasons else "none"


class SlowSteps(Struct):
    """Steps that were made while the card was slowed, and the seconds that they took."""

    slowdown: Slowdown
    seconds: float = 0.0
    steps: int = 0

    def add(self, seconds: float, steps: int) -> None:
        """Take in more of them."""
        self.seconds += seconds
        self.steps += steps

    def cost_s(self, full_step_s: float) -> float:
        """What they took longer than steps of `full_step_s`."""
        return max(0.0, self.seconds - self.steps * full_step_s)


class _Stretch:
    """From one word of progress to the next."""

    __slots__ = ("epoch", "iteration", "moved_s", "rested_s", "slow_s", "unread_s")

    def __init__(self, epoch: int, iteration: int) -> None:
        self.epoch, self.iteration = epoch, iteration
        self.moved_s = self.rested_s = self.unread_s = 0.0
        self.slow_s: dict[Slowdown, float] = {}


class StepCost:
    """Measures stretches of steps, one after the other."""

    def __init__(self) -> None:
        self.full_step_s: float | None = None
        """Seconds that a step takes at full speed; `None`: not seen often enough."""
        self._stretch: _Stretch | None = None
        self._full_speeds: deque[float] = deque(maxlen=_KEPT_SPEEDS)
        self._speeds: deque[float] = deque(maxlen=_KEPT_SPEEDS)
        self._since = 0
        self._cost: dict[Slowdown, float] = {}
        self._unpriced: dict[Slowdown, SlowSteps] = {}

    @property
    def step_s(self) -> float | None:
        """The same, or what a step has taken at any speed; `None`: not measured."""
        if self.full_step_s is not None:
            return self.full_step_s
        return median(self._speeds) if self._speeds else None

    def cost_s(self, slowdown: Slowdown) -> float | None:
        """What it has cost so far; `None` while there is nothing to compare with."""
        return None if self.full_step_s is None else self._cost.get(slowdown, 0.0)

    def begin(self, epoch: int, iteration: int) -> None:
        """From this place on, steps are measured."""
        self._stretch = _Stretch(epoch, iteration)

    def drop(self) -> None:
        """What happens until the next word of progress is no mere steps."""
        self._stretch = None

    def move(
        self, seconds: float, rested_s: float, slowdown: Slowdown | Literal["none"] | None
    ) -> None:
        """The engine was at work for `seconds`, of which it has rested so many."""
        stretch = self._stretch
        if stretch is None:
            return
        stretch.moved_s += seconds
        stretch.rested_s += rested_s
        if slowdown is None:
            stretch.unread_s += seconds
        elif slowdown != "none":
            stretch.slow_s[slowdown] = stretch.slow_s.get(slowdown, 0.0) + seconds

    def progress(self, event: Progress) -> SlowSteps | None:
        """Steps are done; those of them that were slowed."""
        stretch = self._stretch
        self.begin(event.epoch, event.iteration)
        if stretch is None or stretch.epoch != event.epoch:
            return None
        steps, worked_s = event.iteration - stretch.iteration, stretch.moved_s - stretch.rested_s
        if steps <= 0 or worked_s <= 0:
            return None
        self._speeds.append(worked_s / steps)
        if not stretch.slow_s:
            if not stretch.unread_s:
                self._full_speed(worked_s / steps)
            return None
        slowdown, slowed_s = max(stretch.slow_s.items(), key=lambda item: item[1])
        if slowed_s <= _MOSTLY * stretch.moved_s:
            return None
        slow = SlowSteps(slowdown, worked_s, steps)
        if self.full_step_s is None:
            self._unpriced.setdefault(slowdown, SlowSteps(slowdown)).add(worked_s, steps)
        else:
            self._charge(slow, self.full_step_s)
        return slow

    def _full_speed(self, step_s: float) -> None:
        self._full_speeds.append(step_s)
        self._since += 1
        known = len(self._full_speeds)
        fresh = self.full_step_s is not None and _REFRESH * self._since < known
        if known < _FEWEST_SPEEDS or fresh:
            return
        self.full_step_s, self._since = median(self._full_speeds), 0
        for slow in self._unpriced.values():
            self._charge(slow, self.full_step_s)
        self._unpriced.clear()

    def _charge(self, slow: SlowSteps, full_step_s: float) -> None:
        before_s = self._cost.get(slow.slowdown, 0.0)
        self._cost[slow.slowdown] = before_s + slow.cost_s(full_step_s)
