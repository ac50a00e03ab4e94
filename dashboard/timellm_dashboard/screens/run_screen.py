"""What every screen of a run has: its name and state above, its keys below."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from timellm_dashboard.actions import ScreenId
from timellm_dashboard.actions.keymap import Keymap
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.headline import HeadlineBar, TitleBar
from timellm_dashboard.widgets.keybar import TYPING_KEYS, KeyBar, OwnKey
from timellm_dashboard.widgets.tabbar import TabBar
from timellm_ops.contract.commands import AnyRequest, Reply


class RunScreen(Screen[None]):
    """A screen of one run. Made once; shown, hidden and shown again."""

    screen_id: ClassVar[ScreenId]

    class Asks(Message):
        """Something is wanted of the supervisor. What it grants becomes a notice; what it refuses
        is told by `answered` where there is one, and else becomes a notice too."""

        def __init__(
            self, request: AnyRequest, answered: Callable[[Reply], None] | None = None
        ) -> None:
            super().__init__()
            self.request, self.answered = request, answered

    class Shows(Message):
        """Another screen is to show a moment of the run; `None`: the present."""

        def __init__(self, on: ScreenId, at: datetime | None) -> None:
            super().__init__()
            self.on, self.at = on, at

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]
        self._title, self._headline = TitleBar(id="title"), HeadlineBar(id="headline")
        self._tabs = TabBar(self.screen_id, id="tabs")
        self._keys = KeyBar(self.screen_id, id="keys")
        self._typing = False
        self.keymap: Keymap = {}
        """The person's own keys, to be shown in place of the registry's."""

    def compose(self) -> ComposeResult:
        """What all screens have, around what this one has."""
        yield self._title
        yield self._tabs
        yield self._headline
        with Container(id="body"):
            yield from self.body()
        yield self._keys

    def body(self) -> ComposeResult:
        """What this screen alone has."""
        raise NotImplementedError

    def show(self, view: View) -> None:
        """Show `view` from now on. Called once a turn while the screen is seen."""
        self._title.show(view)
        self._headline.show(view)
        self._tabs.show(view, self.keymap)
        self._keys.show(view, self.keymap)
        self.show_body(view)

    def own_keys(self) -> tuple[OwnKey, ...]:
        """The keys of what has taken the place of what the screen shows first; none: the actions
        are those of the registry."""
        return ()

    def show_keys(self) -> None:
        """Show in the last row what can be done from now on."""
        self._keys.show_own(TYPING_KEYS if self._typing else self.own_keys())

    def on_prompt_opened(self) -> None:
        """Keys are letters now."""
        self._typing = True
        self.show_keys()

    def on_prompt_closed(self) -> None:
        """Keys are keys again."""
        self._typing = False
        self.show_keys()

    def show_body(self, view: View) -> None:
        """Show `view` in what this screen alone has."""
        raise NotImplementedError

    def look_at(self, at: datetime | None) -> None:
        """Show that moment of the run; `None`: the present. May be called before it is seen."""
        raise NotImplementedError

    def act(self, action_id: str) -> None:
        """Do what the registry has for this screen alone."""
        raise NotImplementedError(action_id)
