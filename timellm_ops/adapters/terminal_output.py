"""What a training script prints, as it lies in a file: lines, progress bars and noise.

A tqdm bar is redrawn with a carriage return and no line end, so a line often begins behind one;
and where Python buffers its output, bars also stand in the middle of a line. Bars are therefore
taken out, and the text before and after one belongs together.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from timellm_ops.adapters.published_lines import (
    LONGEST,
    PublishedLine,
    is_whole,
    matches,
    read_line,
)

WINDOW = 1 << 16
"""Bytes of a line without an end that are kept; of more, what was said in it is taken first."""


class Said(NamedTuple):
    """A line of the script. `end`: bytes of the whole output up to where it ends, or, where a
    bar was taken out behind it, a little later; always more than for the line before it."""

    line: PublishedLine
    end: int


class Bar(NamedTuple):
    """A progress bar of tqdm that has begun, with nothing done, or has come to its end."""

    done: int
    elapsed_s: int
    closed: bool


_LINE_END = re.compile(rb"[\r\n]")
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]{0,16}[@-~]")
_BAR = re.compile(
    rb"""
    (?:[^|\[\]]{0,200}:\ )?                                  # description
    (?:(?P<count>\d{1,12})it                                 # of an unknown total
      |\ *\d{1,3}%\|[^|]{0,1000}\|\ *(?P<of>\d{1,12})/\d{1,12})
    \ \[(?:(?P<hours>\d{1,4}):)?(?P<minutes>\d\d):(?P<seconds>\d\d)
    (?:<[^,\]]{0,20})?,[^\]]{0,100}\]
    """,
    re.VERBOSE,
)


class TerminalOutput:
    """Takes the output as it comes, in chunks split anywhere; what is found depends on the bytes
    alone. Memory is bounded by a few windows, whatever is printed."""

    def __init__(self) -> None:
        self._size = 0  # bytes taken in
        self._piece = bytearray()  # since the last carriage return or line end
        self._returned = False  # that was a carriage return
        self._continued = False  # the beginning of the piece is in the text already
        self._alone: re.Match[bytes] | None = None  # the piece was this bar and nothing else
        self._text = b""  # of the present line, without bars
        self._text_end = 0  # `_size` where that text ends

    def feed(self, data: bytes) -> Iterator[Said | Bar]:
        """What has been printed in full with these bytes. To be used up before the next call."""
        start = 0
        for found in _LINE_END.finditer(data):
            yield from self._take(data, start, found.start())
            yield from self._end_piece(line_end=found.group() == b"\n")
            self._size += 1
            start = found.end()
        yield from self._take(data, start, len(data))

    def finish(self) -> Iterator[Said | Bar]:
        """What an unfinished last line says, where it is sure to be whole. Nothing may be fed
        after this."""
        yield from self._keep_piece()
        for match in matches(self._text):
            if match.end() < len(self._text) or is_whole(match):
                yield self._said(match)
        self._text = b""

    def _take(self, data: bytes, start: int, stop: int) -> Iterator[Said | Bar]:
        """Add to the piece; what does not fit into its window goes to the text of the line."""
        while stop - start > (room := WINDOW - len(self._piece)):
            self._piece += data[start : start + room]
            self._size += room
            start += room
            yield from self._keep_piece()
            self._continued = True
        self._piece += data[start:stop]
        self._size += stop - start

    def _end_piece(self, *, line_end: bool) -> Iterator[Said | Bar]:
        half_of_line_end = line_end and self._returned and not self._piece
        if not half_of_line_end:
            yield from self._keep_piece()
        if line_end and self._alone is None:
            yield from self._end_line()
        elif line_end and self._alone is not None and not self._text:
            yield _bar(self._alone, closed=True)
        self._returned, self._continued = not line_end, False

    def _keep_piece(self) -> Iterator[Said | Bar]:
        """Add the piece, without the bar it may begin with, to the text of the line."""
        piece = bytes(self._piece)
        self._piece.clear()
        match = None if self._continued else _BAR.match(piece)
        if match is None and self._returned:
            yield from self._end_line()
        self._returned = False
        rest = piece if match is None else piece[match.end() :]
        if b"\x1b" in rest:
            rest = _ESCAPE.sub(b"", rest)
        if rest:
            self._text += rest
            self._text_end = self._size
        self._alone = None if rest else match
        if match is not None and (match["count"] or match["of"]) == b"0":
            yield _bar(match, closed=False)
        if len(self._text) > WINDOW:
            yield from self._shorten()

    def _end_line(self) -> Iterator[Said]:
        for match in matches(self._text):
            yield self._said(match)
        self._text = b""

    def _shorten(self) -> Iterator[Said]:
        """Take what is sure to be whole, and keep what a line may have begun in."""
        for match in matches(self._text):
            if match.start() >= len(self._text) - LONGEST:
                break
            yield self._said(match)
        self._text = self._text[-LONGEST:]

    def _said(self, match: re.Match[bytes]) -> Said:
        return Said(read_line(match), self._text_end - len(self._text) + match.end())


def _bar(match: re.Match[bytes], *, closed: bool) -> Bar:
    hours, minutes, seconds = (int(match[unit] or 0) for unit in ("hours", "minutes", "seconds"))
    done = int(match["count"] or match["of"])
    return Bar(done, 3600 * hours + 60 * minutes + seconds, closed)
