"""The output of any program, piece by piece: what stands between two line ends or carriage returns.

A progress bar is redrawn with a carriage return, so every state of it is a piece of its own.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_PIECE = 4096
"""Bytes of a piece that are looked at; of a longer one, its beginning."""

_END = re.compile(rb"[\r\n]")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,16}[@-~]")


class Piece(NamedTuple):
    """`end`: bytes of the whole output up to and with the character that ends it."""

    text: str
    end: int


class LogPieces:
    """Takes the output in chunks split anywhere; the pieces depend on the bytes alone.

    A last piece without an end is never given: a number in it may be cut off.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The pieces that end in these bytes, without empty ones. To be used up before the next
        call."""
        start = 0
        for found in _END.finditer(data):
            self._keep(data[start : found.start()])
            self._size += 1
            start = found.end()
            if self._kept:
                text = _ESCAPE.sub("", self._kept.decode("utf-8", "replace"))
                self._kept.clear()
                yield Piece(text, self._size)
        self._keep(data[start:])

    def _keep(self, part: bytes) -> None:
        self._kept += part[: LONGEST_PIECE - len(self._kept)]
        self._size += len(part)
