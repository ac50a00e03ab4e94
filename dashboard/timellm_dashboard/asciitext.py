"""Text for terminals that show ASCII alone."""

from functools import lru_cache

import msgspec

from timellm_dashboard.text import Words, words

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
    texts = msgspec.structs.asdict(words("en"))
    return Words(**{name: to_ascii(text) for name, text in texts.items()})
