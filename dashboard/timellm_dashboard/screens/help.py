"""The help: the keys, and what every number on the screen means, with the run's own values."""

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Static

from timellm_dashboard.actions import ScreenId, label_of, offered
from timellm_dashboard.actions.keymap import Keymap, shown_key
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.explain import EXPLANATIONS
from timellm_dashboard.lines import Line, Span, line, pad, wrap
from timellm_dashboard.view import View
from timellm_dashboard.widgets.toned import to_content

_KEY_CELLS = 4


def draw_help(view: View, on: ScreenId, keymap: Keymap, width: int) -> list[Line]:
    """The whole help in rows of `width` cells."""
    words = view.words
    rows: list[Line] = [line(Span(words.help_keys, "accent"))]
    shown = {
        action.id: shown_key(action, keymap, ascii_only=view.ascii_only)
        for action in offered(view, on)
    }
    cells = max(_KEY_CELLS, 1 + max(map(cell_len, shown.values())))
    for action in offered(view, on):
        text = f"{label_of(action, view)} — {action.help.in_(view.lang)}"
        key = Span(f"  {pad(shown[action.id], cells)}", "strong")
        for index, row in enumerate(wrap(_shown(text, view), width - cells - 2)):
            rows.append(line(key if index == 0 else Span(" " * (cells + 2)), row))
    rows += [(), line(Span(words.help_numbers, "accent"))]
    for explanation in EXPLANATIONS:
        title = Span(f"  {explanation.title.in_(view.lang)}", "strong")
        now = explanation.now(view)
        value = Span(f"  {words.help_now.format(value=now)}", "muted") if now else Span("")
        rows += [line(title), *([line(Span(f"  {value.text}", "muted"))] if now else [])]
        body = _shown(explanation.body.in_(view.lang), view)
        rows += [line(f"    {row}") for row in wrap(body, width - 4)]
        rows.append(())
    return rows


def _shown(text: str, view: View) -> str:
    return to_ascii(text) if view.ascii_only else text


class HelpScreen(ModalScreen[None]):
    """Covers the screen that it was asked for on; the run goes on behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss", ""), ("question_mark", "dismiss", ""), ("q", "dismiss", ""),
    ]  # fmt: skip
    AUTO_FOCUS = "#help"

    def __init__(self, view: View, on: ScreenId, keymap: Keymap) -> None:
        super().__init__()
        self._view, self._on, self._keymap = view, on, keymap

    def compose(self) -> ComposeResult:
        """One long text."""
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = escape(self._view.words.help_title)
            scroll.border_subtitle = escape(self._view.words.help_close)
            yield Static(id="help-text")

    def on_mount(self) -> None:
        """Draw once the size is known."""
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = self.query_one("#help", VerticalScroll).scrollable_content_region.width
        text: Content = to_content(draw_help(self._view, self._on, self._keymap, max(20, width)))
        self.query_one("#help-text", Static).update(text)
