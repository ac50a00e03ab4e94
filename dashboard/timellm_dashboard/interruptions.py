"""What kept a run from computing at full speed, and for how long: pauses by rule, and heat.

A fold over events, like `History`, and on the same axis: `RunState.active_s`.
"""

from collections import deque

from msgspec import Struct

from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample

KEPT_STRETCHES = 400
USER = "user"


class Stretch(Struct, frozen=True, kw_only=True):
    """A time in which the run stood still. `end_s` is `None` while it lasts."""

    rule: str
    start_s: float
    end_s: float | None = None


class Interrupted(Struct, frozen=True, kw_only=True):
    """All pauses of one rule."""

    rule: str
    pauses: int
    seconds: float


class Interruptions:
    """Folds events, one after the other. Bounded: rules are few, and old stretches go."""

    def __init__(self) -> None:
        self.throttled_s: float | None = None
        """Time in which the card said that heat slowed it down, pauses left out; `None` where it
        has never said what slows it down."""
        self.stretches: deque[Stretch] = deque(maxlen=KEPT_STRETCHES)
        self._pauses: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._rule = USER

    @property
    def by_rule(self) -> tuple[Interrupted, ...]:
        """Pauses by the rule that began them, the longest first."""
        found = [
            Interrupted(rule=rule, pauses=count, seconds=self._seconds.get(rule, 0.0))
            for rule, count in self._pauses.items()
        ]
        return tuple(sorted(found, key=lambda item: -item.seconds))

    def fold(self, before: RunState, after: RunState) -> None:
        """Take in that the run went from `before` to `after`."""
        passed_s = after.active_s - before.active_s
        if passed_s > 0 and before.standing:
            self._seconds[self._rule] = self._seconds.get(self._rule, 0.0) + passed_s
        elif passed_s > 0 and before.sample is not None and _is_hot(before.sample):
            self.throttled_s = (self.throttled_s or 0.0) + passed_s
        if self.throttled_s is None and after.sample is not None:
            told = after.sample.throttle_reasons is not None
            self.throttled_s = 0.0 if told else None
        if after.standing and not before.standing:
            self._begin(after)
        elif before.standing and not after.standing and self.stretches:
            last = self.stretches.pop()
            self.stretches.append(
                Stretch(rule=last.rule, start_s=last.start_s, end_s=after.active_s)
            )

    def _begin(self, after: RunState) -> None:
        self._rule = after.holds[0].rule if after.holds else USER
        self._pauses[self._rule] = self._pauses.get(self._rule, 0) + 1
        self.stretches.append(Stretch(rule=self._rule, start_s=after.active_s))


def _is_hot(sample: GpuSample) -> bool:
    return any("thermal" in reason for reason in sample.throttle_reasons or ())
