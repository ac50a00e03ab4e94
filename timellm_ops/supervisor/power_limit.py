"""The card's power limit: which one to ask the probe for, and what its answer means. Pure."""

from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.probe.protocol import PowerAnswer

POWER_LIMIT_WITHIN_S = 10.0
"""A power limit that is not answered for so long is asked for again."""


class AskedPower(Struct, frozen=True):
    """A power limit, in watts, and the monotonic second in which it was asked for."""

    limit_w: float
    t: float


def next_power(run: RunState, asked: AskedPower | None, now_t: float) -> AskedPower | None:
    """What to ask for now: the limit that the policies want, or once they want none, the one that
    was found. `None`: nothing, since it is so already or has just been asked for."""
    power = run.power
    if power is None or power.refused:
        return None
    wanted_w = power.found_w if run.pace.power_limit_w is None else run.pace.power_limit_w
    if asked is None:
        return None if wanted_w == power.limit_w else AskedPower(wanted_w, now_t)
    if asked.limit_w == wanted_w and now_t - asked.t < POWER_LIMIT_WITHIN_S:
        return None
    return AskedPower(wanted_w, now_t)


def power_to_restore(run: RunState, asked: AskedPower | None) -> float | None:
    """The power limit, in watts, that the card was found with and may not have now."""
    power = run.power
    if power is None:
        return None
    return None if power.limit_w == power.found_w and asked is None else power.found_w


def power_event(answered: PowerAnswer) -> ev.PowerLimitSet | ev.PowerLimitRefused:
    """What a probe's answer to a power limit is to the journal."""
    if answered.problem:
        return ev.PowerLimitRefused(limit_w=answered.limit_w, reason=answered.problem)
    return ev.PowerLimitSet(limit_w=answered.limit_w)
