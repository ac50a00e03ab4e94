"""From the tables of a TOML file to a `Config`, or one line that says what would be right."""

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from timellm_ops.contract.config import Config
from timellm_ops.contract.cross_checks import cross_checks
from timellm_ops.contract.section import Section
from timellm_ops.contract.showing import fits_a_file, show_value
from timellm_ops.contract.suggestion import did_you_mean, meant


class ConfigError(ValueError):
    """A config that cannot be run. Its text is one line: file, key, found, expected."""

    def __init__(self, source: str, key: str, found: str, expected: str) -> None:
        self.source, self.key, self.found, self.expected = source, key, found, expected
        self.also: tuple[ConfigError, ...] = ()
        """What else is wrong with the same file, in its order."""
        said = f"found {found}; expected {expected}"
        super().__init__(one_line(": ".join(part for part in (source, key, said) if part)))

    @property
    def all(self) -> "tuple[ConfigError, ...]":
        """This one and what else is wrong."""
        return (self, *self.also)


def refuse(faults: Iterable[ConfigError]) -> None:
    """Raise the first of the faults, with the others beside it; nothing where there are none."""
    found = tuple(faults)
    if found:
        found[0].also = found[1:]
        raise found[0]


def one_line(text: str) -> str:
    """`text` with line ends, escapes and other characters that do not print written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def parse_config(tables: Mapping[str, Any], source: str) -> Config:
    """Check `tables` (as read from TOML) key by key and across keys.

    `source` names the file in messages. Raises `ConfigError` with everything that is wrong, in the
    order of the file; what depends on a section with a fault in it is not judged.
    """
    faults = list(_section_faults(tables, Config, source, ()))
    unknown = {fault.key.partition(".")[0] for fault in faults}
    sections = {field.name for field in msgspec.structs.fields(Config)}
    if tables.keys() <= sections:
        sound = {name: table for name, table in tables.items() if name not in unknown}
        config = msgspec.convert({"data": {"dataset": "synthetic"}, **sound}, Config)
        faults += [ConfigError(source, *broken) for broken in cross_checks(config, unknown)]
    places = _places(tables)
    refuse(sorted(faults, key=lambda fault: _place(fault.key, places)))
    return config


def _places(tables: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, int]:
    """Every key and table of a file with its place among them, that of a table being its last."""
    places: dict[str, int] = {}
    for name, value in tables.items():
        key = ".".join((*path, name))
        inner = _places(value, (*path, name)) if isinstance(value, Mapping) else {}
        places |= {within: len(places) + place for within, place in inner.items()}
        places[key] = len(places)
    return places


def _place(key: str, places: Mapping[str, int]) -> int:
    """Where in the file a key is, or the nearest table that would have it."""
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places[key] if key else len(places)


def _section_faults(
    table: Mapping[str, Any], section: type[Section], source: str, path: tuple[str, ...]
) -> Iterator[ConfigError]:
    """What is wrong with the keys of a section, each looked at alone."""
    hints = get_type_hints(section, include_extras=True)
    required = {f.name for f in msgspec.structs.fields(section) if f.required}
    for name, value in table.items():
        key = ".".join((*path, name))
        if name not in hints:
            yield ConfigError(source, key, "an unknown key", _suggest(name, hints, path))
            continue
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Section):
            if isinstance(value, Mapping):
                yield from _section_faults(value, hint, source, (*path, name))
            else:
                yield ConfigError(source, key, show_value(value), f"a table, [{key}]")
        elif not _fits(value, hint):
            yield ConfigError(source, key, show_value(value), describe_type(hint))
    for name in sorted(required - set(table)):
        key = ".".join((*path, name))
        hint = hints[name]
        table_missing = isinstance(hint, type) and issubclass(hint, Section)
        what = f"a table, [{key}]" if table_missing else describe_type(hint)
        yield ConfigError(source, key, "nothing", what)


def _fits(value: object, hint: Any) -> bool:
    if not fits_a_file(value):
        return False
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _suggest(name: str, hints: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """A key of the same section that is close, or one of that very name elsewhere, or any."""
    elsewhere = [key for key in all_keys() if key.rpartition(".")[2] == name]
    where = f"[{'.'.join(path)}]" if path else "the top level"
    any_key = f"one of the keys of {where}: {', '.join(hints)}"
    otherwise = did_you_mean(elsewhere[0]) if elsewhere else any_key
    return meant(name, hints, within="".join(f"{part}." for part in path), otherwise=otherwise)


def all_keys() -> Iterator[str]:
    """Every key a config may hold, dotted, in the order of the sections."""
    return (key for key, _ in all_key_types())


def all_key_types(section: type[Section] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key a config may hold, as `all_keys` has them, with its annotation."""
    for name, hint in get_type_hints(section).items():
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from all_key_types(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


_NAMES: dict[object, str] = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false",
}  # fmt: skip


def describe_type(hint: Any) -> str:
    """What a key takes, in words, from its annotation."""
    origin = get_origin(hint)
    if origin is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in get_args(hint))
    if origin in (Union, types.UnionType):
        choices = [a for a in get_args(hint) if get_origin(a) is Literal]
        if len(choices) > 1:  # "one of" once
            return describe_type(Literal[*(value for a in choices for value in get_args(a))])
        return " or ".join(describe_type(a) for a in get_args(hint) if a is not type(None))
    if hasattr(hint, "__metadata__"):
        base = describe_type(get_args(hint)[0])
        bounds = [words for meta in hint.__metadata__ for words in _bounds(meta)]
        return f"{base} {' and '.join(bounds)}" if bounds else base
    return _NAMES.get(hint, str(hint))


def _number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _bounds(meta: msgspec.Meta) -> Iterator[str]:
    if meta.ge is not None:
        yield f"of at least {_number(meta.ge)}"
    if meta.gt is not None:
        yield f"above {_number(meta.gt)}"
    if meta.le is not None:
        yield f"of at most {_number(meta.le)}"
    if meta.lt is not None:
        yield f"below {_number(meta.lt)}"
    if meta.min_length:
        yield "that is not empty"
    if meta.pattern:
        a_name = "of letters, digits, dot, dash and underscore, at most 64"
        yield (meta.extra or {}).get("words", a_name)
