"""Text for terminals that show ASCII alone."""

from functools import lru_cache
from typing import TypeVar

import msgspec

from timellm_dashboard.words.text import Words, words

Kind = TypeVar("Kind", bound=msgspec.Struct)

_PLAIN = {
    "·": "|",
    "—": "-",
    "–": "-",
    "…": "...",
    "×": "x",
    "°": "",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "←": "<-",
    "⇧": "^",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "▶": ">",
    "▷": ">",
    "◆": "=",
    "‖": "||",
    "▼": "v",
    "■": "#",
    "✓": "+",
    "✗": "x",
    "○": "o",
    "◌": "o",
    "★": "*",
    "⚠": "!",
    "─": "-",
    "│": "|",
    "━": "=",
    "┴": "+",
    "└": "`",
    "┘": "'",
    "█": "#",
    "▒": "=",
    "░": ".",
}
_TABLE = str.maketrans(_PLAIN)


def to_ascii(text: str) -> str:
    """`text` in ASCII; a character that has no stand-in becomes a question mark."""
    return text.translate(_TABLE).encode("ascii", "replace").decode()


@lru_cache(maxsize=1)
def ascii_words() -> Words:
    """The English texts in ASCII."""
    return texts_in_ascii(words("en"))


def texts_in_ascii(value: Kind, *, but: str = "") -> Kind:
    """`value`, a frozen struct, with every text in it in ASCII, however deep. The field `but` is
    left as it is: long series of numbers."""
    changed = {
        field.name: msgspec.convert(
            _plain(msgspec.to_builtins(getattr(value, field.name))), field.type
        )
        for field in msgspec.structs.fields(value)
        if field.name != but
    }
    return msgspec.structs.replace(value, **changed)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return to_ascii(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
