"""What the commands need to know of a run before they do anything with it."""

from timellm_ops.app import Order, start_supervisor
from timellm_ops.client import RunClient
from timellm_ops.contract.events import RunEnded
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.journal import newest_record, read_records


def state_of(layout: RunLayout) -> RunState:
    """Where a run stands, from its journal."""
    state = RunState()
    for record in read_records(layout.journal):
        state = reduce(state, record.event)
    return state


def ensure_supervised(layout: RunLayout) -> bool:
    """Start a supervisor for a run that has lost its own; whether that was needed.

    It adopts the engine, or writes the end of a run whose engine is gone too. A run that has
    ended needs none. Raises `SupervisorFailed`.
    """
    if RunClient(layout).supervised():
        return False
    newest = newest_record(layout.journal)
    if newest is not None and isinstance(newest.event, RunEnded):
        return False  # no need to read a night's journal for that
    state = state_of(layout)
    if state.ended or state.engine == "imported" or not state.run_id:
        return False  # the last: whoever made its folder is about to start it
    start_supervisor(Order(root=str(layout.root), mode="adopt"))
    return True
