"""What a person likes the dashboard to be: a file of their own, for every run."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from timellm_ops.contract.validation import ConfigError
from timellm_ops.paths import expand_home

if TYPE_CHECKING:
    from timellm_dashboard.taste import Taste


class Preferences(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of `dashboard.toml`. What the command line says comes first."""

    lang: Literal["en", "zh"] | None = None
    theme: Literal["dark", "light"] = "dark"
    ascii: bool = False
    keys: dict[str, str | list[str]] = {}
    """Keys for actions, by the action's id: `pause = "space"`."""


def preferences_file(env: Mapping[str, str] = os.environ) -> Path:
    """Where the file belongs."""
    folder = env.get("XDG_CONFIG_HOME") or ""
    base = Path(folder) if Path(folder).is_absolute() else expand_home("~/.config")
    return base / "timellm-ops" / "dashboard.toml"


def read_preferences(path: Path | None = None) -> Preferences:
    """The preferences, or those of somebody who has none. Raises `ConfigError` for a file that
    cannot be read as such."""
    path = path or preferences_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Preferences()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), "", str(error), "a readable file in UTF-8") from error
    try:
        return msgspec.convert(tomllib.loads(text), Preferences)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), "", str(error), "TOML") from error
    except msgspec.ValidationError as error:
        expected = "lang, theme, ascii and [keys], as docs/dashboard.md has them"
        raise ConfigError(str(path), "", str(error), expected) from error


def taste_of(preferences: Preferences) -> "Taste":
    """What a person's own file asks of the dashboard. Raises `ConfigError` for bad keys."""
    from timellm_dashboard.actions.keymap import KeymapProblem, parse_keymap
    from timellm_dashboard.taste import Taste

    try:
        keymap = parse_keymap(preferences.keys)
    except KeymapProblem as problem:
        source, key = str(preferences_file()), f"keys.{problem.action_id}"
        raise ConfigError(source, key, problem.found, problem.expected) from problem
    return Taste(light=preferences.theme == "light", keymap=keymap)
