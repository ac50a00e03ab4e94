"""The report as a panel that can be read from top to bottom."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from timellm_dashboard.lines import Line
from timellm_dashboard.panels.report import draw_report_to_fit
from timellm_dashboard.reports.report import Report
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.report import report_words


class ReportPanel(Panel, can_focus=True):
    """A report, from some row on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_rows(-1)", show=False),
        Binding("down,j", "scroll_rows(1)", show=False),
        Binding("pageup", "scroll_pages(-1)", show=False),
        Binding("pagedown", "scroll_pages(1)", show=False),
        Binding("home", "scroll_rows(-1000000)", show=False),
        Binding("end", "scroll_rows(1000000)", show=False),
    ]
    _WHEEL_ROWS = 3

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.report: Report | None = None
        self._first = 0
        self._rows = 0

    def show_report(self, report: Report, view: View) -> None:
        """Show `report` from now on."""
        self.report = report
        self.show(view)

    def draw(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """The rows that fit, from the first one that is seen."""
        if self.report is None:
            return []
        rows = draw_report_to_fit(self.report, width, height)
        self._rows = len(rows)
        self._first = max(0, min(self._first, len(rows) - height))
        return rows[self._first : self._first + height]

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """Which report it is, and where in it the reader is."""
        if self.report is None:
            return ""
        height = self.content_size.height
        if self._rows <= height:
            return self.report.title
        last = min(self._rows, self._first + height)
        words = report_words(view.lang)
        seen = words.rows_seen.format(first=self._first + 1, last=last, count=self._rows)
        title = f"{self.report.title} · {seen}"
        return to_ascii(title) if view.ascii_only else title

    def action_scroll_rows(self, rows: int) -> None:
        """Go on by so many rows."""
        self._first = max(0, self._first + rows)
        self._redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Go on by so many heights of the panel."""
        self.action_scroll_rows(pages * max(1, self.content_size.height - 1))

    def on_mouse_scroll_up(self) -> None:
        """The wheel, towards the beginning."""
        self.action_scroll_rows(-self._WHEEL_ROWS)

    def on_mouse_scroll_down(self) -> None:
        """The wheel, towards the end."""
        self.action_scroll_rows(self._WHEEL_ROWS)
