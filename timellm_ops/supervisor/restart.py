"""Whether an engine that ended unasked is started again from its last checkpoint. Pure.

An engine that was killed (by the system for want of memory, most often) or that crashed has lost
no more than the steps since its last checkpoint, so it is started again, each time in a row after
twice the wait. One that gets no further than the last time is not started for ever; one that has
told why it cannot go on, such as a loss that is no number, would only say it again.
"""

from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.memory import Memory
from timellm_ops.supervisor.outcome import how, left_as_told

LONGEST_WAIT_S = 600.0
FINER = 2
"""A batch that did not fit into memory is computed in so many times as many pieces."""


class Patience(Struct, frozen=True, kw_only=True):
    """How often, and after how long, as `[supervisor]` has it."""

    restarts: int = 0
    restart_after_s: float = 10.0
    orphan_after_s: float = 60.0
    """How long the supervisor may be away before a paused engine begins to think of leaving."""


def restart(
    patience: Patience,
    state: RunState,
    memory: Memory,
    exited: ev.EngineExited,
    away_t: float | None = None,
) -> ev.EngineRestart | None:
    """What is to be done about an engine that has gone; `None`: the run is over.

    A script of somebody else's has no way to go on. A GPU that is gone is no place to start on.
    `away_t` is when this supervisor last came back from having been away for longer than
    `Patience.orphan_after_s`: an engine that has saved and left meanwhile has only done without it.
    """
    if state.engine != "timellm" or state.stop is not None or memory.all_done:
        return None
    if memory.restarts_in_row >= patience.restarts or _gpu_is_gone(state):
        return None
    if memory.failed == "memory":
        return _in_finer_pieces(patience, state, memory)
    if memory.failed is None and _was_left_alone(memory, exited, away_t):
        reason = "the engine had saved and left, for its supervisor had hung while it was paused"
        return _again(patience, memory, reason, state.pieces)
    if memory.failed is not None or not _crashed(memory, exited):
        return None
    return _again(patience, memory, how(exited), state.pieces)


def restart_unstarted(
    patience: Patience, state: RunState, memory: Memory, problem: str
) -> ev.EngineRestart | None:
    """The same about an engine that could not even be started: for want of memory or room, or
    since another run has its GPU, any of which may pass."""
    if memory.restarts_in_row >= patience.restarts:
        return None
    return _again(patience, memory, problem, state.pieces)


def due(memory: Memory, now_t: float) -> bool:
    """Whether the wait is over. A clock that began anew since (a reboot) ends it too."""
    left_s = memory.restart_t - now_t
    return left_s <= 0.0 or left_s > LONGEST_WAIT_S


def _was_left_alone(memory: Memory, exited: ev.EngineExited, away_t: float | None) -> bool:
    """Whether it has followed its orphan rule, in a pause in which its supervisor was away."""
    left_well = exited.signal is None and exited.code in (0, None)
    if not (left_well and memory.saved_standing) or away_t is None:
        return False
    return memory.stood_since_t is not None and away_t > memory.stood_since_t


def _crashed(memory: Memory, exited: ev.EngineExited) -> bool:
    if exited.signal is not None:
        return True
    if exited.code is None:
        return not left_as_told(memory)
    return exited.code not in (0, 2, 3)


def _gpu_is_gone(state: RunState) -> bool:
    went = state.telemetry_gone and state.peak_temperature_c is not None
    return went or state.gpu_lost_reason != ""


def _in_finer_pieces(
    patience: Patience, state: RunState, memory: Memory
) -> ev.EngineRestart | None:
    """Once: a second time it is not the batch that is too large."""
    if memory.made_finer:
        return None
    pieces = FINER * state.pieces
    return _again(patience, memory, f"{state.failure}; from here on in {pieces} pieces", pieces)


def _again(patience: Patience, memory: Memory, reason: str, pieces: int) -> ev.EngineRestart:
    wait_s = min(LONGEST_WAIT_S, patience.restart_after_s * 2.0**memory.restarts_in_row)
    return ev.EngineRestart(
        reason=reason, attempt=memory.restarts_in_row + 1, wait_s=wait_s, pieces=pieces
    )
