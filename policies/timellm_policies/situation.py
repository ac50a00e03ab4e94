"""What every rule is shown: the keys in force, where the run stands, and the time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.state import Hold, RunState
from timellm_ops.contract.telemetry import TimedSample

Standing = Literal["off", "watching", "told", "holding", "overridden", "unknown"]
"""`off`: the rule does nothing; `told`: what it tells a person of is so now, and it has told them;
`unknown`: what it watches cannot be told."""


class Situation(Struct, frozen=True, kw_only=True):
    """A run at one moment."""

    policy: PolicySection
    state: RunState
    recent: Sequence[TimedSample] = ()
    """The latest readings of the GPU, oldest first."""
    now_t: float
    """Monotonic seconds."""
    now_at: datetime | None = None
    """The same moment in UTC, for rules that go by the clock on the wall; `None`: not known."""

    def hold_of(self, rule: str) -> Hold | None:
        """The hold that `rule` has on the run."""
        return next((hold for hold in self.state.holds if hold.rule == rule), None)

    def held_s(self, hold: Hold) -> float:
        """Seconds since a hold began; without end where nobody knows."""
        return float("inf") if hold.since_t is None else self.now_t - hold.since_t

    def may_tell(self, rule: str, about: str, again_after_s: float = float("inf")) -> bool:
        """Whether an alert was not given yet, or so long ago that it may be given again."""
        told = next((t for t in self.state.told if (t.rule, t.about) == (rule, about)), None)
        if told is None:
            return True
        return told.t is not None and self.now_t - told.t >= again_after_s

    @property
    def at_work(self) -> bool:
        """The engine is there, moves, and is not asked to stand still."""
        state = self.state
        return state.engine_pid is not None and not (state.standing or state.holds or state.ended)


class Terms(Struct, frozen=True, kw_only=True):
    """When a hold ends, by the keys in force."""

    until: str
    """Half a sentence."""
    expected_s: float | None = None
    """How long a hold lasts from its begin to its end, about."""
    least_s: float | None = None
    """How long it lasts at least, whatever is measured; `None`: no such time."""


class RuleStatus(Struct, frozen=True, kw_only=True):
    """A rule as it stands: what it sees, where its threshold is, and what it would do next."""

    rule: str
    standing: Standing
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    next: str
    """One plain sentence."""
