"""Our own engine's stream: `engine-events.jsonl`, one event a line."""

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from timellm_ops.contract.events import Event, decode_event

LONGEST_LINE = 1 << 22
"""A longer line is not an event of ours: it is passed over without being kept."""
_BLOCK = 1 << 18


class TimellmStream:
    """Reads on from `start` bytes, whole lines only; a line that is no event is passed over."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._read = start  # bytes of whole lines that have been read
        self._passing = False  # inside of a line that is too long
        self._size_seen = -1

    def poll(self) -> list[tuple[Event, int]]:
        """The events whose lines have ended since the last call, each with its line's end.

        A file that has become shorter than what was read of it is another one, and is read from
        its beginning.
        """
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size == self._size_seen:
                    return []
                if size < self._read:
                    self._read, self._passing = 0, False
                found = self._read_on(file)
                self._size_seen = size
        except OSError:
            return []
        return found

    def finish(self) -> list[tuple[Event, int]]:
        """What is left once the engine is gone. A line of ours without its end is torn."""
        return self.poll()

    def _read_on(self, file: BinaryIO) -> list[tuple[Event, int]]:
        found: list[tuple[Event, int]] = []
        file.seek(self._read)
        partial = b""
        while block := file.read(_BLOCK):
            *lines, partial = (partial + block).split(b"\n")
            for line in lines:
                self._read += len(line) + 1
                event = None if self._passing else _event(line)
                self._passing = False
                if event is not None:
                    found.append((event, self._read))
            if len(partial) > LONGEST_LINE:
                self._read += len(partial)
                self._passing, partial = True, b""
        return found


def _event(line: bytes) -> Event | None:
    try:
        return decode_event(line)
    except msgspec.MsgspecError:
        return None
