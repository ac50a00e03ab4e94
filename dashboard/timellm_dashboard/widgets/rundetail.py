"""The chosen run of the list in full, beside the list."""

from timellm_dashboard.lines import Line, clip
from timellm_dashboard.panels.rundetail import draw_run_detail
from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel


class RunDetailPanel(Panel):
    """The chosen run in full, beside the list."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._row: RunRow | None = None

    def show_run(self, row: RunRow | None, view: View) -> None:
        """Show `row` from now on."""
        self._row = row
        self.show(view)

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """All of it that has room."""
        if self._row is None:
            return []
        return draw_run_detail(self._row, width, height, lang=view.lang, ascii_only=view.ascii_only)

    def title(self, view: View, width: int) -> str:
        """Which run it is."""
        ellipsis = "..." if view.ascii_only else "…"
        return "" if self._row is None else clip(self._row.run_id, width, ellipsis)
