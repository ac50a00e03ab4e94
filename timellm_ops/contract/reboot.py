"""A run whose machine was started anew: monotonic seconds of before mean nothing any more. Pure.

Only within one boot do they never run backwards, so a journal whose time falls tells of a reboot.
Kept as they were, they would lie in a future that comes after days of uptime: no hold would be
lifted, nothing read would count as newer than the last resume, and no pace would be due.
"""

from datetime import datetime

import msgspec

from timellm_ops.contract.state import Override, RunState

CLOCK_FELL_S = 60.0
"""Two writers may tell of one moment in either order; a fall of more than this is a reboot."""

_replace = msgspec.structs.replace


def is_another_boot(latest_t: float | None, t: float) -> bool:
    """Whether second `t` is told by a clock that began anew since `latest_t`."""
    return latest_t is not None and t < latest_t - CLOCK_FELL_S


def latest_second(latest_t: float | None, t: float) -> float:
    """How far a journal's clock is with a record of second `t` after one of `latest_t`."""
    return t if latest_t is None or is_another_boot(latest_t, t) else max(latest_t, t)


def of_another_boot(state: RunState, now_t: float, now_at: datetime | None) -> RunState:
    """`state` as it is at the first moment known of the new boot, on both clocks.

    What is in force stays so and counts from now; what was measured is of no known age.
    """
    return _replace(
        state,
        holds=tuple(_replace(hold, since_t=now_t) for hold in state.holds),
        resumed_t=None,
        overrides=tuple(_moved(override, now_t, now_at) for override in state.overrides),
        told=tuple(_replace(told, t=now_t) for told in state.told),
        pace=_replace(state.pace, since_t=None),
        moving_since_t=None,
        engine_started_t=None,
        engine_word_t=None,
        restart_t=None,
        sample_t=None,
        host_t=None,
        ecc_errors_before=None,
        gpu_lost_t=None if state.gpu_lost_t is None else now_t,
        watched_since_t=None if state.watched_since_t is None else now_t,
        paused_since_t=None if state.paused_since_t is None else now_t,
    )


def _moved(override: Override, now_t: float, now_at: datetime | None) -> Override:
    """The same end on the new monotonic clock; at once where the wall clock does not tell it."""
    if override.until_at is None or now_at is None:
        return _replace(override, until_t=now_t)
    left_s = (override.until_at - now_at).total_seconds()
    return _replace(override, until_t=now_t + left_s)
