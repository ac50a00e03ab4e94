"""When the engine said nothing for too long while it was to work: hung, stopped by a stranger, or
waiting for a disk.

How long is too long follows from how often this engine has spoken so far. A silence counts from the
engine's last word on, so it is known to be one only when much of it has passed.
"""

from collections import deque

from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

CAUSE = "silent"
KEPT_STRETCHES = 400
_SHORTEST_S = 120.0
_SHORTEST_OF_A_SCRIPT_S = 3600.0
"""A script evaluates without a word."""
_USUAL_TIMES = 6.0
_UNRECORDED_S = 150.0
"""So long without any record, the machine slept, or nobody watched: that is no engine's silence.
Longer than the minute that readings may be apart."""
_ENDS = frozenset({*ev.WORDS_OF_THE_ENGINE, *ev.TAKES_CHARGE, ev.EngineExited, ev.RunEnded})


def usual_gap_s(state: RunState, progress_interval_s: float | None) -> float | None:
    """What usually passes between two of the engine's words at this place of a run; `None`: not
    known, or nothing is due. `progress_interval_s` is what does in training."""
    return progress_interval_s if state.solving is None else state.solving.due_s


def is_too_long(silence_s: float, usual_s: float, state: RunState) -> bool:
    """Whether an engine that usually speaks every `usual_s` has said nothing for too long."""
    script = state.engine == "foreign"
    shortest_s = _SHORTEST_OF_A_SCRIPT_S if script else _SHORTEST_S
    return silence_s > max(shortest_s, _USUAL_TIMES * usual_s)


class SilentStretch(Struct, frozen=True, kw_only=True):
    """A time without a word. `end_s` is `None` while it lasts."""

    start_s: float
    end_s: float | None = None


class Silence:
    """Folds events, on the axis of `RunState.active_s`. Bounded: the newest stretches are kept."""

    def __init__(self) -> None:
        self.heard_s = 0.0
        """Where the engine was last heard of, or was not to be heard of."""
        self.began_s: float | None = None
        """Where the present silence began; `None`: there is none."""
        self.found_s = 0.0
        """Seconds that the newest event has shown to be silent: those that led to it, and with the
        first of them all since the engine's last word."""
        self.usual_s = 0.0
        """After how long a word was due in the present silence."""
        self._stretches: deque[SilentStretch] = deque(maxlen=KEPT_STRETCHES)

    @property
    def stretches(self) -> tuple[SilentStretch, ...]:
        """The newest, in order, the one that lasts included."""
        if self.began_s is None:
            return (*self._stretches,)
        return (*self._stretches, SilentStretch(start_s=self.began_s))

    def fold(
        self, before: RunState, event: ev.Event, after: RunState, usual_s: float | None
    ) -> None:
        """Take in `event`, which led from `before` to `after`; the engine's words usually come
        `usual_s` apart."""
        now_s = after.active_s
        passed_s = now_s - before.active_s
        self.found_s = 0.0
        if (
            self.began_s is None
            and now_s - self.heard_s <= _SHORTEST_S
            and passed_s <= _UNRECORDED_S
        ):  # nearly every event
            if type(event) in _ENDS:
                self.heard_s = now_s
            return
        if (
            usual_s is None
            or before.standing
            or before.activity not in ("training", "evaluating")
            or before.outcome is not None
            or passed_s > _UNRECORDED_S
            or type(event) in ev.TAKES_CHARGE
        ):
            self._end(before.active_s)
            self.heard_s = now_s
            return
        if self.began_s is not None:
            self.found_s = passed_s
        elif not before.holds and is_too_long(now_s - self.heard_s, usual_s, before):
            self.began_s, self.usual_s = self.heard_s, usual_s
            self.found_s = now_s - self.heard_s
        if type(event) in _ENDS:
            self._end(now_s)
            self.heard_s = now_s

    def _end(self, now_s: float) -> None:
        if self.began_s is not None:
            self._stretches.append(SilentStretch(start_s=self.began_s, end_s=now_s))
            self.began_s = None
