"""A question before something that can't be undone, saying what would be lost."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.screen import ModalScreen
from textual.widgets import Static

from timellm_dashboard.view import View


class StopNowScreen(ModalScreen[bool]):
    """Whether to end the engine at once. Neither Enter nor a click beside it says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", ""), ("n", "answer(False)", ""), ("escape", "answer(False)", ""),
        ("q", "answer(False)", ""),
    ]  # fmt: skip

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        """The question, what it costs, the gentler way, and the two answers."""
        words, panel = self._view.words, self._view.checkpoints
        free = panel.at_risk.value == 0
        cost = words.stop_now_free if free else words.stop_now_cost.format(steps=panel.at_risk.text)
        with Vertical(id="confirm"):
            yield Static(Content.styled(words.stop_now_title, "bold $tone-held"))
            yield Static(Content(words.stop_now_body))
            yield Static(Content(cost), id="confirm-cost")
            yield Static(Content(words.stop_now_gentler))
            yield Static(
                Content.assemble(("y ", "bold $tone-accent"), words.stop_now_yes),
                id="confirm-yes",
                classes="answer",
            )
            yield Static(
                Content.assemble(("n ", "bold $tone-accent"), words.stop_now_no),
                id="confirm-no",
                classes="answer",
            )

    def on_click(self, event: Click) -> None:
        """A click on an answer gives it."""
        if event.widget is not None and event.widget.has_class("answer"):
            self.dismiss(event.widget.id == "confirm-yes")

    def action_answer(self, yes: bool) -> None:
        """Give the answer."""
        self.dismiss(yes)
