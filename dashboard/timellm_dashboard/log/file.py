"""A growing file of any size, read by line number without holding it.

What takes long happens in `scan` and `read`, which change nothing and may run on another thread;
what they found is taken in with `take`. No handle is kept open, so that nothing is in the way of
whoever moves the file. A file that was cut off, rewritten or replaced is begun anew.
"""

import os
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from timellm_dashboard.log.index import BLOCK, Counted, LineIndex, count_lines
from timellm_dashboard.log.text import LONGEST, shown, shown_lines

SCAN_BYTES = 4 * 1024 * 1024
"""Bytes that one `scan` goes through at most."""
PIECE_BYTES = 512 * 1024
"""Bytes of the pieces that a search goes through."""
_HEAD = 4 * LONGEST
"""Bytes that hold as many characters as are shown of a line."""
_MARK = 64
"""Bytes before the end, by which a file that was rewritten is told from one that has grown."""
_KEPT_BLOCKS = 8
_KEPT_TEXTS = 500

_Identity = tuple[int, int]


class Scan(Struct, frozen=True):
    """What a look at the file brought."""

    identity: _Identity | None = None
    """`None`: it could not be looked at."""
    problem: str = ""
    """Why; empty where there simply is no such file."""
    anew: bool = False
    """It is not what it was: what was known of it is void."""
    size: int = 0
    """Bytes that it has now."""
    counted: Counted | None = None
    """The next bytes of it."""
    mark: bytes = b""


class Piece(Struct, frozen=True):
    """Lines `first` to `last`, the latter excluded, which are bytes `start` to `end`."""

    identity: _Identity | None
    first: int
    last: int
    start: int
    end: int


class LogFile:
    """The lines of one file, numbered from 0."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = LineIndex()
        self.looked = False
        """Whether it was looked at at all."""
        self.problem = ""
        self.size = 0
        """Bytes that the file has, of which `index.size` are known."""
        self.generation = 0
        """Counts how often it was begun anew."""
        self._end: int | None = None
        self._lines_at_end: tuple[int, int] | None = None  # lines up to that byte, once counted
        self._identity: _Identity | None = None
        self._mark = b""
        self._seen: tuple[int, int, int, int] | None = None
        self._blocks: dict[tuple[int, int], array[int]] = {}
        self._texts: dict[int, str] = {}

    @property
    def there(self) -> bool:
        """Whether there is such a file."""
        return self._identity is not None

    def end_at(self, end: int | None) -> None:
        """Have it end at that byte, before which every line has been counted or will be; `None`: at
        its own end. May be moved on and back at little cost."""
        self._end = end

    @property
    def lines(self) -> int:
        """How many lines there are, as far as it was scanned: those that end by where it is to
        end; at its own end, one without an end counts too."""
        end = self._end
        if end is None or end >= max(self.size, self.index.size):
            return self.index.lines
        if end >= self.index.size:
            return self.index.line_ends
        if self._lines_at_end is None or self._lines_at_end[0] != end:
            self._lines_at_end = end, self._ended_by(end)
        return self._lines_at_end[1]

    @property
    def read_share(self) -> float:
        """How much of what is to be shown was scanned, from 0 to 1."""
        wanted = self.size if self._end is None else min(self.size, self._end)
        return 1.0 if self.index.size >= wanted else self.index.size / wanted

    def stirred(self) -> bool:
        """Whether a scan may bring anything. Costs one look at the file's size and times."""
        try:
            status = self.path.stat()
        except OSError:
            return self.there or not self.looked
        now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        seen, self._seen = self._seen, now
        return now != seen or self.index.size < self.size or bool(self.problem)

    def scan(self) -> Scan:
        """Look at the file, and at its next `SCAN_BYTES`. Changes nothing."""
        try:
            with self.path.open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return Scan(problem=f"{self.path} is no file")
                identity, at = (status.st_dev, status.st_ino), self.index.size
                anew = identity != self._identity or status.st_size < at or not self._same(file)
                if anew:
                    at = 0
                data = _read(file, at, min(SCAN_BYTES, status.st_size - at))
        except FileNotFoundError:
            return Scan()
        except OSError as error:
            return Scan(problem=f"{self.path}: {error.strerror or error}")
        before = b"" if anew else self._mark
        return Scan(
            identity=identity,
            anew=anew,
            size=max(status.st_size, at + len(data)),
            counted=count_lines(data, at),
            mark=(before + data)[-_MARK:] if len(data) < _MARK else data[-_MARK:],
        )

    def take(self, found: Scan) -> bool:
        """Take in what a scan brought; whether there is more to scan."""
        self.looked, self.problem = True, found.problem
        if found.anew or (found.identity is None and self.there):
            self.generation += 1
            self.index, self._mark, self._lines_at_end = LineIndex(), b"", None
            self._blocks.clear()
            self._texts.clear()
        self._identity, self.size = found.identity, found.size
        if found.counted is None or not found.counted.length:
            return False
        self._texts.pop(self.index.line_ends, None)  # the line without an end has grown
        self.index.add(found.counted)
        self._mark = found.mark
        return self.index.size < found.size

    def texts(self, lines: Iterable[int]) -> list[str]:
        """The lines of those numbers, safe to show; empty ones where the file has just gone, and
        for lines that are not there."""
        wanted, count = list(lines), self.index.lines
        missing = [line for line in wanted if line < count and line not in self._texts]
        if missing:
            if len(self._texts) > _KEPT_TEXTS:
                self._texts = {n: self._texts[n] for n in wanted if n in self._texts}
            try:
                with self._open() as file:
                    for line in missing:
                        self._texts[line] = self._line(file, line)
            except OSError:
                pass  # the next scan tells of it
        return [self._texts.get(line, "") for line in wanted]

    def end_of(self, line: int) -> int:
        """The byte that a line ends before; 0 where the file has just gone."""
        try:
            with self._open() as file:
                return self._start(file, line + 1)
        except OSError:
            return 0  # the next scan tells of it

    def line_at(self, byte: int) -> int:
        """The line that `byte` lies in; the last one, where it was not scanned yet."""
        return self._ended_by(byte) if byte < self.index.size else max(0, self.index.lines - 1)

    def piece(self, line: int, *, forward: bool, stop: int | None = None) -> Piece | None:
        """The next piece to search from `line` on, forwards and with it, or backwards and without
        it; `None` at the end. `stop`: the line that is not searched any more, going forwards."""
        count = min(self.index.lines, self.index.lines if stop is None else stop)
        if (line >= count) if forward else (line <= 0):
            return None
        with self._open() as file:
            if forward:
                first, start = line, self._start(file, line)
                far = start + PIECE_BYTES
                # The index knows of no line ends within the last block.
                ended = count if far >= self.index.size else self.index.ended_by(far)
                last = min(count, max(line + 1, ended))
                end = self._start(file, last)
            else:
                last, end = line, self._start(file, line)
                far = end - PIECE_BYTES
                first = 0 if far < BLOCK else min(line - 1, self.index.ended_by(far) + 1)
                start = self._start(file, first)
        return Piece(self._identity, first, last, start, end)

    def read(self, piece: Piece) -> list[str]:
        """The lines of a piece, safe to show. Changes nothing. Raises `OSError` where the file is
        not the same any more."""
        with self._open(piece.identity) as file:
            if piece.last - piece.first == 1 and piece.end - piece.start > PIECE_BYTES:
                return [_long_line(file, piece.start, piece.end)]
            return shown_lines(_read(file, piece.start, piece.end - piece.start))

    def _same(self, file: BinaryIO) -> bool:
        return _read(file, self.index.size - len(self._mark), len(self._mark)) == self._mark

    def _open(self, identity: _Identity | None = None) -> BinaryIO:
        file = self.path.open("rb", buffering=0)
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) != (identity or self._identity):
            file.close()
            raise FileNotFoundError(f"{self.path} was replaced")
        return file

    def _line(self, file: BinaryIO, line: int) -> str:
        start, end = self._start(file, line), self._start(file, line + 1)
        return _long_line(file, start, end)

    def _start(self, file: BinaryIO, line: int) -> int:
        """The first byte of a line; the end of the file for a line that is not there yet."""
        if line == 0:
            return 0
        if line > self.index.line_ends:
            return self.index.size
        block = self.index.block_before(line)
        ends = self._ends_in(file, block)
        number = line - self.index.ends_before(block) - 1
        if number >= len(ends):
            raise FileNotFoundError(f"{self.path} was rewritten")
        return block * BLOCK + ends[number] + 1

    def _ended_by(self, byte: int) -> int:
        """How many lines end before that byte, which was scanned; those before its block alone
        where the file has just gone."""
        block, rest = divmod(byte, BLOCK)
        before = self.index.ends_before(block)
        if not rest:
            return before
        try:
            with self._open() as file:
                return before + bisect_left(self._ends_in(file, block), rest)
        except OSError:
            return before  # the next scan tells of it

    def _ends_in(self, file: BinaryIO, block: int) -> "array[int]":
        """Where in a block its line ends are."""
        length = min(BLOCK, self.index.size - block * BLOCK)
        found = self._blocks.get((block, length))
        if found is None:
            data = _read(file, block * BLOCK, length)
            found, at = array("I"), data.find(b"\n")
            while at >= 0:
                found.append(at)
                at = data.find(b"\n", at + 1)
            while len(self._blocks) >= _KEPT_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block, length] = found
        return found


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    return os.pread(file.fileno(), length, at) if length > 0 else b""


def _long_line(file: BinaryIO, start: int, end: int) -> str:
    """The line that is bytes `start` to `end`, of which no more is read than is shown."""
    if end - start <= _HEAD:
        return shown(_read(file, start, end - start))
    tail = _read(file, end - _HEAD, _HEAD).rstrip(b"\r\n")
    if b"\r" in tail:  # a progress bar: what it came to counts
        return shown(tail[tail.index(b"\r") :])
    return shown(_read(file, start, _HEAD), cut=True)
