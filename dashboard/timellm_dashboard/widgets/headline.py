"""The top of every screen."""

from timellm_dashboard.lines import Line
from timellm_dashboard.panels.header import draw_headline, draw_title
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel


class TitleBar(Panel):
    """Which run it is, for how long, and the time of day."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:  # noqa: ARG002
        """One row."""
        return [draw_title(view, width)]


class HeadlineBar(Panel):
    """The state and its reason."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """As many rows as there are."""
        return draw_headline(view, width, height)
