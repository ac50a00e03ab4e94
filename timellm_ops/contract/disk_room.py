"""Room on the disk: how much must be free for a run to begin, to stand, and to go on. Pure."""

from timellm_ops.contract.state import RunState

LEAST_TO_WRITE_BYTES = 16 << 20
"""Room for what a run writes besides checkpoints, before it is stopped for want of it again."""


def room_to_write(checkpoint_bytes: float, margin_bytes: float) -> float:
    """What must be free for the next checkpoint to be written while the one before it stands.

    A run that has less is paused before it writes. The margin is for journal, logs and reports.
    """
    return checkpoint_bytes + margin_bytes


def room_to_go_on(to_write_bytes: float, checkpoint_bytes: float, margin_bytes: float) -> float:
    """What must be free for a run to begin, to be resumed, or to go on after such a pause.

    `to_write_bytes`: what it will add to what is on the disk already. Always some more than
    `room_to_write`, so that a run which has just begun is not paused at once.
    """
    needed = max(to_write_bytes, checkpoint_bytes + LEAST_TO_WRITE_BYTES)
    return needed + margin_bytes


def saved_bytes(state: RunState) -> int | None:
    """The size of the larger of the checkpoints that were saved; `None`: none was.

    The one that is replaced stands until the next is whole, so that one needs as much room.
    """
    return max((c.bytes for c in (state.best, state.last) if c is not None), default=None)


def has_no_room(state: RunState) -> bool:
    """Whether the next checkpoint of our own engine would not fit on the disk, by the last look.

    A rule's hold says so too, which keeps a margin.
    """
    if state.engine != "timellm":
        return False
    if any(hold.rule == "disk" for hold in state.holds):
        return True
    free = None if state.host is None else state.host.disk_free_bytes
    return free is not None and free < max(1, saved_bytes(state) or 0)
