"""The log as a widget: a list of its lines that grows, is searched, and can be filtered."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from functools import partial

from timellm_dashboard.lines import Line, Span, clip, line, wrap
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.search import Finder, LineFilter, TooSlowError, find
from timellm_dashboard.log.viewport import Viewport, jumped
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.widgets.loglist import LogList
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.log import LogWords, log_words
from timellm_ops.contract.counting import Count

_TASK = "log-task"


class LogPanel(LogList):
    """Everything that the log screen is for."""

    def __init__(
        self,
        log: LogFile | None,
        *,
        end: Callable[[], int] | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`end`: the byte at which the log ends at the moment that is shown; absent: at its own."""
        super().__init__(log, id=id)
        self._ends_at = end
        self._wanted: Finder | None = None
        self._unmarked: Finder | None = None  # too slow to be marked in the lines that are shown
        self._left_at = 0  # the line that was last seen, for when a filter lets nothing through
        self._reading = False
        self._doing = ""  # the text about what takes a while, with a blank for the share
        self._task_number = 0  # tells the end of an old task from that of the one under way
        self._share = 0.0

    # --- what is shown ---------------------------------------------------------------------------

    def show(self, view: View) -> None:
        """Show `view` from now on, and what the log has got since."""
        if self._log is not None and self._ends_at is not None:
            self._log.end_at(self._ends_at())
        super().show(view)
        if self._log is not None and not self._reading and not self._doing and self._log.stirred():
            self._reading = True
            begin_work(self, partial(self._read, self._log), group="log-read")

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The rows that fit, or a sentence on why there are none."""
        words = log_words(view.lang, ascii_only=view.ascii_only)
        sentence = self._sentence(view, words)
        if sentence:
            return [line(Span(row, "muted")) for row in wrap(sentence, width)]
        return self.rows(view, width, height)

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
            wanted, count = self._filter.wanted, fmt.count(self._count)
            kept = words.filtered_without if wanted.without else words.filtered
            parts.append(kept.format(text=_shown(wanted.said, view), count=count))
        parts += self._standing(view, words)
        dot = " | " if view.ascii_only else " · "
        return clip(dot.join(parts), width, "..." if view.ascii_only else "…")

    def _standing(self, view: View, words: LogWords) -> list[str]:
        parts = []
        log = self._log
        if self._doing:
            parts.append(keyed(self._doing, view.keys).format(share=fmt.percent(self._share)))
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
            parts.append(follows if self._at.follow else keyed(words.stays, view.keys))
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
            wanted = self._filter.wanted
            told = words.none_without if wanted.without else words.no_match
            return keyed(told, view.keys).format(text=_shown(wanted.said, view))
        return ""

    def found(self, text: str) -> list[tuple[int, int]]:
        """What is searched for, or filtered by."""
        wanted = self._wanted or (None if self._filter is None else self._filter.wanted)
        if wanted is None or wanted is self._unmarked:
            return []
        try:
            return wanted.spans(text)
        except TooSlowError:
            self._unmarked = wanted
            return []

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
        begin_work(
            self,
            partial(self._search, task, self._log, wanted, begin, words, forward=forward),
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
            told = words.all_have if wanted.without else words.not_found
            self._said = told.format(text=wanted.said)
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
        begin_work(
            self,
            partial(self._fill, task, self._log, self._filter, None if follow else number),
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
