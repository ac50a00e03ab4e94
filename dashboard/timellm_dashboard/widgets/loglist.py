"""The lines of a log as a list: only the rows that are on the screen are ever read and drawn."""

from bisect import bisect_left
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click

from timellm_dashboard.lines import Line
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.search import LineFilter
from timellm_dashboard.log.viewport import (
    Lines,
    Viewport,
    moved,
    paged,
    scrolled,
    settled,
    visible,
    with_cursor,
)
from timellm_dashboard.panels.log import GUTTER, draw_row, shifted, wrapped
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel
from timellm_dashboard.words.ascii import to_ascii

COPIED_BYTES = 50_000
"""What is copied at most: terminals drop a clipboard sequence that is much longer."""
_WHEEL_ROWS = 3
_SHIFT = 8


class LogList(Panel, can_focus=True):
    """Follows the end of the log, or stays with whoever reads further up.

    A place is where a line stands in the list; its number is where it stands in the file. They
    are the same while no filter is set.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "follow", show=False),
        Binding("left", "shift(-1)", show=False),
        Binding("right", "shift(1)", show=False),
    ]

    def __init__(self, log: LogFile | None, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._log = log
        self._filter: LineFilter | None = None
        self._at = Viewport()
        self._wraps, self._shift = False, 0
        self._mark: int | None = None  # a place, like the cursor
        self._generation = 0
        self._said = ""

    def rows(self, view: View, width: int, height: int) -> list[Line]:
        """The rows that fit."""
        log, lines = self._log, self._lines(width, height)
        if log is None:
            return []
        if log.generation != self._generation:  # another file: nothing of the old one holds
            self._generation, self._mark, self._at = log.generation, None, Viewport()
        self._at = settled(self._at, lines)
        places = visible(self._at, lines)
        self._prefetch([place.line for place in places])
        return [self._row(place.line, place.row, view, width) for place in places]

    def found(self, text: str) -> list[tuple[int, int]]:  # noqa: ARG002
        """Stretches of a line to be drawn as found."""
        return []

    def _row(self, number: int, row: int, view: View, width: int) -> Line:
        text, room = self._text(number), width - GUTTER
        found = self.found(text)
        first, last = self._range()
        more = ""
        if self._wraps:
            cut = wrapped(text, room)[row]
        else:
            ellipsis = "..." if view.ascii_only else "…"
            fitting, cut = shifted(text, room, self._shift, ellipsis)
            more = ellipsis if fitting.endswith(ellipsis) and cut[1] < len(text) else ""
        return draw_row(
            text,
            cut,
            found,
            more=more,
            cursor=number == self._at.cursor and row == 0,
            marked=self._mark is not None and first <= number <= last,
            ascii_only=view.ascii_only,
        )

    @property
    def _count(self) -> int:
        if self._log is None:
            return 0
        lines = self._log.lines
        return lines if self._filter is None else bisect_left(self._filter.lines, lines)

    def _number(self, place: int) -> int:
        """The number in the file of the line at that place of what is shown."""
        return place if self._filter is None else self._filter.lines[place]

    def _place(self, number: int) -> int:
        """Where the line of that number is, or the next one that is shown."""
        return number if self._filter is None else bisect_left(self._filter.lines, number)

    def _text(self, place: int) -> str:
        if self._log is None:
            return ""
        text = self._log.texts([self._number(place)])[0]
        ascii_only = self._view is not None and self._view.ascii_only
        return to_ascii(text) if ascii_only else text

    def _prefetch(self, places: list[int]) -> None:
        """Read many lines in one go, which is cheaper than one by one."""
        if self._log is not None:
            self._log.texts(self._number(place) for place in places)

    def _lines(self, width: int, height: int) -> Lines:
        if not self._wraps:
            return Lines(self._count, height, lambda _: 1)
        room = max(1, width - GUTTER)
        if self._count:
            around = self._count if self._at.follow else self._at.top.line
            self._prefetch(list(range(max(0, around - height), min(self._count, around + height))))
        return Lines(self._count, height, lambda place: len(wrapped(self._text(place), room)))

    def _range(self) -> tuple[int, int]:
        """The first and the last place of what is marked, or of the cursor alone."""
        cursor = self._at.cursor
        mark = cursor if self._mark is None else min(self._mark, max(0, self._count - 1))
        return min(mark, cursor), max(mark, cursor)

    # --- moving ----------------------------------------------------------------------------------

    def _go(self, step: Callable[[Viewport, Lines], Viewport]) -> None:
        if self._count:
            self._at = step(self._at, self._lines(self.content_size.width, self._height))
        self._said = ""
        self._redraw()

    @property
    def _height(self) -> int:
        return self.content_size.height

    def action_move(self, by: int) -> None:
        """The cursor to the next line or the one before."""
        self._go(lambda at, lines: moved(at, by, lines))

    def action_page(self, pages: int) -> None:
        """A screen further."""
        self._go(lambda at, lines: paged(at, pages, lines))

    def action_first(self) -> None:
        """The first line."""
        self._go(lambda at, lines: with_cursor(at, 0, lines))

    def action_follow(self) -> None:
        """The last line, and those that come after it."""
        self._go(lambda _, lines: settled(Viewport(follow=True), lines))

    def action_shift(self, by: int) -> None:
        """Further to the right, or with -1 back, where long lines are not wrapped."""
        self._shift = 0 if self._wraps else max(0, self._shift + by * _SHIFT)
        self._redraw()

    def wrap(self) -> None:
        """Long lines in several rows, or in one again."""
        self._wraps, self._shift = not self._wraps, 0
        self._go(lambda at, lines: at if at.follow else with_cursor(at, at.cursor, lines))

    def on_mouse_scroll_up(self) -> None:
        """The wheel, towards older lines."""
        self._go(lambda at, lines: scrolled(at, -_WHEEL_ROWS, lines))

    def on_mouse_scroll_down(self) -> None:
        """The wheel, towards newer lines."""
        self._go(lambda at, lines: scrolled(at, _WHEEL_ROWS, lines))

    def on_click(self, event: Click) -> None:
        """The cursor to the line that was clicked."""
        offset = event.get_content_offset(self)
        lines = self._lines(self.content_size.width, self._height)
        places = visible(self._at, lines) if self._count else []
        if offset is not None and offset.y < len(places):
            clicked = places[offset.y].line
            self._go(lambda at, lines: with_cursor(at, clicked, lines))

    # --- marking and copying ---------------------------------------------------------------------

    def mark(self) -> None:
        """Mark from the cursor on, or unmark."""
        self._mark = self._at.cursor if self._mark is None and self._count else None
        self._redraw()

    def copied(self) -> tuple[str, int, int]:
        """The marked lines, or the one at the cursor; how many they are, and of how many."""
        if not self._count:
            return "", 0, 0
        first, last = self._range()
        texts: list[str] = []
        size = 0
        for place in range(first, last + 1):
            text = self._text(place)
            size += len(text.encode()) + 1
            if texts and size > COPIED_BYTES:
                break
            texts.append(text)
        self._mark = None
        self._redraw()
        return "\n".join(texts), len(texts), last - first + 1
