"""The event feed: shows the newest events, or older ones to whoever scrolls up."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from timellm_dashboard.lines import Line
from timellm_dashboard.panels.feed import feed_blocks, feed_title, newest_rows
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel


class FeedPanel(Panel, can_focus=True):
    """What has happened. Stays where it is while somebody reads older events."""

    WHILE_READING = "says so"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_rows(1)", show=False),
        Binding("down,j", "scroll_rows(-1)", show=False),
        Binding("pageup", "scroll_pages(1)", show=False),
        Binding("pagedown", "scroll_pages(-1)", show=False),
        Binding("home", "scroll_rows(1000000)", show=False),
        Binding("end", "scroll_rows(-1000000)", show=False),
    ]
    _WHEEL_ROWS = 2

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._newer = 0  # rows below the last one shown
        self._rows = 0
        self._told: tuple[object, ...] = ()
        self._blocks: list[list[Line]] = []
        self._lines: list[Line] = []

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The rows that fit, the newest at the end."""
        told = (view.feed, view.feed_left_out, view.lang, view.ascii_only, width)
        if told != self._told:
            self._told, self._blocks = told, feed_blocks(view, width)
            self._lines = [row for block in self._blocks for row in block]
        rows = self._lines
        if self._newer and len(rows) > self._rows:
            self._newer += len(rows) - self._rows
        self._rows = len(rows)
        self._newer = max(0, min(self._newer, len(rows) - height))
        if not self._newer:
            return newest_rows(self._blocks, width, height, ascii_only=view.ascii_only)
        end = len(rows) - self._newer
        return rows[max(0, end - height) : end]

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """Says so when newer events are out of sight, or lines of the journal are damaged."""
        return feed_title(view, self._newer)

    def action_scroll_rows(self, rows: int) -> None:
        """Go back by so many rows."""
        self._newer = max(0, self._newer + rows)
        self._redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Go back by so many heights of the panel."""
        self.action_scroll_rows(pages * max(1, self.content_size.height - 1))

    def on_mouse_scroll_up(self) -> None:
        """The wheel, towards older events."""
        self.action_scroll_rows(self._WHEEL_ROWS)

    def on_mouse_scroll_down(self) -> None:
        """The wheel, towards newer events."""
        self.action_scroll_rows(-self._WHEEL_ROWS)
