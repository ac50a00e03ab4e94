"""The stop ladder: which signal an engine is sent next, and after how much patience."""

import signal

from msgspec import Struct

from timellm_ops.contract.commands import StopMode

RUNGS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
"""From asking to ending. A later rung is never followed by an earlier one."""

MODES: tuple[StopMode, ...] = ("after_checkpoint", "checkpoint", "now", "kill")
"""Ways to stop, from patient to abrupt. A run's way to stop only ever moves to the right."""


class Climb(Struct, frozen=True):
    """The rung that was last used, and its monotonic second."""

    number: int
    since_t: float


def next_signal(climb: Climb | None, lowest: int, now_t: float, grace_s: float) -> int | None:
    """The signal to send now, if any.

    `lowest` is the gentlest signal that the present way of stopping allows. Each rung is given
    `grace_s` seconds before the next one; after SIGKILL there is nothing left to send.
    """
    if climb is None or RUNGS.index(climb.number) < RUNGS.index(lowest):
        return lowest
    last = climb.number == RUNGS[-1]
    if last or now_t - climb.since_t < grace_s:
        return None
    return RUNGS[RUNGS.index(climb.number) + 1]


def is_stronger(mode: StopMode, than: StopMode | None) -> bool:
    """Whether asking for `mode` changes anything for a run that is already told to stop `than`."""
    return than is None or MODES.index(mode) > MODES.index(than)
