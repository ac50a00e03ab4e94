"""A past run as if it went on now: its records come out at their own times, at any speed.

`Schedule` is pure: from the times of records to how many of them are due. `Replay` holds a place
in it, which moves on by a clock that it is given.
"""

import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from timellm_dashboard.words.refusals import refusal_words
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.events import JournalRecord, RunStarted
from timellm_ops.contract.reboot import latest_second

SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""What one step up or down leads to."""
SLOWEST, FASTEST = 0.1, 100_000.0
_PIECE = 5000
"""Records that one poll hands out."""
REFUSAL = refusal_words("en").replay


class Schedule:
    """When each record of a journal comes, in seconds of the run under supervision.

    Time between an end and a resume does not count, nor does a clock that went back (a reboot):
    the same axis as `RunState.active_s`. A record without a time comes with the one before it.
    """

    def __init__(self, records: Sequence[JournalRecord]) -> None:
        self.times: list[float] = []
        passed = 0.0
        before: float | None = None
        for record in records:
            if record.event.t is not None:
                t = latest_second(before, record.event.t)
                if before is not None and not isinstance(record.event, RunStarted):
                    passed += max(0.0, t - before)
                before = t
            self.times.append(passed)

    @property
    def total_s(self) -> float:
        """When the last record comes."""
        return self.times[-1] if self.times else 0.0

    def due(self, at_s: float) -> int:
        """How many records have come by second `at_s`."""
        return bisect_right(self.times, at_s)


def clock_text(seconds: float) -> str:
    """`02:31:05`."""
    whole = math.floor(max(0.0, seconds))
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


class Replay:
    """A source of records that somebody can hold, hurry and move. Safe to use from two threads."""

    def __init__(
        self,
        records: Sequence[JournalRecord],
        *,
        monotonic: Callable[[], float],
        speed: float = 1.0,
        at_s: float = 0.0,
        damaged: int = 0,
    ) -> None:
        """`monotonic` is the clock of whoever looks on, in seconds. `damaged`: lines of the journal
        that hold no record."""
        self.records = list(records)
        """All of them, whatever has come."""
        self._damaged = damaged
        self.schedule = Schedule(self.records)
        self._clock = monotonic
        self._lock = threading.RLock()
        self.speed = speed
        self.held = False
        self._base_s = min(max(0.0, at_s), self.schedule.total_s)
        self._base_t = monotonic()
        self._shown_s = self._base_s
        self._handed = 0
        self._caught_up = False
        self._generation = self._restart = 0
        self._kept: list[int] = []
        self.polled_generation = 0
        """Changes when what was handed out before must be forgotten: the place was moved back."""
        self.polled_restart = 0
        """How many records are not to be forgotten then: 0, or one of those told to `keep`."""

    # --- where it is -----------------------------------------------------------------------------

    @property
    def position_s(self) -> float:
        """Second of the run that has come."""
        with self._lock:
            moved = 0.0 if self.held else (self._clock() - self._base_t) * self.speed
            return min(self.schedule.total_s, self._base_s + max(0.0, moved))

    @property
    def finished(self) -> bool:
        """Everything has been handed out."""
        with self._lock:
            return self._handed >= len(self.records)

    @property
    def shown_s(self) -> float:
        """Second of the run up to which records were handed out: what is present to whoever takes
        them. The clocks stand there, or at a high speed an engine would seem silent that has
        spoken in the meantime."""
        with self._lock:
            return self._shown_s

    def monotonic(self) -> float:
        """The run's own monotonic second at what is shown."""
        record, rest = self._latest()
        t = None if record is None else record.event.t
        return rest if t is None else t + rest

    def now(self) -> datetime:
        """The run's own wall time at what is shown."""
        record, rest = self._latest()
        at = None if record is None else record.event.at
        return (at or datetime.fromtimestamp(0, UTC)) + timedelta(seconds=rest)

    def _latest(self) -> tuple[JournalRecord | None, float]:
        """The latest record with times of its own that has come, and the seconds since."""
        with self._lock:
            position = self._shown_s
            index = self.schedule.due(position) - 1
            while index >= 0:
                record = self.records[index]
                if record.event.t is not None and record.event.at is not None:
                    return record, position - self.schedule.times[index]
                index -= 1
            return None, position

    def text(self, word: str, of: str) -> str:
        """`REPLAY 60x 02:31:05 of 13:58:00`; held, `||` stands for the speed."""
        speed = "||" if self.held else f"{self.speed:g}x"
        total = clock_text(self.schedule.total_s)
        return f"{word} {speed} {clock_text(self.shown_s)} {of} {total}"

    # --- moving it -------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Hold it, or let it go on."""
        with self._lock:
            self._rebase(self.position_s)
            self.held = not self.held

    def faster(self) -> None:
        """One step up."""
        self._set_speed(next((s for s in SPEEDS if s > self.speed), SPEEDS[-1]))

    def slower(self) -> None:
        """One step down."""
        self._set_speed(next((s for s in reversed(SPEEDS) if s < self.speed), SPEEDS[0]))

    def _set_speed(self, speed: float) -> None:
        with self._lock:
            self._rebase(self.position_s)
            self.speed = speed

    def seek(self, to_s: float) -> None:
        """Go to that second, or as far as there is anything."""
        with self._lock:
            target = min(max(0.0, to_s), self.schedule.total_s)
            due = self.schedule.due(target)
            if due < self._handed:
                self._handed = self._restart = max((k for k in self._kept if k <= due), default=0)
                self._caught_up = False
                self._generation += 1
            self._rebase(target)

    def move(self, by_s: float) -> None:
        """Go on by so many seconds of the run, or back."""
        with self._lock:
            self.seek(self.position_s + by_s)

    def _rebase(self, position_s: float) -> None:
        self._base_s, self._base_t = position_s, self._clock()

    # --- as a source -----------------------------------------------------------------------------

    def poll(self) -> list[JournalRecord]:
        """The records that have come since the last call, a long stretch in pieces.

        Once it has caught up it answers with nothing for once, so that whoever polls until
        nothing is left comes to an end at any speed.
        """
        with self._lock:
            self.polled_generation, self.polled_restart = self._generation, self._restart
            if self._caught_up:
                self._caught_up = False
                return []
            position = self.position_s
            due = self.schedule.due(position)
            end = min(due, self._handed + _PIECE)
            self._shown_s = position if end == due else self.schedule.times[end - 1]
            records = self.records[self._handed : end]
            self._handed = max(self._handed, end)
            self._caught_up = 0 < len(records) < _PIECE
            return records

    def damaged(self) -> int:
        """Of the whole journal, wherever the replay is."""
        return self._damaged

    def keep(self, count: int) -> None:
        """Whoever takes the records has kept what the first `count` of them come to, and need not
        begin at the first one when the place is moved back."""
        with self._lock:
            self._kept.append(count)

    def send(self, request: AnyRequest) -> Reply:  # noqa: ARG002 - whatever it is
        """Nobody is there to ask."""
        return Reply(ok=False, message=REFUSAL)

    def supervised(self) -> bool:
        """As it was then."""
        return True
