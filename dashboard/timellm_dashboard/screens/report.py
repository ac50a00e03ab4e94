"""What is left of the run, or what there is of it so far."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from timellm_dashboard.actions import Said, ScreenId, bindings
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.widgets.report import ReportPanel
from timellm_dashboard.words.ascii import to_ascii

_SAVED = Said("the report is in {path}", "报告已写入 {path}")
_NOT_SAVED = Said("the report was not written: {error}", "报告未能写入：{error}")
_NOWHERE = Said("there is nowhere to write it", "没有可以写入的地方")


class ReportScreen(RunScreen):
    """The report as text; `report --html` has it with plots."""

    screen_id: ClassVar[ScreenId] = "report"
    AUTO_FOCUS = "ReportPanel"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("report")]

    def __init__(self, services: Services, make: Callable[[View, Extras], Report]) -> None:
        """`make` builds the report of the run as the view shows it."""
        super().__init__()
        self._services, self._make = services, make
        self._panel = ReportPanel(id="report")
        self._extras = Extras()
        self._read_for: object = None
        self._seen: View | None = None

    def body(self) -> ComposeResult:
        """One panel."""
        yield self._panel

    def on_screen_resume(self) -> None:
        """Whoever comes back may have made an evaluation meanwhile."""
        self._read_for = None

    def show_body(self, view: View) -> None:
        """Show the report of `view` from now on."""
        self._seen = view
        read_for = (view.headline.state, view.outcome)
        if self._services.report_extras is not None and read_for != self._read_for:
            self._extras, self._read_for = self._services.report_extras(), read_for
        self._panel.show_report(self._make(view, self._extras), view)

    def act(self, action_id: str) -> None:
        """Write the page."""
        if action_id != "report_save":
            super().act(action_id)
        save, report, view = self._services.save_report, self._panel.report, self._seen
        if view is None or report is None:
            return
        if save is None:
            self._say(_NOWHERE.in_(view.lang), view, error=True)
            return

        async def write() -> None:
            try:
                path = await asyncio.to_thread(save, report)
            except OSError as error:
                text = _NOT_SAVED.in_(view.lang).format(error=error)
                self._say(text, view, error=True)
            else:
                self._say(_SAVED.in_(view.lang).format(path=path), view)

        begin_work(self, write, group="report")

    def _say(self, text: str, view: View, *, error: bool = False) -> None:
        shown = to_ascii(text) if view.ascii_only else text
        self.notify(shown, severity="error" if error else "information", markup=False)
