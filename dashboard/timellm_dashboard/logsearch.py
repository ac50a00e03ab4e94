"""Searching and filtering a log in pieces, on another thread, for as long as somebody waits."""

import asyncio
import re
from array import array
from collections.abc import Callable

from msgspec import Struct

from timellm_dashboard.logfile import LogFile, Piece

REGEX_PREFIX = "re:"
Progress = Callable[[float], None]
"""Told what share of the lines has been gone through."""


class BadPatternError(ValueError):
    """A regular expression that is none; the message says why, in a few words."""


class Finder(Struct, frozen=True):
    """What is looked for."""

    text: str
    """As it was typed."""
    pattern: re.Pattern[str]
    plain: bool = True
    """It is a text, and no regular expression."""

    def in_none_of(self, lines: str) -> bool:
        """Whether that is plain without looking at each of many lines, all of them in one text."""
        if not self.plain or not lines.isascii():
            return False
        small = self.pattern.flags & re.IGNORECASE
        return (self.text not in lines) if not small else (self.text.lower() not in lines.lower())

    def matches(self, line: str) -> bool:
        """Whether it is in a line."""
        return self.pattern.search(line) is not None

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where in a line it is, from character to character."""
        return [match.span() for match in self.pattern.finditer(line) if match.group()]


def finder(text: str) -> Finder:
    """What `text` asks for: itself, or after `re:` a regular expression.

    Large and small letters are the same unless a large one is asked for. Raises `BadPatternError`.
    """
    is_regex = text.startswith(REGEX_PREFIX)
    source = text.removeprefix(REGEX_PREFIX) if is_regex else re.escape(text)
    # A class such as \S is no large letter that somebody has asked for.
    letters = re.sub(r"\\.", "", source) if is_regex else text
    flags = re.NOFLAG if letters != letters.lower() else re.IGNORECASE
    try:
        return Finder(text, re.compile(source, flags), plain=not is_regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPatternError(str(error)) from error


def hits_in(log: LogFile, piece: Piece, wanted: Finder) -> list[int]:
    """The lines of a piece that match. Changes nothing; meant for another thread."""
    lines, search = log.read(piece), wanted.pattern.search
    if wanted.in_none_of("\n".join(lines)):
        return []
    return [n for n, text in enumerate(lines, piece.first) if search(text)]


async def find(
    log: LogFile,
    wanted: Finder,
    line: int,
    *,
    forward: bool,
    accept: Callable[[int], bool] = lambda _: True,
    progress: Progress = lambda _: None,
) -> int | None:
    """The next line after `line`, or before it, that matches and that `accept` takes, going on
    from the other end; `None`: there is none. Cancel the task to end it early."""
    count, begun = log.lines, log.generation
    runs = ((line + 1, count), (0, line + 1)) if forward else ((line, 0), (count, line))
    gone_through = 0
    for at, end in runs:
        while (at < end if forward else at > end) and log.generation == begun:
            try:
                piece = log.piece(at, forward=forward, stop=end if forward else None)
                if piece is None:
                    break
                hits = await asyncio.to_thread(hits_in, log, piece, wanted)
            except OSError:
                return None  # the file has gone; the next look at it says so
            for hit in hits if forward else reversed(hits):
                if accept(hit) and (forward or hit >= end):
                    return hit
            gone_through += piece.last - piece.first
            at = piece.last if forward else piece.first
            progress(min(1.0, gone_through / max(1, count)))
    return None


class LineFilter:
    """The lines that match, found in pieces; goes on as the file grows."""

    def __init__(self, wanted: Finder) -> None:
        self.wanted = wanted
        self.lines = array("I")
        """Their numbers. A line without an end is not among them yet."""
        self.looked_at = 0
        """So many lines were looked at."""
        self._generation = 0

    async def catch_up(self, log: LogFile, progress: Progress = lambda _: None) -> None:
        """Look at the lines that are new. Cancel the task to end it early."""
        while True:
            if log.generation != self._generation:
                self._generation, self.looked_at, self.lines = log.generation, 0, array("I")
            try:
                piece = log.piece(self.looked_at, forward=True, stop=log.index.line_ends)
                if piece is None:
                    return
                hits = await asyncio.to_thread(hits_in, log, piece, self.wanted)
            except OSError:
                return
            if log.generation == self._generation:
                self.lines.extend(hits)
                self.looked_at = piece.last
            progress(self.looked_at / max(1, log.index.line_ends))
