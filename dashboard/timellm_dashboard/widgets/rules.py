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
from timellm_dashboard.panels.rulestory import draw_rule_story
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel, Past


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

    WHILE_READING = "says so"

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
        """The rule that keys act on. Until a person chooses, the one that holds the run, or that
        has told something."""
        self._by_hand = False
        self._seen = range(0)
        self._rule_of_row: list[int] = []

    def show(self, view: View) -> None:
        """Show `view` from now on."""
        if not self._by_hand:
            standings = [rule.standing for rule in view.rules.rows]
            found = (standings.index(s) for s in ("holding", "told") if s in standings)
            self.chosen = next(found, 0)
        super().show(view)

    def keep(self) -> None:
        """Stay with the chosen rule, whichever one acts from now on: a person is busy with it."""
        self._by_hand = True

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
        self.chosen, self._by_hand = max(0, min(number, rules - 1)), True
        self._redraw()
        self.post_message(self.Chosen())


class RulePanel(Panel):
    """The keys of the chosen rule."""

    def __init__(self, table: RulesPanel, *, id: str | None = None) -> None:  # noqa: A002
        """`table` tells which rule is chosen, and what each does next, where it has the room."""
        super().__init__(id=id)
        self._table = table

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """One key a row where they have room, else all of them in a few rows."""
        return draw_rule(view, width, height, self._table.chosen, self._table.content_size.width)

    def wanted(self, view: View) -> int:
        """The rows that it takes to show all keys."""
        return key_rows(view, self.content_size.width, self._table.chosen)

    def title(self, view: View, width: int) -> str:
        """Which rule it is."""
        return clip(rule_title(view, self._table.chosen), width)


class RuleStoryPanel(Panel):
    """What the chosen rule has seen and done. Drawn anew when something of it has changed or a
    column of its plot has filled."""

    def __init__(self, past: Past, table: RulesPanel, *, id: str | None = None) -> None:  # noqa: A002
        """`table` tells which rule is chosen."""
        super().__init__(id=id)
        self._past, self._table = past, table
        self._drawn_for: tuple[object, ...] = ()
        self._drawn_at_s = 0.0
        self._rows: list[Line] = []

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """How it stands, its deeds, and a plot where there is room."""
        rules = view.rules.rows
        if not rules:
            return []
        history, look = self._past()
        trace, rule = history.trace, rules[min(self._table.chosen, len(rules) - 1)]
        drawn_for = (
            trace, trace.marks_total, rule.rule, rule.standing, rule.next, view.rules.holds, width,
            height, view.lang, view.gpu.marks, view.headline.state,
        )  # fmt: skip
        column_s = trace.extent_s / (2 * max(1, width))
        if drawn_for != self._drawn_for or trace.extent_s - self._drawn_at_s >= column_s:
            self._drawn_for, self._drawn_at_s = drawn_for, trace.extent_s
            self._rows = draw_rule_story(view, history, look, rule, width, height)
        return self._rows

    def title(self, view: View, width: int) -> str:
        """Which rule it is."""
        rules = view.rules.rows
        if not rules:
            return ""
        name = rules[min(self._table.chosen, len(rules) - 1)].name
        return clip(words_of(view).story_title.format(rule=name), width)
