"""The raw stream of the engine."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from timellm_dashboard.actions import ScreenId, bindings
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.services import Services
from timellm_dashboard.view import View


class LogScreen(RunScreen):
    """The raw stream of the engine."""

    screen_id: ClassVar[ScreenId] = "log"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("log")]

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    def body(self) -> ComposeResult:
        """What this screen alone has."""
        yield Static()

    def show_body(self, view: View) -> None:
        """Show `view` from now on."""
