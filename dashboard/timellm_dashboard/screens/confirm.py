"""A question before something that can't be undone, saying what would be lost."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.screen import ModalScreen
from textual.widgets import Static

from timellm_dashboard.viewmodel.stopnow import stop_now_lines
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.keys import keyed


class ConfirmScreen(ModalScreen[bool]):
    """A question. Neither Enter nor a click beside it says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", ""), ("n", "answer(False)", ""), ("escape", "answer(False)", ""),
        ("q", "answer(False)", ""),
    ]  # fmt: skip

    def __init__(self, title: str, lines: tuple[str, ...], yes: str, no: str) -> None:
        """`lines` say what will be done, what it costs, and what would be gentler."""
        super().__init__()
        self._title, self._lines, self._yes, self._no = title, lines, yes, no

    def compose(self) -> ComposeResult:
        """The question, what it costs, the gentler way, and the two answers."""
        with Vertical(id="confirm"):
            yield Static(Content.styled(self._title, "bold $tone-held"))
            for number, line in enumerate(self._lines):
                yield Static(Content(line), id="confirm-cost" if number == 1 else None)
            yield Static(
                Content.assemble(("y ", "bold $tone-accent"), self._yes),
                id="confirm-yes",
                classes="answer",
            )
            yield Static(
                Content.assemble(("n ", "bold $tone-accent"), self._no),
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


class StopNowScreen(ConfirmScreen):
    """Whether to end the engine without waiting for a checkpoint of its own accord."""

    def __init__(self, view: View, grace_s: float | None) -> None:
        words = view.words
        super().__init__(
            words.stop_now_title,
            stop_now_lines(view, grace_s),
            words.stop_now_yes,
            words.stop_now_no,
        )


class OverrideScreen(ConfirmScreen):
    """Whether to go on against the rules that hold the run."""

    def __init__(self, view: View) -> None:
        words = view.words
        super().__init__(
            words.override_title,
            (view.headline.reason, words.override_body, keyed(words.override_end, view.keys)),
            words.override_yes,
            words.override_no,
        )
