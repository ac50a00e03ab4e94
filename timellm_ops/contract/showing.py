"""Values of a file as messages show them."""

import math
from collections.abc import Mapping

_SHOWN_CHARACTERS = 80
"""How much of a value that is wrong is shown."""


def fits_a_file(value: object) -> bool:
    """Whether a single value can be on record and in a command line: finite, of at most 64 bits,
    a text without NUL that UTF-8 can hold."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, str):
        return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return True


def show_value(value: object) -> str:
    """A value of a file as a message shows it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, int) and not fits_a_file(value):
        return "a number of more than 64 bits"
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
