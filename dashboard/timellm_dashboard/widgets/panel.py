"""A widget that shows one panel of the view."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from textual.content import Content
from textual.events import Resize
from textual.geometry import Region
from textual.markup import escape
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from timellm_dashboard.folds.history import History
from timellm_dashboard.lines import Line, Span, line, wrap
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.toned import to_content

Past = Callable[[], tuple[History, Look]]
"""What the run was like until now, and how it is to be shown."""

_CORNERS = 4
"""Cells of a panel's upper edge that its title may not have."""


class Panel(Widget):
    """Draws itself anew only when what it shows has changed."""

    WHILE_READING: ClassVar[Literal["draws", "says so", "is empty"]] = "draws"
    """What it does while the run's journal is being read and nothing of the run is known. One that
    draws must say itself that its numbers are none."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.auto_links = False  # no text of a panel is one, and looking for them takes time
        self._view: View | None = None
        self._drawn: Sequence[Line] = ()
        self._strips: list[Strip | None] = []
        """Rows as they go to the terminal, those that were asked for since they changed."""
        self._strips_of: object = None

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The lines to show in so many cells."""
        raise NotImplementedError

    def title(self, view: View, width: int) -> str:  # noqa: ARG002 - a panel may have none
        """What stands in the panel's upper edge, in at most `width` cells; empty: nothing."""
        return ""

    def show(self, view: View) -> None:
        """Show `view` from now on."""
        self._view = view
        self._redraw()

    def look_again(self) -> None:
        """Draw anew: what it shows besides the view has changed."""
        self._redraw()

    def on_resize(self, _: Resize) -> None:
        """Draw for the new size."""
        self._redraw()

    def _redraw(self) -> None:
        size = self.content_size
        if self._view is None or not size.width or not size.height:
            return
        drawn = self._to_show(self._view, size.width, size.height)
        title = escape(self.title(self._view, self.size.width - _CORNERS)) or None
        if title != self.border_title:
            self.border_title = title
        if drawn != self._drawn:
            changed = _changed(self._drawn, drawn)
            self._drawn = drawn
            for row in changed:
                self._strips[row] = None
            if not changed:
                self._strips = [None] * len(drawn)
            self.refresh(*(Region(0, row, size.width, 1) for row in changed))

    def _to_show(self, view: View, width: int, height: int) -> list[Line]:
        if view.headline.state != "loading" or self.WHILE_READING == "draws":
            return self.draw(view, width, height)
        if self.WHILE_READING == "is empty":
            return []
        return [line(Span(row, "muted")) for row in wrap(view.headline.reason, width)]

    def render(self) -> Content:
        """What was drawn last."""
        return to_content(self._drawn)

    def render_line(self, y: int) -> Strip:
        """One row of it, made anew only where it has changed: most of what a second look costs is
        painting. Where somebody selects text, all rows are Textual's own."""
        if self.text_selection is not None:
            return super().render_line(y)
        width, style = self.size.width, self.visual_style
        if self._strips_of != (width, style):
            self._strips_of, self._strips = (width, style), [None] * len(self._drawn)
        if y >= len(self._drawn) or not width:
            return Strip.blank(width, style.rich_style)
        strip = self._strips[y]
        if strip is None:
            row = to_content([self._drawn[y]])
            (painted,) = Visual.to_strips(self, row, width, 1, style)
            strip = self._strips[y] = painted.apply_offsets(0, y)
        return strip


def _changed(before: Sequence[Line], after: Sequence[Line]) -> list[int]:
    """The rows that are different, to be painted anew; empty: all of them."""
    if len(before) != len(after):
        return []
    pairs = enumerate(zip(before, after, strict=True))
    return [row for row, (old, new) in pairs if old != new]
