"""Options that several commands share, and how a run is to be shown."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec import Struct

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.preferences import Preferences, read_preferences, taste_of

Language = Literal["en", "zh"]
RunRef = Annotated[
    str,
    Parameter(
        help="A run: its id, the beginning of one, or latest (of those that go on, else of all)."
    ),
]
Plain = Annotated[bool, Parameter(negative="", help="Plain lines instead of the dashboard.")]
Json = Annotated[bool, Parameter(negative="", help="JSON that names its schema, not text.")]
Lang = Annotated[Language | None, Parameter(help="Language; by default that of the locale (LANG).")]
Overrides = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        negative="",
        help="Change a key of a config: --set train.epochs=3; may be repeated.",
    ),
]
Ascii = Annotated[
    bool, Parameter(name="--ascii", negative="", help="Draw with plain ASCII characters only.")
]


class Style(Struct, frozen=True, kw_only=True):
    """How to show a run."""

    form: Literal["dashboard", "plain", "json", "detach"]
    lang: Language
    ascii_only: bool
    preferences: Preferences = Preferences()

    @property
    def shown_lang(self) -> Language:
        """The language that is really used: ASCII characters are English."""
        return "en" if self.ascii_only else self.lang


def style_of(
    *, plain: bool, json: bool, detach: bool, lang: Language | None, ascii_only: bool
) -> Style:
    """The dashboard where there is a terminal, unless something else was asked for.

    Raises `UsageError` where two things were, and `ConfigError` for a file of preferences that
    cannot be used.
    """
    if plain + json + detach > 1:
        raise UsageError("only one of --plain, --json and --detach can be given")
    form: Literal["dashboard", "plain", "json", "detach"] = "plain"
    if detach:
        form = "detach"
    elif json:
        form = "json"
    elif not plain and has_terminal():
        form = "dashboard"
    liked = read_preferences()
    if form == "dashboard" and liked.keys:
        taste_of(liked)  # before anything is begun that a bad key could leave half done
    return Style(
        form=form,
        lang=lang or liked.lang or language(),
        ascii_only=ascii_only or liked.ascii or not has_unicode(),
        preferences=liked,
    )


def has_terminal(env: Mapping[str, str] = os.environ) -> bool:
    """Whether a screen can be drawn and keys can be read."""
    return sys.stdin.isatty() and sys.stdout.isatty() and env.get("TERM", "dumb") != "dumb"


def has_unicode() -> bool:
    """Whether the output can show more than ASCII."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf16")


def language(env: Mapping[str, str] = os.environ) -> Language:
    """The language of the locale, as far as there is a text in it."""
    chosen = env.get("LC_ALL") or env.get("LC_MESSAGES") or env.get("LANG") or ""
    return "zh" if chosen.lower().startswith("zh") else "en"
