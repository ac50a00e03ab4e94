"""What the supervisor must remember of the journal that `RunState` does not hold.

A pure fold over the journaled events, like the state itself, so that a supervisor that takes over
a run knows exactly what the one before it knew.
"""

import msgspec
from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

SLOWEST_PACE = 0.01

_replace = msgspec.structs.replace


class Memory(Struct, frozen=True, kw_only=True):
    """Since the run was last started or resumed."""

    steps_before: int = 0
    """Steps of the whole run that were done when this start took it up."""
    measured_since_t: float | None = None
    """Since when the engine can be expected to read its control."""
    duty: float = 1.0
    """The pace that the policies want; the engine's confirmed one is `RunState.duty`."""
    finished: bool = False
    """Training came to its natural end."""
    failed: ev.FailureKind | None = None
    restarts_in_row: int = 0
    """How often the engine was started again without a further checkpoint since."""
    restart_t: float = 0.0
    """Monotonic second in which it is to be started again."""
    made_finer: bool = False
    """Batches are computed in more pieces already, for want of memory."""
    stop_t: float | None = None
    """Since when the run is told to stop; where a rule stops it, since that was said."""
    stop_acknowledged: bool = False
    saved_since_stop: bool = False
    saved_standing: bool = False
    """A checkpoint was saved during a pause: how an engine without a supervisor takes its leave."""
    stood_since_t: float | None = None
    """Monotonic second since which the engine stands, or stood as it left; `None`: it moves."""
    safe: str = ""
    """Why a foreign script may be stopped after its checkpoint; empty: not yet."""

    @property
    def all_done(self) -> bool:
        """Whether an engine of ours has nothing left to do, however it left then."""
        return self.finished and self.failed is None


def remember(memory: Memory, before: RunState, event: ev.Event) -> Memory:
    """The memory after `event`, which found the run in state `before`."""
    match event:
        case ev.RunStarted():
            return Memory(steps_before=before.step)
        case ev.TrainingStarted():
            done = (event.start_epoch - 1) * event.steps_per_epoch + event.start_iteration
            return _replace(memory, steps_before=done, measured_since_t=event.t)
        case ev.TrainingFinished() | ev.TestEvaluated():
            return _replace(memory, finished=True)
        case ev.EngineFailed():
            return _replace(memory, failed=event.kind)
        case ev.EngineRestart():
            return _replace(
                memory,
                failed=None,
                measured_since_t=None,
                saved_standing=False,
                stood_since_t=None,
                restarts_in_row=event.attempt,
                restart_t=(event.t or 0.0) + event.wait_s,
                made_finer=memory.made_finer or event.pieces > before.pieces,
            )
        case ev.ControlAcknowledged(desired="stop_now" | "stop_after_checkpoint"):
            return _replace(memory, stop_acknowledged=True)
        case ev.Paused():
            return _replace(memory, stood_since_t=event.t)
        case ev.Resumed():
            return _replace(memory, saved_standing=False, stood_since_t=None)
        case ev.CheckpointSaved():
            return _saved(memory, before, event)
        case ev.EarlyStopping():
            return _epoch_without_improvement(memory, before)
        case ev.Command() if event.what.startswith("stop "):
            return memory if before.stop is not None else _replace(memory, stop_t=event.t)
        case ev.PolicyDecision(action="stop"):
            again = before.stopping_for_hardware or before.stopping_for_failure
            return memory if again else _replace(memory, stop_t=event.t)
        case ev.PolicyDecision(action="pace") if event.value is not None:
            # Who is held back by a power limit does not rest as well.
            return _replace(memory, duty=1.0 if event.unit == "W" else pace_of(event.value))
        case _:
            return memory


def pace_of(value: float) -> float:
    """The share of the time that an engine is told to compute: never none, or it would hang."""
    return min(1.0, max(SLOWEST_PACE, value))


def _saved(memory: Memory, before: RunState, event: ev.CheckpointSaved) -> Memory:
    safe = memory.safe
    if before.stop == "after_checkpoint" and not safe:
        safe = f"the {event.kind} checkpoint is on disk"
    return _replace(
        memory,
        saved_since_stop=memory.saved_since_stop or before.stop is not None,
        saved_standing=before.standing,
        safe=safe,
        restarts_in_row=0 if _is_further(before, event) else memory.restarts_in_row,
    )


def _is_further(before: RunState, event: ev.CheckpointSaved) -> bool:
    """Whether it is of a later step than the one before: one is also told of again."""
    last = before.last
    if event.kind != "last" or last is None:
        return event.kind == "last"
    at, then = (event.epoch or 0, event.iteration or 0), (last.epoch or 0, last.iteration or 0)
    return at > then


def _epoch_without_improvement(memory: Memory, before: RunState) -> Memory:
    if before.stop != "after_checkpoint" or memory.safe:
        return memory
    if before.best is None or before.writing == "best":
        return memory  # still on its way to the disk: being saved is what makes it safe
    return _replace(
        memory,
        safe=(
            f"epoch {before.epoch} brought no improvement, and the best checkpoint, of epoch"
            f" {before.best.epoch}, is already on disk"
        ),
    )
