"""When, for how long and for whose sake the engine stood still.

The ledger keeps one of these; whatever tells of pauses takes its numbers from it.
"""

from collections import deque

from msgspec import Struct

KEPT_STRETCHES = 400
OTHER = "other"
"""The cause of standing still where nobody is on record for it."""


class Stretch(Struct, frozen=True, kw_only=True):
    """A time in which the engine stood still for one cause. `end_s` is `None` while it lasts."""

    rule: str
    """A rule's name, `user` or `other`."""
    start_s: float
    end_s: float | None = None


class Stood(Struct, frozen=True, kw_only=True):
    """What one cause took."""

    cause: str
    """A rule's name, `user` or `other`."""
    pauses: int
    """Those that it began; 0 for one that only went on with another one's pause."""
    seconds: float


class Standing:
    """Stretches of standing still on the axis of `RunState.active_s`, one after the other.

    Of several holds, the one that came first is the cause. Bounded: causes are few, and of the
    stretches the newest are kept.
    """

    def __init__(self) -> None:
        self.cause = OTHER
        self.seconds: dict[str, float] = {}
        """By cause, in the order in which they first came."""
        self._pauses: dict[str, int] = {}
        self._stretches: deque[Stretch] = deque(maxlen=KEPT_STRETCHES)
        self._open: Stretch | None = None

    @property
    def total_s(self) -> float:
        """Standing still, for whatever cause."""
        return sum(self.seconds.values())

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The newest, in order, the one that lasts included."""
        return (*self._stretches, self._open) if self._open is not None else (*self._stretches,)

    @property
    def by_cause(self) -> tuple[Stood, ...]:
        """Every cause that has begun a pause or prolonged one, the longest first."""
        causes = dict.fromkeys((*self._pauses, *self.seconds))
        found = [
            Stood(cause=c, pauses=self._pauses.get(c, 0), seconds=self.seconds.get(c, 0.0))
            for c in causes
        ]
        return tuple(sorted(found, key=lambda item: -item.seconds))

    def detach(self) -> None:
        """Share nothing that changes with whatever this is a copy of."""
        self.seconds, self._pauses = dict(self.seconds), dict(self._pauses)
        self._stretches = self._stretches.copy()

    def stand(self, seconds: float, now_s: float) -> None:
        """The engine has stood still for so long, until `now_s`, and that for the present cause."""
        if self._open is None or self._open.rule != self.cause:
            self._end(now_s - seconds)
            self._open = Stretch(rule=self.cause, start_s=now_s - seconds)
        self.seconds[self.cause] = self.seconds.get(self.cause, 0.0) + seconds

    def begin(self, now_s: float) -> None:
        """It stands still from here on."""
        self._pauses[self.cause] = self._pauses.get(self.cause, 0) + 1
        self._open = Stretch(rule=self.cause, start_s=now_s)

    def end(self, now_s: float) -> None:
        """It moves again, or nobody supervises it."""
        self._end(now_s)
        self._open, self.cause = None, OTHER

    def _end(self, now_s: float) -> None:
        if self._open is not None:
            ended = Stretch(rule=self._open.rule, start_s=self._open.start_s, end_s=now_s)
            self._stretches.append(ended)
