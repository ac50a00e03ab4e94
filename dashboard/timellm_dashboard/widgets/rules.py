"""The panels of the policies screen."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from timellm_dashboard.lines import Line, clip
from timellm_dashboard.panels.rules import (
    HEAD_ROWS,
    draw_holds,
    draw_rule,
    draw_rules,
    rule_title,
    rules_title,
    words_of,
)
from timellm_dashboard.view import View
from timellm_dashboard.widgets.panel import Panel


class HoldsPanel(Panel):
    """Why the run stands still, and until when."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """What holds it, one after the other."""
        return draw_holds(view, width, height)

    def title(self, view: View, width: int) -> str:
        """What the panel is about."""
        return clip(words_of(view).why_title, width)


class RulesPanel(Panel, can_focus=True):
    """The table of rules, of which one is chosen."""

    class Chosen(Message):
        """Another rule was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", show=False),
        Binding("down,j", "choose(1)", show=False),
        Binding("home", "choose(-1000)", show=False),
        Binding("end", "choose(1000)", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.chosen = 0

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """As many rules as fit, the chosen one among them."""
        drawn = draw_rules(view, width, self.chosen)
        if len(drawn) <= height:
            return drawn
        last = max(HEAD_ROWS + self.chosen + 1, height)
        return [*drawn[:HEAD_ROWS], *drawn[last - height + HEAD_ROWS : last]]

    def title(self, view: View, width: int) -> str:
        """Which keys were changed under the run."""
        return clip(rules_title(view), width, "..." if view.ascii_only else "…")

    def action_choose(self, by: int) -> None:
        """Another rule."""
        self._choose(self.chosen + by)

    def on_click(self, event: Click) -> None:
        """The rule that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y >= HEAD_ROWS:
            self._choose(offset.y - HEAD_ROWS)

    def _choose(self, number: int) -> None:
        rules = 0 if self._view is None else len(self._view.rules.rows)
        self.chosen = max(0, min(number, rules - 1))
        self._redraw()
        self.post_message(self.Chosen())


class RulePanel(Panel):
    """The chosen rule in full."""

    chosen = 0

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Its sentence and its keys."""
        return draw_rule(view, width, height, self.chosen)

    def title(self, view: View, width: int) -> str:
        """Which rule it is."""
        return clip(rule_title(view, self.chosen), width)

    def choose(self, number: int) -> None:
        """Show another one."""
        self.chosen = number
        self._redraw()
