"""Where in a replay to go: a line to type in, below whatever screen is seen."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import ModalScreen

from timellm_dashboard.replay.place import NoSuchPlace
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.replay import ReplayWords


class GoToScreen(ModalScreen[float]):
    """The second of the run that somebody has typed; none where they have thought better of it."""

    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self, words: ReplayWords, find: Callable[[str], float]) -> None:
        """`find` tells the second, or raises `NoSuchPlace`."""
        super().__init__()
        self._words, self._find = words, find
        self._prompt = Prompt(id="replay-prompt")

    def compose(self) -> ComposeResult:
        """The line alone: the run is seen above it."""
        yield self._prompt

    def on_mount(self) -> None:
        """Ask."""
        self._prompt.ask("place", self._words.ask, hint=self._words.hint)

    def on_prompt_answered(self, message: Prompt.Answered) -> None:
        """Go there; what leads nowhere stays, to be mended."""
        if not message.text.strip():
            self.dismiss(None)
            return
        try:
            place_s = self._find(message.text)
        except NoSuchPlace as error:
            self._prompt.complain(
                to_ascii(str(error)) if self.app.has_class("-ascii") else str(error)
            )
            return
        self.dismiss(place_s)

    def on_prompt_given_up(self) -> None:
        """Stay where the replay is."""
        self.dismiss(None)
