"""The panels of the policies screen."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message

from timellm_dashboard.lines import Line, clip
from timellm_dashboard.panels.rules import (
    HEAD_ROWS,
    blocks_seen,
    draw_holds,
    draw_rule,
    hold_rows,
    key_rows,
    rule_blocks,
    rule_title,
    rules_title,
    words_of,
)
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel


class HoldsPanel(Panel):
    """Why the run stands still, and until when."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """What holds it, one after the other."""
        return draw_holds(view, width, height)

    def wanted(self, view: View) -> int:
        """The rows that it takes to say all of it."""
        return len(hold_rows(view, self.content_size.width))

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
        self._seen = range(0)
        self._rule_of_row: list[int] = []

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """As many rules as fit, the chosen one among them."""
        head, blocks = rule_blocks(view, width, self.chosen)
        room = max(1, height - HEAD_ROWS)
        self._seen = blocks_seen(list(map(len, blocks)), self.chosen, self._seen.start, room)
        self._rule_of_row = [number for number in self._seen for _ in blocks[number]]
        return [*head, *(row for number in self._seen for row in blocks[number])][:height]

    def wanted(self, view: View) -> int:
        """The rows that it takes to show all rules."""
        head, blocks = rule_blocks(view, self.content_size.width, self.chosen)
        return len(head) + sum(map(len, blocks))

    def title(self, view: View, width: int) -> str:
        """Which rules are seen, and which keys were changed under the run."""
        return clip(rules_title(view, self._seen), width, "..." if view.ascii_only else "…")

    def action_choose(self, by: int) -> None:
        """Another rule."""
        self._choose(self.chosen + by)

    def on_click(self, event: Click) -> None:
        """The rule that was clicked."""
        offset = event.get_content_offset(self)
        row = -1 if offset is None else offset.y - HEAD_ROWS
        if 0 <= row < len(self._rule_of_row):
            self._choose(self._rule_of_row[row])

    def _choose(self, number: int) -> None:
        rules = 0 if self._view is None else len(self._view.rules.rows)
        self.chosen = max(0, min(number, rules - 1))
        self._redraw()
        self.post_message(self.Chosen())


class RulePanel(Panel):
    """The keys of the chosen rule."""

    chosen = 0

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """One key a row where they have room, else all of them in a few rows."""
        return draw_rule(view, width, height, self.chosen)

    def wanted(self, view: View) -> int:
        """The rows that it takes to show all keys."""
        return key_rows(view, self.content_size.width, self.chosen)

    def title(self, view: View, width: int) -> str:
        """Which rule it is."""
        return clip(rule_title(view, self.chosen), width)

    def choose(self, number: int) -> None:
        """Show another one."""
        self.chosen = number
        self._redraw()
