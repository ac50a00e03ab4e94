"""Where the lines of a growing file begin, in a few bytes for every 64 KiB of it. Pure.

Kept is how many line ends there are before each block of the file. The block that a line begins in
is then found by bisection, and the line in it by reading that one block.
"""

from array import array
from bisect import bisect_left
from itertools import pairwise

from msgspec import Struct

BLOCK = 64 * 1024
"""Bytes of a block."""


class Counted(Struct, frozen=True):
    """The line ends in a stretch of a file, by the blocks that it touches."""

    length: int
    """Bytes of the stretch."""
    by_block: tuple[int, ...]
    ends: bool
    """The last byte of the stretch is a line end."""


def count_lines(data: bytes, at: int) -> Counted:
    """The line ends of `data`, which begins at byte `at` of its file."""
    cuts = [0, *range(BLOCK - at % BLOCK, len(data), BLOCK), len(data)]
    counts = (data.count(b"\n", a, b) for a, b in pairwise(cuts))
    return Counted(len(data), tuple(counts), data.endswith(b"\n"))


class LineIndex:
    """The lines of the bytes that were taken in, numbered from 0."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes taken in."""
        self.line_ends = 0
        self._open = False
        self._before = array("Q", [0])

    @property
    def lines(self) -> int:
        """How many lines there are; one without an end, at the end of the file, counts."""
        return self.line_ends + self._open

    def add(self, counted: Counted) -> None:
        """Take in what stands right after what was taken in before."""
        if not counted.length:
            return
        for block, count in enumerate(counted.by_block, self.size // BLOCK):
            if block == len(self._before):
                self._before.append(self.line_ends)
            self.line_ends += count
        self.size += counted.length
        self._open = not counted.ends

    def block_before(self, line: int) -> int:
        """The block that holds the line end right before `line`, which is 1 or higher."""
        return bisect_left(self._before, line) - 1

    def ends_before(self, block: int) -> int:
        """Line ends before the first byte of `block`."""
        return self._before[block]

    def ended_by(self, byte: int) -> int:
        """How many lines end before the block that `byte` lies in; fewer than lines that begin
        there, by one at most."""
        return self._before[min(max(0, byte) // BLOCK, len(self._before) - 1)]
