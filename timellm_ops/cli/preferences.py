"""What a person likes the dashboard to be: a file of their own, for every run."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_type_hints

import msgspec
from msgspec import Struct

from timellm_ops.contract.showing import show_value
from timellm_ops.contract.suggestion import meant
from timellm_ops.contract.validation import ConfigError, describe_type, refuse
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
    if not path.exists():
        return Preferences()
    from timellm_ops.configfile import read_tables  # most people have no such file

    tables = read_tables(path)
    refuse(fault for name, value in tables.items() for fault in _faults(str(path), name, value))
    return msgspec.convert(tables, Preferences)


def _faults(source: str, name: str, value: object) -> Iterator[ConfigError]:
    """A key that there is not, or a value that does not fit it."""
    hints = get_type_hints(Preferences)
    if name not in hints:
        yield ConfigError(source, name, "an unknown key", meant(name, hints))
    elif name != "keys":
        try:
            msgspec.convert(value, hints[name])
        except msgspec.ValidationError:
            yield ConfigError(source, name, show_value(value), describe_type(hints[name]))
    elif not isinstance(value, Mapping):
        yield ConfigError(source, name, show_value(value), "a table, [keys]")
    else:
        for action_id, keys in value.items():
            for key in keys if isinstance(keys, list) else [keys]:
                if not isinstance(key, str):
                    expected = 'a key such as "f5", or several: ["f2", "f3"]'
                    yield ConfigError(source, f"keys.{action_id}", show_value(key), expected)


def taste_of(preferences: Preferences) -> "Taste":
    """What a person's own file asks of the dashboard. Raises `ConfigError` for bad keys."""
    from timellm_dashboard.actions.keymap import KeymapProblem, parse_keymap
    from timellm_dashboard.taste import Taste

    try:
        keymap = parse_keymap(preferences.keys)
    except KeymapProblem as problem:
        source = str(preferences_file())
        refuse(
            ConfigError(source, f"keys.{one.action_id}", one.found, one.expected)
            for one in problem.all
        )
        raise
    return Taste(light=preferences.theme == "light", keymap=keymap)
