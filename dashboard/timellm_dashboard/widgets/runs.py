"""The list of runs, with a cursor and marks."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from timellm_dashboard.lines import Line, Span, line, wrap
from timellm_dashboard.panels.runs import HEADING_ROWS, draw_runs
from timellm_dashboard.runs.runfilter import ConfigKeys, RunFilter
from timellm_dashboard.runs.runlist import Order, RunLine, RunRow, in_order, run_lines, seen_as
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.runfilter import RunFilterWords, run_filter_words
from timellm_dashboard.words.runs import RunsWords, runs_words

_FRAME_ROWS = 2


class Standing(Struct, frozen=True):
    """How a list of runs stands before a person."""

    rows: tuple[RunRow, ...] | None
    """As they were read last; `None`: not yet."""
    order: Order
    cursor: str
    """The id of the chosen run."""
    first: int
    """The uppermost row that is seen."""
    marked: tuple[str, ...]
    filter: RunFilter = RunFilter()


class RunsPanel(Panel, can_focus=True):
    """Stays on its run when the list changes or is sorted anew."""

    class Chosen(Message):
        """A run was clicked twice."""

    class Picked(Message):
        """Another run, or the same one in another state, is at the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move_pages(-1)", show=False),
        Binding("pagedown", "move_pages(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    def __init__(self, folder: str, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._folder = folder
        self._every: tuple[RunRow, ...] | None = None
        self._rows: tuple[RunRow, ...] | None = None
        self._filter = RunFilter()
        self._configs: Mapping[str, ConfigKeys] | None = None
        self._problem = ""
        self._order = Order()
        self._cursor = ""
        self._first = 0
        self._made_of: tuple[object, ...] = ()
        self._lines: tuple[RunLine, ...] = ()
        self.marked: tuple[str, ...] = ()
        """Ids of the marked runs, in the order in which they were marked."""

    @property
    def cursor(self) -> str:
        """The id of the chosen run; empty where there is none."""
        return self._cursor

    @property
    def picked(self) -> RunRow | None:
        """The chosen run, in the state that is shown of it; `None`: there is none."""
        if not self._rows or self._view is None:
            return None
        row = self._rows[self._place()]
        return self._as_seen((row,), self._view)[0]

    @property
    def rows_needed(self) -> int:
        """Rows in which all runs can be seen, the frame and the heads included."""
        return len(self._rows or ()) + bool(self._problem) + HEADING_ROWS + _FRAME_ROWS

    @property
    def standing(self) -> Standing:
        """What a person has made of it."""
        return Standing(
            self._every, self._order, self._cursor, self._first, self.marked, self._filter
        )

    def take_over(self, standing: Standing) -> None:
        """Go on as another panel stood."""
        self._every, self._order, self._filter = standing.rows, standing.order, standing.filter
        self._cursor, self._first, self.marked = standing.cursor, standing.first, standing.marked
        self._rows = self._chosen()

    def show_rows(
        self, rows: tuple[RunRow, ...], configs: Mapping[str, ConfigKeys] | None = None
    ) -> None:
        """The runs from now on, and their configs where the filter needs them."""
        self._every, self._problem = rows, ""
        self._configs = self._configs if configs is None else configs
        everyone = {row.run_id for row in rows}
        self.marked = tuple(run_id for run_id in self.marked if run_id in everyone)
        self._choose()

    def _chosen(self) -> tuple[RunRow, ...] | None:
        """The rows that the filter lets pass; `None`: not known yet."""
        if self._every is None or self.lacks_configs:
            return None
        configs = self._configs or {}
        passing = (
            row for row in self._every if self._filter.passes(row, configs.get(row.run_id, {}))
        )
        return in_order(passing, self._order)

    def _choose(self) -> None:
        """Show what passes, with the cursor on a row of it."""
        self._rows = self._chosen()
        if self._rows is None:
            self._redraw()
            self.post_message(self.Picked())
            return
        there = {row.run_id for row in self._rows}
        if self._cursor not in there:
            shown = "" if self._view is None else self._view.run.run_id
            first = self._rows[0].run_id if self._rows else ""
            self._cursor = shown if shown in there else first
        self._redraw()
        self.post_message(self.Picked())

    def show_problem(self, problem: str) -> None:
        """Why there is no list, or only an old one."""
        self._problem = problem
        self._redraw()

    def sort(self, order: Order) -> None:
        """Sort by another column."""
        self._order = order
        self._choose()

    @property
    def filter(self) -> RunFilter:
        """Which runs are shown."""
        return self._filter

    @property
    def lacks_configs(self) -> bool:
        """Whether the filter asks for what has not been read yet."""
        return self._filter.needs_config and self._configs is None

    def choose_by(self, wanted: RunFilter) -> None:
        """Show only the runs that `wanted` lets pass."""
        self._filter = wanted
        self._choose()

    @property
    def order(self) -> Order:
        """How the list is sorted."""
        return self._order

    def toggle_mark(self) -> None:
        """Mark the chosen run, or take its mark away."""
        if self._cursor in self.marked:
            self.marked = tuple(run_id for run_id in self.marked if run_id != self._cursor)
        elif self._cursor:
            self.marked = (*self.marked, self._cursor)
        self._redraw()

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The rows around the cursor, or why there are none."""
        say = runs_words(view.lang, ascii_only=view.ascii_only)
        if not self._rows:
            return [line(Span(row, "muted")) for row in wrap(self._instead(say, view), width)]
        rows = self._rows
        if self._problem:
            height -= 1
        place = self._place()
        room = max(1, height - HEADING_ROWS)
        self._first = min(max(0, len(rows) - room), self._first)
        self._first = max(place - room + 1, min(place, self._first))
        lines = self._lines_of(rows, view)
        drawn = draw_runs(
            lines,
            cursor=place,
            first=self._first,
            order=self._order,
            words=say,
            width=width,
            height=height,
            ascii_only=view.ascii_only,
        )
        problem = to_ascii(self._problem) if view.ascii_only else self._problem
        return [*drawn, line(Span(problem, "bad"))] if problem else drawn

    def _lines_of(self, rows: tuple[RunRow, ...], view: View) -> tuple[RunLine, ...]:
        """The rows as texts, made anew when there is something new."""
        state = view.headline.state
        made_of = (rows, view.run.run_id, state, self.marked, view.lang, view.ascii_only)
        if made_of != self._made_of:
            self._made_of = made_of
            self._lines = run_lines(
                self._as_seen(rows, view),
                shown=view.run.run_id,
                marked=self.marked,
                lang=view.lang,
                ascii_only=view.ascii_only,
            )
        return self._lines

    def _as_seen(self, rows: tuple[RunRow, ...], view: View) -> tuple[RunRow, ...]:
        # A replay shows what the run once was, and the list what has become of it.
        if view.headline.state == "loading" or view.replay:
            return rows
        return seen_as(rows, view.run.run_id, view.headline.state)

    def _instead(self, say: RunsWords, view: View) -> str:
        if self._problem:
            return self._problem
        if self._every is None:
            return say.reading
        if not self._every:
            return f"{say.none}. {say.none_how}"
        words = self._filter_words(view)
        if self._rows is None:
            return words.reading
        told = keyed(words.none_match, view.keys).format(text=self._filter.text)
        return to_ascii(told) if view.ascii_only else told

    def _filter_words(self, view: View) -> RunFilterWords:
        return run_filter_words(view.lang, ascii_only=view.ascii_only)

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """How many runs, where they are, and how many are marked."""
        say = runs_words(view.lang, ascii_only=view.ascii_only)
        parts = [say.title]
        if self._every and not self._filter.clauses:
            parts.append(say.count.format(count=len(self._every), folder=self._folder))
        elif self._every:
            words = self._filter_words(view)
            count = "…" if self._rows is None else len(self._rows)
            told = words.shown_of.format(count=count, all=len(self._every), folder=self._folder)
            parts += [told, words.chosen.format(text=self._filter.text)]
        if self._order != Order():
            parts.append(self._sorted(say))
        if self.marked:
            parts.append(say.marked_count.format(count=len(self.marked)))
        return to_ascii(" | ".join(parts)) if view.ascii_only else " · ".join(parts)

    def _sorted(self, say: RunsWords) -> str:
        column: str = getattr(say, f"column_{self._order.key}")
        text = say.sorted_by.format(column=column)
        return f"{text}, {say.reversed}" if self._order.reverse else text

    def _place(self) -> int:
        rows = self._rows or ()
        return next((i for i, row in enumerate(rows) if row.run_id == self._cursor), 0)

    def action_move(self, by: int) -> None:
        """Choose another run."""
        if self._rows:
            place = max(0, min(len(self._rows) - 1, self._place() + by))
            self._cursor = self._rows[place].run_id
            self._redraw()
            self.post_message(self.Picked())

    def action_move_pages(self, pages: int) -> None:
        """Choose a run that is so many heights of the panel away."""
        self.action_move(pages * max(1, self.content_size.height - HEADING_ROWS - 1))

    def on_click(self, event: Click) -> None:
        """Choose what was clicked; a second click opens it."""
        offset = event.get_content_offset(self)
        rows = self._rows or ()
        place = -1 if offset is None else self._first + offset.y - HEADING_ROWS
        if offset is None or offset.y < HEADING_ROWS or place >= len(rows):
            return
        self._cursor = rows[place].run_id
        self._redraw()
        self.post_message(self.Picked())
        if event.chain > 1:
            self.post_message(self.Chosen())

    def on_mouse_scroll_up(self) -> None:
        """The wheel, towards the top."""
        self.action_move(-1)

    def on_mouse_scroll_down(self) -> None:
        """The wheel, towards the end."""
        self.action_move(1)
