"""Now, as far as a view depends on it."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from timellm_ops.contract.state import RunState


class Moment(Struct, frozen=True, kw_only=True):
    """The present, on both clocks, and whether somebody supervises the run."""

    t: float
    """Monotonic seconds of this machine, comparable with `RunState.t` within one boot."""
    wall: datetime
    supervised: bool = True
    replay: str = ""
    """`REPLAY 60x 02:31:05 of 13:58:00` where the present is a past that is shown again."""

    def since(self, t: float | None) -> float | None:
        """Seconds since monotonic second `t`; `None` where that can't be told, as after a reboot
        or for an imported log."""
        return None if t is None or t > self.t + 1.0 else max(0.0, self.t - t)


def unrecorded_s(state: RunState, moment: Moment) -> float:
    """Seconds from the newest record to now, of a run that somebody watches; 0 of any other: what
    went on there since is not known."""
    if not is_watched(state, moment):
        return 0.0
    return moment.since(state.t) or 0.0


def state_at(state: RunState, moment: Moment) -> RunState:
    """`state` with the time since the newest record counted, as the next one will count it."""
    passed_s = unrecorded_s(state, moment)
    if passed_s <= 0.0:
        return state
    return replace(
        state,
        active_s=state.active_s + passed_s,
        paused_s=state.paused_s + (passed_s if state.standing else 0.0),
    )


def is_watched(state: RunState, moment: Moment) -> bool:
    """Whether what is on record is how things are now."""
    return moment.supervised and not state.ended and state.engine != "imported"
