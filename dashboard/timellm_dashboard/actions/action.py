"""What an action is: something a person can do, however it is asked for."""

from typing import Literal

from msgspec import Struct

from timellm_dashboard.words.text import Lang

ScreenId = Literal["overview", "timeline", "log", "policies", "runs", "report"]


class Said(Struct, frozen=True):
    """A text in both languages."""

    en: str
    zh: str

    def in_(self, lang: Lang) -> str:
        """The text in `lang`."""
        return self.zh if lang == "zh" else self.en


class Action(Struct, frozen=True, kw_only=True):
    """Something that can be done, however it is asked for."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    shown_keys: str
    label: Said
    other_label: Said | None = None
    """Where the same key does the opposite now and then."""
    help: Said
    """Keys of actions are marks in it, as `words.keys` has them."""
    also: Said | None = None
    """Which of its keys besides do the same, told as long as they are its own."""
    asks: bool = False
    """It can't be undone and something would be lost: a person is asked first."""
    in_footer: bool = True
    in_palette: bool = True
    changes_run: bool = False
    """It asks something of the supervisor or writes into the run's folder: a dashboard that may
    only look does not offer it."""
    needs_supervisor: bool = False
    """A supervisor does it: it is not offered in front of a run that has none."""
    needs_record: bool = False
    """It works on what is on record of the run: it is not offered before anything is."""
    on: ScreenId | None = None
    """The only screen that has it, and does it itself; `None`: every screen has it."""
    goes_to: ScreenId | None = None
    """It does nothing but show that screen."""
    only: Literal["live", "replay"] | None = None
    """It makes sense in front of the run itself alone, or of a replay alone."""
    types: bool = False
    """It opens a line to type in: what is typed right after its key is meant for that line."""
    binding: str = ""
    """Textual's own action, where it already has one."""
