"""The stop ladder: which signal an engine is sent next, and after how much patience."""

import signal

from msgspec import Struct

from timellm_ops.contract.commands import StopMode, stronger
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.memory import Memory

RUNGS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
"""From asking to ending. A later rung is never followed by an earlier one."""

HARDWARE_STOP_PATIENCE_S = 60.0
"""How long an engine may take to save itself when a rule stops it: for the hardware's sake, or
because training has failed, which an engine that hangs would never hear."""


class Climb(Struct, frozen=True):
    """The rung that was last used, and its monotonic second."""

    number: int
    since_t: float


def lowest_signal(run: RunState, memory: Memory, now_t: float) -> int | None:
    """The gentlest signal that the run's way of stopping calls for; `None`: control will do."""
    match run.stop:
        case None:
            return None
        case "kill":
            return signal.SIGKILL
        case "now":
            return signal.SIGTERM
        case "checkpoint" if run.engine == "foreign":
            return signal.SIGINT
        case "after_checkpoint" if run.engine == "foreign" and memory.safe:
            return signal.SIGINT
        case _:
            pass
    waited = 0.0 if memory.stop_t is None else now_t - memory.stop_t
    by_a_rule = run.stopping_for_hardware or run.stopping_for_failure
    if by_a_rule and waited > HARDWARE_STOP_PATIENCE_S:
        return signal.SIGTERM
    return None


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
    return stronger(mode, than) != than
