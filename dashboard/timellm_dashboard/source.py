"""Where a run's records come from and requests go to, and the loop that follows them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.events import JournalRecord, Progress, RunEnded

POLL_S = 0.5
GONE_AFTER_S = 5.0
"""A run without a supervisor is given this long before it is taken to have lost it."""


class RunSource(Protocol):
    """A run, as a client sees it."""

    def poll(self) -> list[JournalRecord]:
        """The records since the last call: the backlog first, a long one in pieces, then what is
        new. Only an empty answer means that nothing is left. Never waits."""
        ...

    def damaged(self) -> int:
        """How many lines of what `poll` has read are damaged, and were skipped."""
        ...

    def send(self, request: AnyRequest) -> Reply:
        """Ask the supervisor. May wait for its answer; one that is gone is an answer too."""
        ...

    def supervised(self) -> bool:
        """Whether somebody supervises the run."""
        ...


class Turn(Struct, frozen=True, kw_only=True):
    """What a look at the run brought."""

    view: View
    progressed: bool
    """Training has moved on since the look before."""
    supervised: bool
    last: bool
    """Nothing more will be looked at."""


def follow(
    source: RunSource,
    recorder: Recorder,
    look: Look,
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    now: Callable[[], datetime],
    stop: Callable[[], bool],
) -> Iterator[Turn]:
    """Look at a run until it has ended, `stop()` says so, or its supervisor has been gone for
    `GONE_AFTER_S`. The records go into `recorder`."""
    backlog = True
    waiting_since_t: float | None = None
    while True:
        # Asked first: what a supervisor wrote before it went is then among the records.
        supervised = source.supervised()
        progressed = run_ended = False
        while records := source.poll():
            recorder.take(records)
            progressed = progressed or any(isinstance(r.event, Progress) for r in records)
            run_ended = run_ended or any(isinstance(r.event, RunEnded) for r in records)
        recorder.damaged = source.damaged()
        t, state = monotonic(), recorder.state
        view = recorder.view(Moment(t=t, wall=now(), supervised=supervised), look)
        seen = run_ended and not backlog
        over = state.ended and (seen or not supervised)
        # A supervisor that is gone may be replaced; one of a run that had ended may be new, and
        # about to start it again.
        if supervised and not state.ended:
            waiting_since_t = None
        elif waiting_since_t is None:
            waiting_since_t = t
        waited = waiting_since_t is not None and t - waiting_since_t >= GONE_AFTER_S
        last = over or waited or state.engine == "imported" or stop()
        yield Turn(view=view, progressed=progressed, supervised=supervised, last=last)
        if last:
            return
        backlog = False
        sleep(POLL_S)
