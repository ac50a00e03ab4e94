"""Runs side by side, to be scrolled where they do not fit."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from timellm_dashboard.lines import Line, Span, line
from timellm_dashboard.panels.comparison import draw_comparison
from timellm_dashboard.runs.compare import compare
from timellm_dashboard.runs.compared import ComparedRun
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.runs import runs_words
from timellm_ops.contract.counting import Count


class ComparisonPanel(Panel, can_focus=True):
    """A comparison as it was when it was asked for."""

    class Fits(Message):
        """It fits from now on, or no longer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_rows(-1)", show=False),
        Binding("down,j", "scroll_rows(1)", show=False),
        Binding("pageup", "scroll_pages(-1)", show=False),
        Binding("pagedown", "scroll_pages(1)", show=False),
        Binding("home", "scroll_rows(-1000000)", show=False),
        Binding("end", "scroll_rows(1000000)", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._runs: Sequence[ComparedRun] = ()
        self._count = 0
        self._problem = ""
        self._first = 0
        self.fits = True
        """Whether there is nothing to scroll."""
        self._rows: list[Line] = []
        self._drawn_for: tuple[object, ...] = ()

    def begin(self, count: int) -> None:
        """Their journals are being read."""
        self._runs, self._count, self._problem, self._first = (), count, "", 0
        self._redraw()

    def show_runs(self, runs: Sequence[ComparedRun]) -> None:
        """Compare these."""
        self._runs = runs
        self._redraw()

    def show_problem(self, problem: str) -> None:
        """Why there is nothing to compare."""
        self._problem = problem
        self._redraw()

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """As many rows as fit, from where it was scrolled to."""
        say = runs_words(view.lang, ascii_only=view.ascii_only)
        if self._problem:
            text = to_ascii(self._problem) if view.ascii_only else self._problem
            return [line(Span(text, "bad"))]
        if not self._runs:
            return [line(Span(say.compare_reading.format(count=Count(self._count)), "muted"))]
        drawn_for = (self._runs, view.lang, view.ascii_only, width)
        if self._drawn_for != drawn_for:
            self._drawn_for = drawn_for
            compared = compare(self._runs, lang=view.lang, ascii_only=view.ascii_only)
            self._rows = draw_comparison(compared, width)
        self._first = max(0, min(self._first, len(self._rows) - height))
        if (fits := len(self._rows) <= height) != self.fits:
            self.fits = fits
            self.post_message(self.Fits())
        return self._rows[self._first : self._first + height]

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """That it is a comparison, and how to go on."""
        say = runs_words(view.lang, ascii_only=view.ascii_only)
        dot = " | " if view.ascii_only else " · "
        more = keyed(say.compare_back if self.fits else say.compare_more, view.keys)
        return f"{say.compare_title}{dot}{more}"

    def action_scroll_rows(self, rows: int) -> None:
        """Go down by so many rows."""
        self._first = max(0, self._first + rows)
        self._redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Go down by so many heights of the panel."""
        self.action_scroll_rows(pages * max(1, self.content_size.height - 1))

    def on_mouse_scroll_up(self) -> None:
        """The wheel, towards the top."""
        self.action_scroll_rows(-2)

    def on_mouse_scroll_down(self) -> None:
        """The wheel, towards the end."""
        self.action_scroll_rows(2)
