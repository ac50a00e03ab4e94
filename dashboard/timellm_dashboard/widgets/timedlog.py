"""The log with its times: the cursor's is told, and a person can go to one."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import assert_never

from textual.message import Message

from timellm_dashboard.lines import Line, Span, clip
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.goto import ByTime, Goal, ToClock, ToLine, ToShare, moment_of
from timellm_dashboard.log.times import LogTimes
from timellm_dashboard.log.viewport import Lines, Viewport, jumped
from timellm_dashboard.panels.logmoment import draw_moment, unknown_moment
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.widgets.log import LogPanel
from timellm_dashboard.widgets.panel import Panel, Past
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.log import LogWords
from timellm_dashboard.words.logtimes import LogTimesWords, log_times_words

_DAY, _CLOCK = "11-24", "02:13:05"


class TimedLog(LogPanel):
    """Looks times up when somebody reads further up, or goes to one; following costs nothing."""

    class Moved(Message):
        """The cursor is on another line, or the time of its line has become known."""

    def __init__(
        self,
        log: LogFile | None,
        *,
        end: Callable[[], int] | None = None,
        times: Callable[[], LogTimes] | None = None,
        zone: tzinfo | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """`times`: when the lines were printed; called on a thread. `zone`: `None` is the machine's
        own."""
        super().__init__(log, end=end, id=id)
        self._ask_times, self._zone = times, zone
        self._times = LogTimes()
        self._asks = False
        self._asked_with: object = None  # how the log and the run stood then
        self._column = False
        self._goal: ToClock | ByTime | datetime | None = None

    # --- the time of the cursor ------------------------------------------------------------------

    @property
    def follows(self) -> bool:
        """Whether it stays with the end, which is the present."""
        return self._at.follow

    @property
    def looks_up(self) -> bool:
        """Whether times are being looked up."""
        return self._asks

    @property
    def moment(self) -> datetime | None:
        """When the line of the cursor had been printed; `None`: not known."""
        return self._printed(min(self._at.cursor, self._count - 1)) if self._count else None

    def _printed(self, place: int) -> datetime | None:
        """When the line at that place had been printed."""
        end = 0 if self._log is None else self._log.end_of(self._number(place))
        return self._times.printed(end) if end else None

    def _standing(self, view: View, words: LogWords) -> list[str]:
        parts = super()._standing(view, words)
        if self._goal is not None:
            return [self._words(view).looking_up, *parts]
        at = None if self.follows else self.moment
        return parts if at is None else [self._told(at), *parts]

    def _told(self, at: datetime) -> str:
        time = fmt.time_of_day(at, self._zone)
        return f"{at.astimezone(self._zone):%m-%d} {time}" if self._times.over_a_day else time

    # --- the times of all lines ------------------------------------------------------------------

    def toggle_times(self) -> None:
        """A column with the time of every line, or none again."""
        self._column, self._asked_with = not self._column, None
        self._look_up()
        self._redraw()

    @property
    def _cells(self) -> int:
        """What the column takes."""
        if not self._column:
            return 0
        return len(_CLOCK) + 1 + (len(_DAY) + 1 if self._times.over_a_day else 0)

    def _lines(self, width: int, height: int) -> Lines:
        return super()._lines(width - self._cells, height)

    def _row(self, number: int, row: int, view: View, width: int) -> Line:
        cells = self._cells
        drawn = super()._row(number, row, view, width - cells)
        if not cells:
            return drawn
        at = None if row else self._printed(number)
        return (Span(f"{'' if at is None else self._told(at):<{cells}}", "muted"), *drawn)

    def show(self, view: View) -> None:
        """Show `view` from now on, and the times that somebody waits for."""
        super().show(view)
        self._look_up()

    def _go(self, step: Callable[[Viewport, Lines], Viewport]) -> None:
        super()._go(step)
        self._asked_with = None  # a record may have come since
        self._look_up()
        self.post_message(self.Moved())

    def _look_up(self) -> None:
        log = self._log
        if log is None or self._ask_times is None or self._asks:
            return
        if not log.looked or log.read_share < 1.0:  # not seen yet, or still being read
            return
        if self._goal is None and not self._lacks_times(log):
            return
        state = None if self._view is None else self._view.headline.state
        known = (log.generation, log.index.size, state)
        if known == self._asked_with:
            self._arrive()
            return
        self._asked_with, self._asks = known, True
        begin_work(self, partial(self._ask, self._ask_times), group="log-times")

    def _lacks_times(self, log: LogFile) -> bool:
        """Whether something is shown whose time could be told."""
        if self._column:
            return self._times.covered < log.index.size
        return not self.follows and self.moment is None

    async def _ask(self, ask: Callable[[], LogTimes]) -> None:
        try:
            self._times = await asyncio.to_thread(ask)
        except OSError as error:
            if self._goal is not None and self._view is not None:
                self._goal = None
                problem = error.strerror or error
                self._tell(self._words(self._view).unreadable.format(problem=problem))
        finally:
            self._asks = False
        self._arrive()
        self._redraw()
        self.post_message(self.Moved())

    # --- going somewhere -------------------------------------------------------------------------

    def go_to(self, goal: Goal | datetime) -> None:
        """Put the cursor there; where a time is meant, once the times are known."""
        match goal:
            case ToLine():
                self._goal = None
                self._jump(goal.number - 1)
            case ToShare():
                self._goal = None
                lines = 0 if self._log is None else self._log.lines
                self._jump(int(goal.share * lines))
            case ToClock() | ByTime() | datetime():
                self._goal, self._asked_with = goal, None
                if self._ask_times is None:
                    self._arrive()
                self._look_up()
                self._redraw()
            case _:
                assert_never(goal)

    def cancel(self, words: LogWords) -> None:
        """Undo the latest: going to a time first of all."""
        if self._goal is None:
            super().cancel(words)
        self._goal = None
        self._redraw()

    def _arrive(self) -> None:
        """Go to the time that somebody waits for."""
        goal, view, log = self._goal, self._view, self._log
        if goal is None or view is None or log is None:
            return
        self._goal = None
        latest, words = self._times.latest, self._words(view)
        if latest is None:
            self._tell(words.no_times)
            return
        match goal:
            case ToClock():
                at = moment_of(goal, latest, self._zone)
            case ByTime():
                here = None if self.follows else self.moment
                at = (here or latest) + timedelta(seconds=goal.seconds)
            case datetime():
                at = goal
            case _:
                assert_never(goal)
        if at >= latest:
            self._jump(log.lines - 1)
            return
        byte = self._times.byte_at(at)
        if not byte:
            first = self._times.printed(1)
            self._tell(words.before.format(time="" if first is None else self._told(first)))
        self._jump(log.line_at(byte))

    def _jump(self, number: int) -> None:
        if not self._count:
            return
        shown = 0 if self._log is None else self._log.lines
        place = min(self._place(max(0, min(number, shown - 1))), self._count - 1)
        self._go(lambda at, lines: jumped(at, place, lines))

    def _words(self, view: View) -> LogTimesWords:
        return log_times_words(view.lang, ascii_only=view.ascii_only)

    def _tell(self, text: str) -> None:
        ascii_only = self._view is not None and self._view.ascii_only
        self.notify(to_ascii(text) if ascii_only else text, markup=False)


class MomentPanel(Panel):
    """The run at the line of the log's cursor, beside it."""

    WHILE_READING = "says so"

    def __init__(self, past: Past, log: TimedLog, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._past, self._of = past, log

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """What is known of that moment, or why nothing is."""
        log = self._of
        if not log.follows and log.moment is None:
            return unknown_moment(view, looking=log.looks_up, width=width)
        history, look = self._past()
        at = None if log.follows else log.moment
        return draw_moment(view, history, look, at, width, height)

    def title(self, view: View, width: int) -> str:
        """What it is about."""
        words = log_times_words(view.lang, ascii_only=view.ascii_only)
        return clip(words.moment_title, width)
