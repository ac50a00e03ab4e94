"""The growing `engine.log` of a foreign engine, as events."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from timellm_ops.adapters.published import PublishedLog
from timellm_ops.adapters.single_training import Whereabouts
from timellm_ops.contract.events import Event

_BLOCK = 1 << 20


class TrainingLog(Protocol):
    """Understands the output of one kind of program."""

    def feed(self, data: bytes) -> list[tuple[Event, int]]:
        """The events that are complete with these bytes, each with how many bytes of the output
        it accounts for: ever more, and never more than there were."""
        ...

    def finish(self) -> list[tuple[Event, int]]:
        """What is left at the end of the output."""
        ...

    def whereabouts(self) -> Whereabouts:
        """How far the last training in the output has come."""
        ...


class LogStream:
    """Reads the log from its first byte, for what a line means depends on those before it, and
    passes over the events up to `start` bytes, which are in the journal already."""

    def __init__(
        self, path: Path, start: int = 0, make: Callable[[], TrainingLog] = PublishedLog
    ) -> None:
        self._path = path
        self._make = make
        self._start = start
        self._size = 0  # bytes read
        self._log = make()

    def poll(self) -> list[tuple[Event, int]]:
        """The events that have become complete since the last call.

        A log that has become shorter than what is known of it is another one, and is read from
        its beginning.
        """
        found: list[tuple[Event, int]] = []
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < max(self._size, self._start):
                    self._start, self._size, self._log = 0, 0, self._make()
                self._read_on(file, found)
        except OSError:
            pass
        return found

    def finish(self) -> list[tuple[Event, int]]:
        """What is left once the engine is gone, its last line included if that has no end.

        A new stream is needed for what another engine adds to the log.
        """
        return self.poll() + self._new(self._log.finish())

    def _read_on(self, file: BinaryIO, found: list[tuple[Event, int]]) -> None:
        file.seek(self._size)
        while block := file.read(_BLOCK):
            self._size += len(block)
            found += self._new(self._log.feed(block))

    def _new(self, events: list[tuple[Event, int]]) -> list[tuple[Event, int]]:
        return [(event, offset) for event, offset in events if offset > self._start]
