"""Searching and filtering a log in pieces, on another thread, for as long as somebody waits.

A regular expression may backtrack for years, as `(a+)+$` does. Python's `re` cannot be stopped on
a thread and lets no other one run meanwhile, so a text that was typed is searched by `regex`, which
does both.
"""

import asyncio
import re
import time
from array import array
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from timellm_dashboard.log.file import LogFile, Piece

REGEX_PREFIX = "re:"
WITHOUT_PREFIX = "not:"
_LONGEST_REGEX = 1000
Progress = Callable[[float], None]
"""Told what share of the lines has been gone through."""


LINE_S = 0.2
"""Processor seconds for one line; a sane expression takes microseconds for the longest one."""
MARK_S = 0.02
"""The same where a line is drawn, and everything else waits."""
PIECE_S = 3.0
"""Seconds for a piece of the log, for which a sane expression takes hundredths of one."""


class BadPatternError(ValueError):
    """A regular expression that is none; the message says why, in a few words."""


class TooSlowError(Exception):
    """A regular expression takes too long for the lines of this log."""


class Finder(Struct, frozen=True):
    """What is looked for. Its searches raise `TooSlowError`."""

    text: str
    """As it was typed."""
    said: str
    """The same without a `not:`."""
    pattern: Any
    """Of `re` for a text, which never takes long, and else of `regex`."""
    plain: bool = True
    """It is a text, and no regular expression."""
    without: bool = False
    """Lines that do not have it are meant."""

    def in_none_of(self, lines: str) -> bool:
        """Whether none of many lines has it, where that is plain without looking at each: all of
        them in one text."""
        if not self.plain or not lines.isascii():
            return False
        small = self.pattern.flags & re.IGNORECASE
        return (self.said not in lines) if not small else (self.said.lower() not in lines.lower())

    def matches(self, line: str) -> bool:
        """Whether a line is meant."""
        if self.plain:
            return (self.pattern.search(line) is None) == self.without
        try:
            return (self.pattern.search(line, timeout=LINE_S) is None) == self.without
        except TimeoutError:
            raise TooSlowError(self.text) from None

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where in a line it is, from character to character."""
        if self.without:
            return []
        limit = {} if self.plain else {"timeout": MARK_S}
        try:
            return [match.span() for match in self.pattern.finditer(line, **limit) if match.group()]
        except TimeoutError:
            raise TooSlowError(self.text) from None


def finder(text: str) -> Finder:
    """What `text` asks for: itself, or after `re:` a regular expression; after `not:`, lines
    without that.

    Large and small letters are the same unless a large one is asked for. Raises `BadPatternError`.
    """
    without = text.startswith(WITHOUT_PREFIX) and text != WITHOUT_PREFIX
    said = text.removeprefix(WITHOUT_PREFIX) if without else text
    is_regex = said.startswith(REGEX_PREFIX)
    source = said.removeprefix(REGEX_PREFIX) if is_regex else re.escape(said)
    # A class such as \S is no large letter that somebody has asked for.
    letters = re.sub(r"\\.", "", source) if is_regex else said
    flags = re.NOFLAG if letters != letters.lower() else re.IGNORECASE
    if not is_regex:
        return Finder(text, said, re.compile(source, flags), without=without)
    import regex  # only who types one waits for it

    if len(source) > _LONGEST_REGEX:
        raise BadPatternError(f"more than {_LONGEST_REGEX} characters")
    try:
        return Finder(text, said, regex.compile(source, int(flags)), plain=False, without=without)
    except (regex.error, OverflowError) as error:
        raise BadPatternError(str(error)) from error
    except RecursionError:
        raise BadPatternError("nested too deeply") from None


def hits_in(log: LogFile, piece: Piece, wanted: Finder, piece_s: float = PIECE_S) -> list[int]:
    """The lines of a piece that match. Changes nothing; meant for another thread.

    Raises `TooSlowError`, and `OSError` where the file is not the same any more.
    """
    lines, search, without = log.read(piece), wanted.pattern.search, wanted.without
    if wanted.in_none_of("\n".join(lines)):
        return list(range(piece.first, piece.first + len(lines))) if wanted.without else []
    if wanted.plain:
        return [n for n, text in enumerate(lines, piece.first) if bool(search(text)) != without]
    hits, until_s = [], time.monotonic() + piece_s
    for n, text in enumerate(lines, piece.first):
        if wanted.matches(text):
            hits.append(n)
        if time.monotonic() > until_s:
            raise TooSlowError(wanted.text)
    return hits


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
    from the other end; `None`: there is none. Cancel the task to end it early. Raises
    `TooSlowError`."""
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
        """Look at the lines that are new. Cancel the task to end it early. Raises
        `TooSlowError`."""
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
