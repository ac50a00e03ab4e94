"""The last row: what can be done, by key or by mouse."""

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from timellm_dashboard.actions import (
    ACTIONS,
    REPLAY_ACTIONS,
    Action,
    Said,
    ScreenId,
    is_of_use,
    label_of,
)
from timellm_dashboard.actions.keymap import Keymap, shown_key
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.ascii import to_ascii

OwnKey = tuple[str, Said]
"""A key as it is shown, and what it does."""
TYPING_KEYS: tuple[OwnKey, ...] = (
    ("Enter", Said("take it", "确定")),
    ("Esc", Said("leave as it is", "取消")),
)
"""Of a line that is typed in."""
_GAP = 2
"""Cells between two buttons, as the style sheet has it."""


class KeyButton(Static):
    """A key with its label; a click is as good as the key."""

    class Pressed(Message):
        """The button was clicked."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self, action: Action) -> None:
        super().__init__(id=f"key-{action.id}")
        self.action = action
        self._label, self._keys = "", ""

    def show(self, view: View, keymap: Keymap) -> None:
        """Show the label for now."""
        label = label_of(self.action, view)
        self.display = is_of_use(self.action, view)
        if label == self._label:
            return
        self._label = label
        self._keys = shown_key(self.action, keymap, ascii_only=view.ascii_only)
        keys = (f"{self._keys} ", "bold $tone-accent")
        self.update(Content.assemble(keys, label))

    @property
    def cells(self) -> int:
        """How wide it is."""
        return cell_len(f"{self._keys} {self._label}")

    def on_click(self) -> None:
        """Do it."""
        self.post_message(self.Pressed(self.action.id))


class KeyBar(Horizontal):
    """The actions of the registry that belong here, side by side: the screen's own first."""

    def __init__(self, on: ScreenId, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        every = (*REPLAY_ACTIONS, *ACTIONS)
        shown = [action for action in every if action.in_footer and action.on in (on, None)]
        shown.sort(key=lambda action: _place(action, on))
        self._buttons = tuple(KeyButton(action) for action in shown)
        self._own = Static(id="own-keys")
        self._own.display = False
        self._own_keys: tuple[OwnKey, ...] = ()
        self._shown: tuple[View, Keymap] | None = None

    def compose(self) -> ComposeResult:
        """A button each, and what stands in their place."""
        yield self._own
        yield from self._buttons

    def show_own(self, keys: tuple[OwnKey, ...]) -> None:
        """Show those keys alone: of what has the whole attention, such as a line to type in. None:
        the actions again."""
        if keys == self._own_keys:
            return
        self._own_keys = keys
        if self._shown is not None:
            self.show(*self._shown)

    def show(self, view: View, keymap: Keymap) -> None:
        """Show `view` from now on: the buttons that fit whole, the first ones first."""
        self._shown = (view, keymap)
        self._own.display = bool(self._own_keys)
        if self._own_keys:
            for button in self._buttons:
                button.display = False
            self._own.update(_own_text(self._own_keys, view))
            return
        room = self.content_size.width or None
        for button in self._buttons:
            button.show(view, keymap)
            if button.display and room is not None:
                button.display = button.cells <= room
                room -= button.cells + _GAP

    def on_resize(self) -> None:
        """Others fit into another width."""
        if self._shown is not None:
            self.show(*self._shown)


def _own_text(keys: tuple[OwnKey, ...], view: View) -> Content:
    write = to_ascii if view.ascii_only else str
    parts: list[str | tuple[str, str]] = []
    for key, label in keys:
        parts += [(f"{write(key)} ", "bold $tone-accent"), write(label.in_(view.lang))]
        parts.append(" " * _GAP)
    return Content.assemble(*parts[:-1])


_WAYS_OUT = ("help", "next_screen", "leave")


def _place(action: Action, on: ScreenId) -> int:
    """A screen's own keys first, and before the row is full how to get away from it."""
    if action.on is not None:
        return 0
    if action.id in ("override", "supervise"):
        return 1  # shown only while a rule holds the run, or nobody: then it is what is looked for
    return 2 if on != "overview" and action.id in _WAYS_OUT else 3
