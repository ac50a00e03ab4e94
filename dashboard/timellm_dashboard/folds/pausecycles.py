"""Pauses that come again: a card that gets too hot when it works, cools, and gets too hot again.

From the stretches between them and their lengths follows what they will still cost. Pauses that
say nothing of the next one (a person's, a battery's, another program's) are not among them.
"""

import math
from collections import deque
from collections.abc import Iterable
from statistics import fmean

from msgspec import Struct

from timellm_ops.contract.state import RunState

RECURRING_RULES = frozenset({"thermal", "power"})
"""Rules that hold the run for what the run itself does to the card."""
_KEPT = 20
_OUTGROWN_TIMES = 2.0
_FEWEST_WARM = 3
"""So many warm cycles say more of the next than how the card warms does."""
_LEAST_DOUBT = 0.2
"""Stretches are as even as this share of them at the best."""


class Cycle(Struct, frozen=True, gc=False):
    """A stretch of moving, and the pause that ended it; seconds."""

    moved_s: float
    paused_s: float
    cold: bool
    """It began with a card that had not been at work before: such a stretch is longer."""


class PauseCycles:
    """Folds moving and standing."""

    def __init__(self) -> None:
        self._cycles: deque[Cycle] = deque(maxlen=_KEPT)
        self._moved_s = 0.0
        self._cold = True
        self._standing_s: float | None = None
        self._recurs = False

    def forget_present(self) -> None:
        """Nobody knows how long the present stretch or pause has lasted, or the card has rested."""
        self._moved_s, self._cold, self._standing_s, self._recurs = 0.0, True, None, False

    def fold(self, before: RunState, after: RunState) -> None:
        """Take in the time between two states."""
        passed_s = after.active_s - before.active_s
        if before.standing:
            if self._standing_s is not None:
                self._standing_s += passed_s
            self._recurs = self._recurs and all(h.rule in RECURRING_RULES for h in before.holds)
        elif before.activity in ("training", "evaluating"):
            self._moved_s += passed_s
        if after.standing and not before.standing:
            self._standing_s = 0.0
            self._recurs = recurs(after)
        elif before.standing and not after.standing:
            self._end()

    def _end(self) -> None:
        if self._standing_s is not None and self._recurs:
            self._cycles.append(Cycle(self._moved_s, self._standing_s, self._cold))
            self._moved_s, self._cold = 0.0, False
        self._standing_s, self._recurs = None, False

    @property
    def pause_s(self) -> float | None:
        """What such a pause takes; `None`: there was none yet."""
        return fmean(cycle.paused_s for cycle in self._telling) if self._cycles else None

    @property
    def outgrown(self) -> bool:
        """The engine has moved for much longer now than it ever took to be paused."""
        longest_s = max((cycle.moved_s for cycle in self._cycles), default=math.inf)
        return self._moved_s > _OUTGROWN_TIMES * longest_s

    @property
    def settled(self) -> bool:
        """Whether enough cycles are known that began with a card that had been at work before."""
        return sum(not cycle.cold for cycle in self._cycles) >= _FEWEST_WARM

    @property
    def moved_s(self) -> float:
        """Seconds that the engine has moved since the last such pause; infinite: there was none."""
        return math.inf if self._cold else self._moved_s

    @property
    def share(self) -> float:
        """Of the time in such cycles, the part that was paused."""
        paused_s = sum(cycle.paused_s for cycle in self._telling)
        total_s = paused_s + sum(cycle.moved_s for cycle in self._telling)
        return paused_s / total_s if total_s > 0 else 0.0

    @property
    def _telling(self) -> list[Cycle]:
        return _warm_or_all(self._cycles)

    def ahead(self, moving_s: float, *, held: bool = False) -> float:
        """How many pauses are to be expected before the engine has moved for `moving_s` more; the
        present one is not among them, nor, where the run is `held` already, the one that begins.

        The next is due when the present stretch is as long as the others. A stretch that is longer
        already counts with them, and so does one that a pause has just ended.
        """
        if not self._cycles:
            return 0.0
        moved_s, cycles = self._moved_s, list(self._cycles)
        if held or self._recurs:
            cycles.append(Cycle(moved_s, 0.0, self._cold))
            moved_s = 0.0
        stretches_s = [cycle.moved_s for cycle in _warm_or_all(cycles)]
        alone = len(stretches_s) == 1
        if moved_s > fmean(stretches_s):
            stretches_s.append(moved_s)
        stretch_s = fmean(stretches_s)
        if stretch_s <= 0.0:
            return 0.0
        spread_s = max(stretches_s) - min(stretches_s)
        doubt_s = stretch_s if alone else max(_LEAST_DOUBT * stretch_s, spread_s)
        return pauses_within(moving_s, stretch_s - moved_s, stretch_s, doubt_s)


def _warm_or_all(cycles: Iterable[Cycle]) -> list[Cycle]:
    """Those that the next ones are like."""
    told = list(cycles)
    return [cycle for cycle in told if not cycle.cold] or told


def pauses_within(moving_s: float, first_s: float, stretch_s: float, doubt_s: float) -> float:
    """How many pauses are to be expected within `moving_s`, the first after `first_s` and each
    later one after a stretch more.

    The first may come `doubt_s` / 2 sooner or later, equally likely; of each later one the doubt is
    larger by as much, until it is a whole stretch: from there on they are counted on the average.
    """
    count, widest_s = 0.0, max(_LEAST_DOUBT * stretch_s, doubt_s)
    width_s = widest_s
    past_s = moving_s - first_s
    while width_s < stretch_s:
        count += min(1.0, max(0.0, past_s / width_s + 0.5))
        past_s -= stretch_s
        width_s += widest_s
    return count + max(0.0, past_s / stretch_s + 0.5)


def recurs(state: RunState) -> bool:
    """Whether what holds the run is of the kind that comes again."""
    return bool(state.holds) and all(hold.rule in RECURRING_RULES for hold in state.holds)
