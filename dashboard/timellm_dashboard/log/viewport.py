"""Which rows of a long list of lines are on the screen. Pure.

A line takes one row or, wrapped, several; how many is asked for only near what is shown, so that a
million lines cost no more than fifty.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

RowsOf = Callable[[int], int]
"""How many rows a line takes, at least one."""


class Place(NamedTuple):
    """A row of a line, both from 0."""

    line: int
    row: int


class Lines(Struct, frozen=True):
    """What there is to show, and in how many rows."""

    count: int
    height: int
    rows_of: RowsOf


class Viewport(Struct, frozen=True):
    """Where somebody is in the lines."""

    top: Place = Place(0, 0)
    """The uppermost row."""
    cursor: int = 0
    """The line that keys act on."""
    follow: bool = True
    """Stays with the last line as more come."""


def back(place: Place, rows: int, lines: Lines) -> Place:
    """So many rows further up, or the very first one."""
    line, row = place
    while rows > row:
        if line == 0:
            return Place(0, 0)
        rows -= row
        line -= 1
        row = lines.rows_of(line)
    return Place(line, row - rows)


def forth(place: Place, rows: int, lines: Lines) -> Place:
    """So many rows further down, or the very last one."""
    line, row = place.line, place.row + rows
    while row >= (here := lines.rows_of(line)):
        if line >= lines.count - 1:
            return Place(line, here - 1)
        row -= here
        line += 1
    return Place(line, row)


def last_top(lines: Lines) -> Place:
    """The uppermost row where the last one is at the bottom."""
    return back(Place(lines.count, 0), lines.height, lines)


def settled(at: Viewport, lines: Lines) -> Viewport:
    """`at` for the lines that there are now."""
    if not lines.count or lines.height <= 0:
        return replace(at, top=Place(0, 0), cursor=0)
    lowest = last_top(lines)
    if at.follow:
        return Viewport(lowest, lines.count - 1, follow=True)
    top = at.top
    if top.line >= lines.count:
        top = lowest
    top = Place(top.line, min(top.row, lines.rows_of(top.line) - 1))
    return Viewport(min(top, lowest), min(at.cursor, lines.count - 1), follow=False)


def visible(at: Viewport, lines: Lines) -> list[Place]:
    """The rows on the screen, from above."""
    places: list[Place] = []
    line, row = at.top
    while len(places) < lines.height and line < lines.count:
        for number in range(row, lines.rows_of(line)):
            if len(places) == lines.height:
                break
            places.append(Place(line, number))
        line, row = line + 1, 0
    return places


def with_cursor(at: Viewport, line: int, lines: Lines) -> Viewport:
    """The cursor on `line`, and as little moved as is needed to see it."""
    line = max(0, min(line, lines.count - 1))
    top = at.top
    if line < top.line:
        top = Place(line, 0)
    elif lines.count:
        end = Place(line, lines.rows_of(line))
        top = max(top, min(back(end, lines.height, lines), Place(line, 0)))
    return Viewport(top, line, follow=False)


def moved(at: Viewport, by: int, lines: Lines) -> Viewport:
    """The cursor so many lines further down. Within a line that is higher than the screen, one
    line is one row."""
    if not lines.count:
        return at
    if abs(by) == 1 and at.cursor == at.top.line:
        rest = lines.rows_of(at.cursor) - at.top.row
        if by > 0 and rest > lines.height:
            return Viewport(Place(at.cursor, at.top.row + 1), at.cursor, follow=False)
        if by < 0 and at.top.row > 0:
            return Viewport(Place(at.cursor, at.top.row - 1), at.cursor, follow=False)
    return with_cursor(at, at.cursor + by, lines)


def paged(at: Viewport, pages: int, lines: Lines) -> Viewport:
    """A screen further down or, with -1, up; at the end the cursor goes to the last line."""
    if not lines.count:
        return at
    rows = max(1, lines.height - 1)
    if pages > 0:
        top = min(forth(at.top, rows, lines), last_top(lines))
        cursor = lines.count - 1 if top == at.top else at.cursor
    else:
        top = back(at.top, rows, lines)
        cursor = 0 if top == at.top else at.cursor
    return _within(Viewport(top, cursor, follow=False), lines)


def scrolled(at: Viewport, rows: int, lines: Lines) -> Viewport:
    """So many rows further down, as the wheel does; at the end, it follows."""
    if not lines.count:
        return at
    if rows < 0:
        top = back(at.top, -rows, lines)
        stays = top == at.top and at.follow
        return at if stays else _within(Viewport(top, at.cursor, follow=False), lines)
    lowest = last_top(lines)
    top = min(forth(at.top, rows, lines), lowest)
    if top == lowest:
        return settled(Viewport(top, at.cursor, follow=True), lines)
    return _within(Viewport(top, at.cursor, follow=False), lines)


def jumped(at: Viewport, line: int, lines: Lines) -> Viewport:
    """The cursor on `line`, in the middle of the screen unless it is seen already."""
    seen = [place.line for place in visible(at, lines)]
    if line in seen:
        return with_cursor(at, line, lines)
    top = back(Place(line, 0), lines.height // 2, lines)
    return Viewport(min(top, last_top(lines)), line, follow=False)


def _within(at: Viewport, lines: Lines) -> Viewport:
    """The cursor on a line that is seen."""
    seen = visible(at, lines)
    cursor = max(seen[0].line, min(at.cursor, seen[-1].line))
    return replace(at, cursor=cursor)
