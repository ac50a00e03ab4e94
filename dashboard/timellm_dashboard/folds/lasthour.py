"""What the last hour of a run has lost, minute by minute. Bounded."""

from collections import deque
from copy import copy
from math import ceil

from timellm_dashboard.folds.stepcost import Slowdown, SlowSteps

HOUR_S = 3600.0
_MINUTE_S = 60.0


class _Minute:
    """What a minute of the run took."""

    def __init__(self, start_s: float) -> None:
        self.start_s = start_s
        self.lost_s: dict[str, float] = {}
        self.slow: dict[Slowdown, SlowSteps] = {}

    def copied(self) -> "_Minute":
        """The same, for more to be lost in. Slow steps are shared: nobody who stands makes any."""
        other = copy(self)
        other.lost_s = dict(self.lost_s)
        return other


class LastHour:
    """Losses by their causes, at the second in which the run is. A minute that began within the
    hour counts whole."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._minutes: deque[_Minute] = deque()

    def __len__(self) -> int:
        """How many minutes are kept."""
        return len(self._minutes)

    @property
    def seconds(self) -> float:
        """What the losses are of: the last hour in whole minutes, or less."""
        return self._now_s - self._start_s

    @property
    def _start_s(self) -> float:
        return max(0.0, ceil((self._now_s - HOUR_S) / _MINUTE_S) * _MINUTE_S)

    def go_on(self, seconds: float) -> None:
        """The run is so much older."""
        self._now_s += seconds

    def lose(self, cause: str, seconds: float) -> None:
        """Book a loss of now."""
        lost_s = self._minute().lost_s
        lost_s[cause] = lost_s.get(cause, 0.0) + seconds

    def take_back(self, cause: str, seconds: float) -> None:
        """The newest so many seconds that were booked by this cause were none."""
        for minute in reversed(self._minutes):
            if seconds <= 0.0:
                return
            taken = min(seconds, minute.lost_s.get(cause, 0.0))
            if taken > 0.0:
                minute.lost_s[cause] -= taken
                seconds -= taken

    def slow(self, made: SlowSteps) -> None:
        """Steps were made while the card was slowed."""
        kept = self._minute().slow.setdefault(made.slowdown, SlowSteps(made.slowdown))
        kept.add(made.seconds, made.steps)

    def lost_s(self, cause: str) -> float:
        """Seconds that this cause took."""
        since_s = self._start_s
        return sum(m.lost_s.get(cause, 0.0) for m in self._minutes if m.start_s >= since_s)

    def slow_cost_s(self, slowdown: Slowdown, full_step_s: float) -> float:
        """What steps that were slowed so took longer than steps of `full_step_s`."""
        since_s = self._start_s
        slow = (m.slow.get(slowdown) for m in self._minutes if m.start_s >= since_s)
        return sum(made.cost_s(full_step_s) for made in slow if made is not None)

    def detach(self) -> None:
        """Share nothing that changes while an engine stands with whatever this is a copy of."""
        self._minutes = self._minutes.copy()
        if self._minutes:
            self._minutes[-1] = self._minutes[-1].copied()

    def _minute(self) -> _Minute:
        """The present one, the oldest having been thrown away."""
        start_s = self._now_s - self._now_s % _MINUTE_S
        if not self._minutes or self._minutes[-1].start_s != start_s:
            self._minutes.append(_Minute(start_s))
            while self._minutes[0].start_s < self._now_s - HOUR_S:
                self._minutes.popleft()
        return self._minutes[-1]
