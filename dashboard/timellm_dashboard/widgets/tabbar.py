"""The screens by name, where there is a row for them: a click is as good as the number."""

from textual.app import ComposeResult
from textual.containers import Horizontal

from timellm_dashboard.actions import ACTIONS, ScreenId
from timellm_dashboard.actions.keymap import Keymap
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.keybar import KeyButton


class TabBar(Horizontal):
    """A button for each screen, the one that is seen marked."""

    def __init__(self, on: ScreenId, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self._buttons = tuple(KeyButton(action) for action in ACTIONS if action.goes_to)
        for button in self._buttons:
            button.set_class(button.action.goes_to == on, "-here")

    def compose(self) -> ComposeResult:
        """A button each."""
        yield from self._buttons

    def show(self, view: View, keymap: Keymap) -> None:
        """Show `view` from now on."""
        for button in self._buttons:
            button.show(view, keymap)
