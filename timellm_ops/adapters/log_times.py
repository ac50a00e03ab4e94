"""When the lines of an engine's log were printed, followed as journal and log grow.

A log has no times of its own. Where one of its lines, or a place that a foreign engine's event
accounts for, goes with a record of the journal (see `log_moments`), that record tells the time.
What lies between two such places came with the later one at the latest.
"""

import io
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from timellm_ops.adapters.log_moments import Key, key_of_event, keyed_lines
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord

_PIECE_BYTES = 256 * 1024
"""Of the log at a time, so that what waits for its record stays little."""
_FIRST_OF_TWO = b"\titers:"
"""A record of progress is two lines, which are taken in together."""
_KEPT_LINES = 10_000
"""Lines that wait for a record at most: a record comes within seconds."""


class LogTimes:
    """Pairs places of the log with times; each call of `catch_up` takes in what is new alone."""

    def __init__(self, log: Path, follow: Callable[[], Callable[[], list[JournalRecord]]]) -> None:
        """`follow` begins to read the run's journal, from its start: the records since the last
        call, a long backlog in pieces, and none once nothing is left."""
        self._log, self._follow = log, follow
        self._begin()

    def _begin(self) -> None:
        self.ends = array("Q")
        """Bytes of the log up to each place, ever more."""
        self.at_s = array("d")
        """When it had that many, in seconds since 1970; never less than before."""
        self._poll = self._follow()
        self._own = False
        self._exited_s: float | None = None
        self._read = 0  # bytes of the log whose lines were looked at
        self._records = 0
        self._paired = -1  # the number of the latest record that has its line
        self._places: dict[Key, deque[tuple[int, float]]] = {}
        self._keys: deque[tuple[int, Key]] = deque()
        self._lines: deque[tuple[Key, int]] = deque(maxlen=_KEPT_LINES)  # that have no record yet

    def catch_up(self) -> None:
        """Take in what journal and log have got. Raises `OSError`."""
        size = self._log.stat().st_size
        if size < self._read or (self.ends and size < self.ends[-1]):
            self._begin()  # it was cut off, or is another one
        # The log's size was taken first: what it has got by then, a record read later may tell of.
        while records := self._poll():
            self._take(records)
            self._pair(size)
        self._pair(size, to_end=True)
        if self._exited_s is not None:
            self._add(size, self._exited_s)

    def _take(self, records: Iterable[JournalRecord]) -> None:
        for record in records:
            event, number = record.event, self._records
            self._records += 1
            match event:
                case ev.RunStarted():
                    self._own = event.engine == "timellm"
                case ev.EngineStarted():
                    self._exited_s = None
                case ev.EngineExited() if event.at is not None:
                    self._exited_s = event.at.timestamp()
                case _:
                    pass
            if event.at is None:
                continue
            if not self._own:
                if record.engine_offset is not None:
                    self._add(record.engine_offset, event.at.timestamp())
                continue
            key = key_of_event(event)
            if key is not None:
                self._places.setdefault(key, deque()).append((number, event.at.timestamp()))
                self._keys.append((number, key))

    def _pair(self, size: int, *, to_end: bool = False) -> None:
        """Give the lines of our own engine the records that they came with. While more records are
        to come, the log is read no further than they reach."""
        if not self._own:
            return
        while True:
            self._pair_lines()
            enough = not self._keys or len(self._lines) > _KEPT_LINES // 2
            if enough and not to_end:
                return
            lines = self._next_lines(size)
            if not lines:
                return
            self._lines.extend(keyed_lines(lines, self._read))
            self._read += sum(map(len, lines))

    def _pair_lines(self) -> None:
        """Pair what can be paired. Lines before the latest of these are given up: their record is
        missing, for records come in the order of the lines."""
        done = 0
        for index, (key, end) in enumerate(self._lines):
            found = self._places.get(key)
            if found:
                self._paired, at_s = found[0]
                self._add(end, at_s)
                self._forget()
                done = index + 1
        for _ in range(done):
            self._lines.popleft()

    def _forget(self) -> None:
        """Records before the latest that was paired get no line any more."""
        while self._keys and self._keys[0][0] <= self._paired:
            _, key = self._keys.popleft()
            places = self._places[key]
            places.popleft()
            if not places:
                del self._places[key]

    def _next_lines(self, size: int) -> list[bytes]:
        """Whole lines from where the log was read to, of at most a piece; none: there is no more.
        A line that is longer than a piece is taken in pieces."""
        with self._log.open("rb", buffering=0) as file:
            length = min(_PIECE_BYTES, size - self._read)
            data = os.pread(file.fileno(), length, self._read) if length > 0 else b""
        lines = io.BytesIO(data).readlines()
        if lines and not lines[-1].endswith(b"\n") and len(lines[-1]) < _PIECE_BYTES:
            del lines[-1]
        if lines and lines[-1].startswith(_FIRST_OF_TWO):
            del lines[-1]
        return lines

    def _add(self, end: int, at_s: float) -> None:
        if self.ends and end <= self.ends[-1]:
            return
        self.ends.append(end)
        self.at_s.append(max(at_s, self.at_s[-1]) if self.at_s else at_s)
