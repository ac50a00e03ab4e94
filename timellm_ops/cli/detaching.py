"""`run --detach`: how a run has begun, for whoever starts it and does not look."""

import time

from timellm_ops.client import RunClient
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import JournalFollower

_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05


def wait_until_under_way(layout: RunLayout, journal_offset: int) -> ev.RunEnded | None:
    """Wait for the engine, or for the run's end before there is one: a GPU that another run has, or
    that is full or not there, is found by the supervisor, which has been started by then.

    `journal_offset`: bytes of the journal that were there before. `None`: it is under way, or has
    said neither within 30 s.
    """
    journal, client = JournalFollower(layout.journal, journal_offset), RunClient(layout)
    give_up_t = time.monotonic() + _WITHIN_S
    while time.monotonic() < give_up_t:
        supervised = client.supervised()  # before the look: its last words are on record by then
        for record in journal.poll():
            if isinstance(record.event, ev.EngineStarted):
                return None
            if isinstance(record.event, ev.RunEnded):
                return record.event
        if not supervised:
            return None
        time.sleep(_LOOK_EVERY_S)
    return None
