"""What the engine says: typed events into their file, published lines to standard output.

Both are files that a disk may refuse to take. Training does not end of that: what could not be
written waits in memory, in order, and is tried again with whatever comes next.
"""

import os
from collections import deque
from pathlib import Path
from typing import Self

import msgspec

from timellm_engine.clock import Clock
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import AlertLevel, Event, decode_event, encode_event
from timellm_ops.contract.masking import Mask, secrets_of

MAX_PENDING = 20_000
"""Lines that wait in memory while the disk takes none: a few megabytes."""

_EXPENDABLE = (ev.Progress, ev.HeadProgress, ev.ForecastsTimed, ev.EvaluationProgress)


class PatientWriter:
    """Appends whole lines to a descriptor, one write each; never raises for a disk."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._pending: deque[tuple[bytes, bool]] = deque()
        self._begun = False  # the first pending line is partly written already
        self.dropped = 0
        """Lines given up because too many were waiting."""

    @property
    def waiting(self) -> int:
        """Lines that the disk has not taken yet."""
        return len(self._pending)

    def write(self, line: bytes, *, expendable: bool = False) -> None:
        """Append `line`, which has its line end, now or when the disk takes it again."""
        self._pending.append((line, expendable))
        self.flush()

    def flush(self) -> bool:
        """Write what waits; whether nothing is left."""
        try:
            while self._pending:
                line, expendable = self._pending[0]
                written = os.write(self.descriptor, line)
                if written < len(line):
                    self._pending[0] = (line[written:], expendable)
                    self._begun = self._begun or written > 0
                    continue
                self._pending.popleft()
                self._begun = False
        except OSError:
            self._drop_surplus()
        return not self._pending

    def _drop_surplus(self) -> None:
        """Give up the oldest line that can be spared; never the rest of a line that is begun."""
        first = 1 if self._begun else 0
        while len(self._pending) > MAX_PENDING:
            waiting = range(first, len(self._pending))
            index = next((i for i in waiting if self._pending[i][1]), first)
            del self._pending[index]
            self.dropped += 1


class Emitter:
    """Events and lines, each stamped and written at once."""

    def __init__(self, events: int, output: int, clock: Clock, mask: Mask | None = None) -> None:
        self.mask = mask or Mask()
        self._events, self._output = PatientWriter(events), PatientWriter(output)
        self._clock = clock

    @classmethod
    def open(cls, events: Path, clock: Clock, output: int = 1) -> Self:
        """Append to the file `events` and to the descriptor `output`. Raises `OSError`.

        A last line without its end (an engine was killed while writing) is ended first, so that
        it spoils no line but itself. No secret of this process's environment is written.
        """
        descriptor = os.open(events, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        emitter = cls(descriptor, output, clock, Mask(secrets_of(os.environ)))
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            emitter._events.write(b"\n")
        return emitter

    def event(self, event: Event) -> None:
        """Put `event` on record, with the time of now on both clocks."""
        stamped = msgspec.structs.replace(event, at=self._clock.wall(), t=self._clock.monotonic())
        line = self.mask.json_line(encode_event(stamped) + b"\n", decode_event)
        self._events.write(line, expendable=isinstance(event, _EXPENDABLE))

    def line(self, text: str) -> None:
        """Print `text`, of one or more lines."""
        self._output.write(self.mask.text(text).encode("utf-8", "replace") + b"\n")

    def alert(self, message: str, *, level: AlertLevel = "warning") -> None:
        """Say what a person should know: as an event, and in the log."""
        self.event(ev.Alert(level=level, message=message))
        self.line(message)

    def flush(self) -> bool:
        """Try again to write what the disk refused; whether nothing is left."""
        events, output = self._events.flush(), self._output.flush()
        return events and output

    @property
    def untold(self) -> int:
        """Events that the disk has not taken yet."""
        return self._events.waiting

    def close(self) -> None:
        """Write what can be written, and let go of the file of events."""
        self.flush()
        os.close(self._events.descriptor)
