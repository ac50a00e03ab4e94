"""How a foreign engine is steered, which has no control file: its processes are stopped and let go
on. Pure."""

from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.effects import AnyEffect, Continue, Rest, Suspend, Wake
from timellm_ops.supervisor.stop_pacing import Account, next_account


def stand_or_move(run: RunState, *, leaving: bool) -> AnyEffect | None:
    """What makes it stand or move as the holds want.

    `leaving`: it has been sent a signal to end. A stopped process takes none but SIGKILL, so from
    then on it is left to move, whatever holds there are.
    """
    moves = leaving or run.desired != "pause"
    if run.standing and moves:
        return Continue()
    if not run.standing and not moves:
        return Suspend()
    return None


def rest_or_wake(before: Account, duty: float, now_t: float) -> tuple[Account, AnyEffect | None]:
    """The account of its stops by now, and what changes, for it to compute `duty` of the time."""
    after = next_account(before, duty, now_t)
    if after.resting == before.resting:
        return after, None
    return after, Rest() if after.resting else Wake()
