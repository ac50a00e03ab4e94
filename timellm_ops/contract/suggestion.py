"""What would be right in the place of a name that is not known: one wording for every name."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str) -> str:
    """As what is expected: this very name."""
    return f'"{name}" (did you mean it?)'


def close_to(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` may have been meant for."""
    return next(iter(difflib.get_close_matches(name, tuple(known), n=1)), None)


def meant(name: str, known: Iterable[str], *, within: str = "", otherwise: str = "") -> str:
    """What is expected in the place of `name`: the one of `known` that it is close to, or any.

    `within` stands before the name in what is said, such as the tables that hold a key.
    `otherwise` is said, in place of all that are known, where none is close.
    """
    there = tuple(known)
    close = close_to(name, there)
    if close is not None:
        return did_you_mean(f"{within}{close}")
    return otherwise or f"one of {', '.join(there)}"
