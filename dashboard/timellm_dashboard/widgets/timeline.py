"""The timeline and its ledger on a terminal. Zoom, pan and cursor are the timeline's own state."""

from datetime import datetime
from typing import Literal

from textual import events

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.trace import Trace
from timellm_dashboard.lines import Line, Span, line, wrap
from timellm_dashboard.panels.ledger import draw_ledger, table_rows
from timellm_dashboard.panels.timeline import (
    cells_of,
    draw_message,
    draw_reading,
    draw_tracks,
    reading_rows,
)
from timellm_dashboard.panels.tracks import GUTTER
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeline import TimelineView, timeline, words_of
from timellm_dashboard.viewmodel.timereading import neighbour_mark, reading
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel, Past


class TimelinePanel(Panel):
    """Reading, tracks, marks and clock. The tracks are drawn anew when a column has filled."""

    def __init__(self, past: Past, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._past = past
        self.focus_on = Focus()
        """What is looked at."""
        self._shown: TimelineView | None = None
        self._tracks: list[Line] = []
        self._drawn_for: tuple[object, ...] = ()
        self._drawn_at_s = 0.0

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """What there is at the cursor, and the tracks below it."""
        history, look = self._past()
        cells = cells_of(width)
        shown = self._current(view, history, look, cells, height - reading_rows(width))
        if shown.message:
            return draw_message(shown, width)
        there = reading(view, history, look, self.focus_on, cells)
        return [*draw_reading(there, view, width), *self._tracks]

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """Which part of the run is seen."""
        words = words_of(view)
        if self._shown is None or self._shown.message:
            return words.title
        dot = " | " if view.ascii_only else " · "
        return f"{words.title}{dot}{self._shown.span}"

    def _current(
        self, view: View, history: History, look: Look, cells: int, height: int
    ) -> TimelineView:
        trace = history.trace
        drawn_for = (
            trace, trace.marks_total, self.focus_on, cells, height, view.lang,
            view.headline.state == "loading", view.gpu.marks, view.gpu.message,
        )  # fmt: skip
        shown, passed_s = self._shown, trace.extent_s - self._drawn_at_s
        if shown is not None and drawn_for == self._drawn_for and not shown.message:
            column_s = (shown.end_s - shown.start_s) / (2 * cells)
            if passed_s < column_s or shown.end_s < self._drawn_at_s:
                return shown
        self._shown = timeline(view, history, look, self.focus_on, cells)
        self._tracks = draw_tracks(self._shown, view, height)
        self._drawn_for, self._drawn_at_s = drawn_for, trace.extent_s
        return self._shown

    # --- looking elsewhere -----------------------------------------------------------------------

    def look_at(self, focus: Focus) -> None:
        """Show what `focus` says from now on."""
        self.focus_on = focus
        self._redraw()

    @property
    def _trace(self) -> Trace:
        return self._past()[0].trace

    @property
    def _cell_s(self) -> float:
        start_s, end_s = self.focus_on.window(self._trace.extent_s)
        return (end_s - start_s) / cells_of(max(1, self.content_size.width))

    def move(self, cells: int) -> None:
        """The cursor, by so many cells; from the present, it begins there."""
        extent_s, cell_s = self._trace.extent_s, self._cell_s
        here_s = self.focus_on.cursor_s
        if here_s is None:
            here_s = extent_s - cell_s / 2
        self.look_at(self.focus_on.at(here_s + cells * cell_s, extent_s))

    def move_to_mark(self, by: Literal[1, -1]) -> None:
        """The cursor, to the next mark or to the one before it."""
        trace = self._trace
        place_s = neighbour_mark(trace, self.focus_on.place(trace.extent_s), by)
        if place_s is not None:
            self.look_at(self.focus_on.at(place_s, trace.extent_s))

    @property
    def moment(self) -> datetime | None:
        """The clock time of the cursor; `None`: it follows the present, or nobody knows."""
        place_s = self.focus_on.cursor_s
        return None if place_s is None else self._trace.at(place_s)

    def show_moment(self, at: datetime | None) -> None:
        """The cursor, to a clock time, or back to the present."""
        place_s = None if at is None else self._trace.place(at)
        if place_s is None:
            self.look_at(self.focus_on.following())
        else:
            self.look_at(self.focus_on.at(place_s, self._trace.extent_s))

    def zoom(self, steps: int) -> None:
        """Nearer, or farther where `steps` is negative."""
        self.look_at(self.focus_on.zoomed(steps, self._trace.extent_s))

    def pan(self, windows: int) -> None:
        """Later by so many half windows, or earlier."""
        self.look_at(self.focus_on.panned(windows, self._trace.extent_s))

    def on_click(self, event: events.Click) -> None:
        """The cursor, to where the mouse is."""
        place_s = self._place_of(event)
        if place_s is not None:
            self.look_at(self.focus_on.at(place_s, self._trace.extent_s))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Nearer to what is under the mouse."""
        self.look_at(self.focus_on.zoomed(1, self._trace.extent_s, self._place_of(event)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Farther from it."""
        self.look_at(self.focus_on.zoomed(-1, self._trace.extent_s, self._place_of(event)))

    def _place_of(self, event: events.MouseEvent) -> float | None:
        """The middle of the cell under the mouse; `None`: it is not on the time axis."""
        offset = event.get_content_offset(self)
        if offset is None or offset.x < GUTTER:
            return None
        start_s, _ = self.focus_on.window(self._trace.extent_s)
        return start_s + (offset.x - GUTTER + 0.5) * self._cell_s


class LedgerPanel(Panel):
    """What heat, power, pace and pauses took. No higher than its rows."""

    def show(self, view: View) -> None:
        """Show `view` from now on, and leave the room that it does not need to the tracks."""
        self.styles.max_height = table_rows(view) + 2
        super().show(view)

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """A row, or a table."""
        why = {"loading": view.headline.reason, "waiting": words_of(view).nothing_yet}
        if told := why.get(view.headline.state):
            # In a single row it would stand there without a title, as if it were of the tracks.
            return [line(Span(row, "muted")) for row in wrap(told, width)] if height > 1 else []
        return draw_ledger(view, width, height)

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """What is counted."""
        return words_of(view).ledger
