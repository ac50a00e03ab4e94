"""What an answer is made of: passages, tables and small diagrams, in one language."""

from typing import Literal, TypeAlias

from msgspec import Struct

from timellm_dashboard.words.keys import USUAL, Keys, keyed
from timellm_dashboard.words.text import Lang, Words, words


class Passage(Struct, frozen=True, tag=True):
    """A paragraph, to be broken into rows wherever it is shown."""

    text: str


class Table(Struct, frozen=True, kw_only=True, tag=True):
    """Rows of cells; the first one has the titles where `titled`."""

    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    """Columns of numbers."""
    titled: bool = False


class Diagram(Struct, frozen=True, tag=True):
    """Rows of characters that must stay as they are, at most `DIAGRAM_CELLS` wide."""

    rows: tuple[str, ...]


DIAGRAM_CELLS = 68
"""So that the help has room for one on a screen of 80 columns."""

Block: TypeAlias = Passage | Table | Diagram

Number: TypeAlias = int | float | str | bool | None


class Told(Struct, frozen=True, kw_only=True):
    """An answer before it has a question above it."""

    brief: str
    """In one line."""
    blocks: tuple[Block, ...]
    numbers: dict[str, Number]
    """What it was made of, for programs. `None`: not known."""


GroupName = Literal["data", "model", "training", "hardware", "results"]


class Answer(Struct, frozen=True, kw_only=True):
    """A question with its answer."""

    id: str
    number: int
    group: GroupName
    question: str
    brief: str
    blocks: tuple[Block, ...]
    numbers: dict[str, Number]


class Say:
    """One of two languages."""

    def __init__(self, lang: Lang, keys: Keys = USUAL) -> None:
        """`keys`: those that texts name."""
        self.lang: Lang = lang
        self._keys = keys

    def __call__(self, en: str, zh: str, **values: object) -> str:
        """The text in that language with its blanks filled in."""
        return keyed(zh if self.lang == "zh" else en, self._keys).format(**values)

    def passage(self, en: str, zh: str, **values: object) -> Passage:
        """The same as a paragraph."""
        return Passage(self(en, zh, **values))

    @property
    def words(self) -> Words:
        """The dashboard's texts of that language."""
        return words(self.lang)
