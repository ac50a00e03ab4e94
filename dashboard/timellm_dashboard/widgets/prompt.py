"""A line in which a person types an answer, at the bottom of a screen."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Static


class _Field(Input):
    """The part that is typed in. Nothing blinks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("up", "turn(-1)", show=False),
        Binding("down", "turn(1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False

    def on_key(self, event: Key) -> None:
        """Take a backspace at once, as letters are: as a binding it has its turn after the letters
        that came behind it, and takes away the wrong one where keys come fast."""
        if event.key == "backspace":
            event.stop()
            event.prevent_default()
            self.action_delete_left()

    def action_give_up(self) -> None:
        """Answer nothing."""
        self.post_message(Prompt.GivenUp())

    def action_turn(self, by: int) -> None:
        """Ask for the next suggestion, or with -1 for the one before."""
        self.post_message(Prompt.Turned(by))


class Prompt(Vertical):
    """Out of sight until something is asked. What is wrong with an answer stands above it."""

    class Answered(Message):
        """Enter was pressed."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose, self.text = purpose, text

    class GivenUp(Message):
        """Escape was pressed."""

    class Opened(Message):
        """Something is asked."""

    class Closed(Message):
        """Nothing is asked any more."""

    class Turned(Message):
        """Another suggestion is asked for, with up or down."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self.display = False
        self._label, self._field = Static(classes="prompt-label"), _Field()
        self._problem = Static(classes="prompt-problem")
        self._problem.display = False
        self._purpose = ""

    def compose(self) -> ComposeResult:
        """What is asked, and where to answer."""
        yield self._problem
        with Horizontal():
            yield self._label
            yield self._field

    @property
    def asking(self) -> bool:
        """Whether it waits for an answer."""
        return bool(self.display)

    def ask(self, purpose: str, label: str, *, hint: str = "", text: str = "") -> None:
        """Ask; `purpose` comes back with the answer, `text` is what stands there already."""
        self._purpose = purpose
        self._label.update(Content(f"{label} "))
        self._field.placeholder = hint
        self.suggest(text)
        self._problem.display = False
        self.display = True
        self.post_message(self.Opened())
        self.screen.set_focus(self._field)  # at once, unlike `focus`: the next key is meant for it

    def complain(self, problem: str) -> None:
        """Say what is wrong with the answer, which stays, to be mended."""
        self._problem.update(Content(problem))
        self._problem.display = True

    def suggest(self, text: str) -> None:
        """Put `text` in the place of what was typed."""
        self._field.value = text
        self._field.cursor_position = len(text)

    def close(self) -> None:
        """Out of sight again."""
        self.display = False
        self.post_message(self.Closed())

    def on_input_changed(self, message: Input.Changed) -> None:
        """Somebody mends the answer."""
        message.stop()
        self._problem.display = False

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter."""
        message.stop()
        self.post_message(self.Answered(self._purpose, message.value))
