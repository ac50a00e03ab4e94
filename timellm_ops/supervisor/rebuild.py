"""What a supervisor knows when it takes up a run that has a past: the journal, folded."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.control import Control
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_ops.supervisor.core import RECENT_SAMPLES, Supervision
from timellm_ops.supervisor.memory import Memory, remember


class Past(Struct, frozen=True, kw_only=True):
    """A run as its journal tells it."""

    run: RunState = RunState()
    memory: Memory = Memory()
    recent: tuple[TimedSample, ...] = ()
    """The latest readings of the GPU, oldest first."""
    engine_offset: int = 0
    """Bytes of the engine's own stream that are in the journal already."""


def recall(records: Iterable[ev.JournalRecord]) -> Past:
    """Fold a whole journal. One pass; nothing but the last readings is kept besides the state."""
    run, memory, offset = RunState(), Memory(), 0
    recent: deque[TimedSample] = deque(maxlen=RECENT_SAMPLES)
    for record in records:
        event = record.event
        memory = remember(memory, run, event)
        run = reduce(run, event)
        if record.engine_offset is not None:
            offset = record.engine_offset
        if isinstance(event, ev.Telemetry) and event.t is not None:
            recent.append(TimedSample(event.t, event.sample))
    return Past(run=run, memory=memory, recent=tuple(recent), engine_offset=offset)


def take_over(past: Past, control: Control | None, now_t: float) -> Supervision:
    """The supervisor's knowledge for an engine that still lives, so within one boot.

    `control` is what the engine was last told, as it is on disk.
    """
    return Supervision(
        run=past.run,
        memory=past.memory,
        recent=tuple(sample for sample in past.recent if sample.t <= now_t),
        control=control,
        control_t=now_t,
    )


def start_anew(past: Past, control: Control | None) -> Supervision:
    """The same for an engine that is yet to be launched: old readings say nothing any more."""
    return Supervision(run=past.run, memory=past.memory, control=control)
