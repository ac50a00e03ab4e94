"""The log as a widget: only the rows that are on the screen are ever read and drawn."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click

from timellm_dashboard import format as fmt
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.lines import Line, Span, clip, line, wrap
from timellm_dashboard.logfile import LogFile
from timellm_dashboard.logsearch import Finder, LineFilter, TooSlowError, find
from timellm_dashboard.logviewport import (
    Lines,
    Viewport,
    jumped,
    moved,
    paged,
    scrolled,
    settled,
    visible,
    with_cursor,
)
from timellm_dashboard.panels.log import GUTTER, draw_row, shifted, wrapped
from timellm_dashboard.text_log import LogWords, log_words
from timellm_dashboard.view import View
from timellm_dashboard.widgets.panel import Panel
from timellm_ops.contract.counting import Count

COPIED_BYTES = 50_000
"""What is copied at most: terminals drop a clipboard sequence that is much longer."""
_WHEEL_ROWS = 3
_SHIFT = 8
_TASK = "log-task"


class LogPanel(Panel, can_focus=True):
    """Follows the end of the log, or stays with whoever reads further up."""

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

    def __init__(
        self,
        log: LogFile | None,
        *,
        end: Callable[[], int] | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`end`: the byte at which the log ends at the moment that is shown; absent: at its own."""
        super().__init__(id=id)
        self._log, self._ends_at = log, end
        self._at = Viewport()
        self._wraps, self._shift = False, 0
        self._mark: int | None = None  # a place in the list, like the cursor
        self._wanted: Finder | None = None
        self._unmarked: Finder | None = None  # too slow to be marked in the lines that are shown
        self._filter: LineFilter | None = None
        self._left_at = 0  # the line that was last seen, for when a filter lets nothing through
        self._generation = 0
        self._reading = False
        self._doing = ""  # the text about what takes a while, with a blank for the share
        self._task_number = 0  # tells the end of an old task from that of the one under way
        self._share = 0.0
        self._said = ""

    # --- what is shown ---------------------------------------------------------------------------

    def show(self, view: View) -> None:
        """Show `view` from now on, and what the log has got since."""
        if self._log is not None and self._ends_at is not None:
            self._log.end_at(self._ends_at())
        super().show(view)
        if self._log is not None and not self._reading and not self._doing and self._log.stirred():
            self._reading = True
            self.run_worker(self._read(self._log), group="log-read")

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The rows that fit, or a sentence on why there are none."""
        words = log_words(view.lang, ascii_only=view.ascii_only)
        sentence = self._sentence(view, words)
        if sentence:
            return [line(Span(row, "muted")) for row in wrap(sentence, width)]
        log, lines = self._log, self._lines(width, height)
        if log is None:
            return []
        if log.generation != self._generation:  # another file: nothing of the old one holds
            self._generation, self._mark, self._at = log.generation, None, Viewport()
        self._at = settled(self._at, lines)
        places = visible(self._at, lines)
        self._prefetch([place.line for place in places])
        return [self._row(place.line, place.row, view, width) for place in places]

    def title(self, view: View, width: int) -> str:
        """Where the cursor is, and what is done about it."""
        words = log_words(view.lang, ascii_only=view.ascii_only)
        if view.headline.state == "loading":
            return words.title
        parts = [words.title]
        if self._log is not None and self._count:
            number = self._number(min(self._at.cursor, self._count - 1)) + 1
            total = fmt.count(self._log.lines)
            parts.append(words.at_line.format(line=fmt.count(number), lines=total))
        if self._filter is not None:
            text, count = self._filter.wanted.text, fmt.count(self._count)
            parts.append(words.filtered.format(text=_shown(text, view), count=count))
        parts += self._standing(view, words)
        dot = " | " if view.ascii_only else " · "
        return clip(dot.join(parts), width, "..." if view.ascii_only else "…")

    def _standing(self, view: View, words: LogWords) -> list[str]:
        parts = []
        log = self._log
        if self._doing:
            parts.append(self._doing.format(share=fmt.percent(self._share)))
        elif log is not None and log.there and log.read_share < 1.0:
            parts.append(words.reading.format(share=fmt.percent(log.read_share)))
        if self._said:
            parts.append(_shown(self._said, view))
        if self._mark is not None:
            first, last = self._range()
            parts.append(words.marked.format(lines=Count(last - first + 1)))
        if self._shift:
            parts.append(words.shifted.format(column=self._shift + 1))
        if self._count:
            ended = view.outcome is not None
            follows = words.ended if ended else words.following
            parts.append(follows if self._at.follow else words.stays)
        return parts

    def _sentence(self, view: View, words: LogWords) -> str:
        log, state = self._log, view.headline.state
        if log is None:
            return words.no_log
        if not log.looked or state == "loading":
            return words.loading
        if log.problem:
            return words.unreadable.format(problem=_shown(log.problem, view))
        if not log.there:
            if state in ("waiting", "starting"):
                return words.empty
            if view.run.engine == "imported":
                return words.of_weights
            return words.gone.format(path=_shown(str(log.path), view))
        if not log.lines:
            return words.empty if view.outcome is None else words.empty_ended
        if self._filter is not None and not self._count and not self._doing:
            return words.no_match.format(text=_shown(self._filter.wanted.text, view))
        return ""

    def _row(self, number: int, row: int, view: View, width: int) -> Line:
        text, room = self._text(number), width - GUTTER
        found = self._found(text)
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

    def _found(self, text: str) -> list[tuple[int, int]]:
        wanted = self._wanted or (None if self._filter is None else self._filter.wanted)
        if wanted is None or wanted is self._unmarked:
            return []
        try:
            return wanted.spans(text)
        except TooSlowError:
            self._unmarked = wanted
            return []

    # --- the list of lines -----------------------------------------------------------------------

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

    # --- what takes a while ----------------------------------------------------------------------

    async def _read(self, log: LogFile) -> None:
        """What the file has got since, in pieces on another thread."""
        try:
            while log.take(await asyncio.to_thread(log.scan)):
                self._redraw()
            if self._filter is not None:
                await self._filter.catch_up(log)
        except TooSlowError:
            self._give_up(self._filter)
        finally:
            self._reading = False
        self._redraw()

    def search(self, wanted: Finder | None, words: LogWords, *, forward: bool = True) -> None:
        """Go to the next line that matches; `None`: what was searched for last."""
        wanted = wanted or self._wanted
        if wanted is None or self._log is None or not self._count:
            return
        self._wanted = wanted
        begin = self._number(min(self._at.cursor, self._count - 1))
        task = self._start(words.searching)
        self.run_worker(
            self._search(task, self._log, wanted, begin, words, forward=forward),
            group=_TASK,
            exclusive=True,
        )

    async def _search(
        self, task: int, log: LogFile, wanted: Finder, begin: int, words: LogWords, *, forward: bool
    ) -> None:
        try:
            hit = await find(
                log, wanted, begin, forward=forward, accept=self._accepts, progress=self._progress
            )
        except TooSlowError:
            self._end(task)
            self._give_up(wanted)
            return
        finally:
            self._end(task)
        if hit is None:
            self._said = words.not_found.format(text=wanted.text)
            self._redraw()
            return
        place = self._place(hit)
        self._go(lambda at, lines: jumped(at, place, lines))
        if hit <= begin if forward else hit >= begin:
            self._said = words.once_around
            self._redraw()

    def _accepts(self, number: int) -> bool:
        if self._log is None or number >= self._log.lines:
            return False
        if self._filter is None:
            return True
        place = self._place(number)
        return place < self._count and self._filter.lines[place] == number

    def filter(self, wanted: Finder | None, words: LogWords) -> None:
        """Show only the lines that match; `None`: all of them again."""
        if self._log is None:
            return
        self.cancel_task()
        if self._count:
            self._left_at = self._number(min(self._at.cursor, self._count - 1))
        number = self._left_at
        follow, self._mark, self._said = self._at.follow, None, ""
        if wanted is None:
            self._filter = None
            self._at = Viewport(cursor=number, follow=follow)
            self._go(lambda at, lines: at if follow else jumped(at, number, lines))
            return
        self._filter = LineFilter(wanted)
        self._at = Viewport(follow=follow)
        task = self._start(words.filtering)
        self.run_worker(
            self._fill(task, self._log, self._filter, None if follow else number),
            group=_TASK,
            exclusive=True,
        )

    async def _fill(self, task: int, log: LogFile, chosen: LineFilter, number: int | None) -> None:
        try:
            await chosen.catch_up(log, self._progress)
        except TooSlowError:
            self._end(task)
            self._give_up(chosen)
            return
        finally:
            self._end(task)
        if number is not None and self._count:
            place = min(bisect_left(chosen.lines, number), self._count - 1)
            self._go(lambda at, lines: jumped(at, place, lines))
        self._redraw()

    def _give_up(self, slow: Finder | LineFilter | None) -> None:
        """Search no more for what takes too long, and say so."""
        view = self._view
        if slow is None or view is None:
            return
        words = log_words(view.lang, ascii_only=view.ascii_only)
        wanted = slow.wanted if isinstance(slow, LineFilter) else slow
        if self._filter is slow:
            self.filter(None, words)
        elif self._wanted is wanted:
            self._wanted = None
        told = words.too_slow.format(text=_shown(wanted.text, view))
        self.notify(told, severity="error", markup=False)
        self._redraw()

    def cancel(self, words: LogWords) -> None:
        """Undo the latest: a search under way, else the marks, else the filter, else the search."""
        if self._doing:
            filtering = self._doing == words.filtering
            self.cancel_task()
            if filtering:
                self.filter(None, words)
        elif self._mark is not None:
            self._mark = None
        elif self._filter is not None:
            self.filter(None, words)
        else:
            self._wanted, self._said = None, ""
        self._redraw()

    def cancel_task(self) -> None:
        """End a search or the filling of a filter."""
        self.workers.cancel_group(self, _TASK)
        self._doing = ""

    def _start(self, doing: str) -> int:
        self._doing, self._share, self._said = doing, 0.0, ""
        self._task_number += 1
        self._redraw()
        return self._task_number

    def _end(self, task: int) -> None:
        if task == self._task_number:
            self._doing = ""

    def _progress(self, share: float) -> None:
        if round(100 * share) != round(100 * self._share):
            self._share = share
            self._redraw()


def _shown(text: str, view: View) -> str:
    return to_ascii(text) if view.ascii_only else text
