"""Pattern files: a TOML list of regular expressions, each with the event that it tells.

`docs/foreign-engines.md` is the format for those who write one.
"""

import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Struct

from timellm_ops.adapters.pattern_fields import FIELDS, Conversion, EventName
from timellm_ops.contract.cross_checks import stays_below
from timellm_ops.contract.events import AlertLevel, CheckpointKind, Split
from timellm_ops.contract.sizes import size_text
from timellm_ops.contract.suggestion import meant
from timellm_ops.contract.validation import ConfigError, describe_type, refuse
from timellm_ops.paths import read_file

LARGEST_BYTES = 1 << 18
MOST_PATTERNS = 64
LONGEST_REGEX = 2000
SUFFIX = ".toml"
_SHOWN_CHARACTERS = 80

_OF_EPOCHS = frozenset({"epoch", "epochs", "epochs_done", "steps_per_epoch", "iteration"})

_SHIPPED = Path(__file__).parent / "shipped"


class Pattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[pattern]]`: what a line that matches `regex` says."""

    event: EventName
    regex: str
    """Searched for anywhere in a line; its named groups are the event's fields."""
    convert: dict[str, Conversion] = {}
    """How the text of a group becomes a number, where not in the group's usual way."""
    example: str = ""
    """A line that it must match, checked when the file is read."""
    over: Literal["epoch", "run"] = "epoch"
    """Of a bar: what its total counts the steps of."""
    kind: CheckpointKind = "best"
    """Of a checkpoint."""
    split: Split = "vali"
    """Of an evaluation."""
    stopped: bool = False
    """Of early stopping: this line says that the patience is used up."""
    level: AlertLevel = "warning"
    """Of an alert."""
    message: str = ""
    """Of an alert or a failure without a group of that name."""


class PatternFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file."""

    about: str = ""
    """Which program it is for."""
    checkpoint: str = ""
    """Where that program saves, as a pattern below its working folder; files or folders."""
    last_file: str = ""
    """Of a checkpoint that is a folder: the file in it that is written last."""
    announced: bool = True
    """Whether every checkpoint is told of by a line before it is written. Where not, what is found
    on disk counts."""
    pattern: tuple[Pattern, ...] = ()


class CompiledPattern(Struct, frozen=True, kw_only=True):
    """A pattern that can be searched for."""

    number: int
    """Its place in the file, from 1."""
    said: Pattern
    regex: re.Pattern[str]
    conversions: Mapping[str, Conversion]
    """Of each of its groups."""

    @property
    def name(self) -> str:
        """For messages: `pattern 3 (progress)`."""
        return f"pattern {self.number} ({self.said.event})"


class Patterns(Struct, frozen=True, kw_only=True):
    """A pattern file, checked, and its own bytes."""

    source: str
    file: PatternFile
    compiled: tuple[CompiledPattern, ...]
    raw: bytes

    def has(self, *events: EventName) -> bool:
        """Whether a pattern tells one of these events."""
        return any(pattern.said.event in events for pattern in self.compiled)

    @property
    def tells_epochs(self) -> bool:
        """Whether a line may tell of epochs. Where none can, the whole run is taken as one."""
        return self.has("epoch_started", "epoch_trained", "epoch_ended") or any(
            not _OF_EPOCHS.isdisjoint(pattern.regex.groupindex)
            or (pattern.said.event == "bar" and pattern.said.over == "epoch")
            for pattern in self.compiled
        )


def shipped_names() -> tuple[str, ...]:
    """The pattern files that are here for everybody."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob(f"*{SUFFIX}")))


def load_patterns(reference: str, source: str, key: str = "") -> Patterns:
    """The pattern file that `reference` names: a shipped one, or a path.

    Raises `ConfigError`; where there is no such name, of `source` and `key`, which gave it.
    """
    if reference in shipped_names():
        return read_patterns(_SHIPPED / f"{reference}{SUFFIX}")
    path = Path(reference)
    if is_path(reference) or path.is_file():
        return read_patterns(path)
    names = ", ".join(shipped_names())
    any_ = f"one of {names}, or a {SUFFIX} file with patterns"
    raise ConfigError(
        source, key, _shown(reference), meant(reference, shipped_names(), otherwise=any_)
    )


def is_path(reference: str) -> bool:
    """Whether patterns are named by a file and not by a shipped name."""
    return reference.endswith(SUFFIX) or "/" in reference or reference.startswith((".", "~"))


def read_patterns(path: Path) -> Patterns:
    """Read and check a pattern file. Raises `ConfigError`, a line for each thing that is wrong."""
    source = str(path)
    expected = "a TOML file with patterns"
    try:
        raw = read_file(path, LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(source, "", "no such file", expected) from None
    except IsADirectoryError:
        raise ConfigError(source, "", "a folder", expected) from None
    except (OSError, ValueError) as error:
        found = f"a file that cannot be read ({getattr(error, 'strerror', None) or error})"
        raise ConfigError(source, "", found, expected) from None
    return parse_patterns(raw, source)


def parse_patterns(raw: bytes, source: str) -> Patterns:
    """`read_patterns` for bytes that are here already."""
    if len(raw) > LARGEST_BYTES:
        found = f"more than {size_text(LARGEST_BYTES)}"
        raise ConfigError(source, "", found, "a TOML file with patterns")
    try:
        tables = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"bytes that are not UTF-8 in line {line}"
        raise ConfigError(source, "", found, "TOML in UTF-8") from None
    except RecursionError:
        raise ConfigError(source, "", "values nested too deeply", "TOML") from None
    except ValueError as error:
        found = f"a syntax error, {' '.join(str(error).split())}"
        raise ConfigError(source, "", found, "TOML") from None
    compiled: list[CompiledPattern] = []
    faults = list(_top_faults(tables, source))
    listed = tables.get("pattern")
    if not isinstance(listed, list) or not listed:
        found = "nothing" if listed is None else _shown(listed)
        faults.append(ConfigError(source, "pattern", found, "at least one table, [[pattern]]"))
    elif len(listed) > MOST_PATTERNS:
        found, expected = f"{len(listed)}", f"at most {MOST_PATTERNS}"
        faults.append(ConfigError(source, "pattern", found, expected))
    else:
        for number, table in enumerate(listed, start=1):
            try:
                compiled.append(_compiled(number, table, source))
            except ConfigError as error:
                faults += error.all
    refuse(faults)
    file = msgspec.convert(tables, PatternFile)
    return Patterns(source=source, file=file, compiled=tuple(compiled), raw=raw)


def _top_faults(tables: Mapping[str, Any], source: str) -> Iterator[ConfigError]:
    """What is wrong with the keys above the patterns."""
    top = {name: value for name, value in tables.items() if name != "pattern"}
    faults = list(_key_faults(top, PatternFile, source, ""))
    if faults:
        yield from faults
        return
    file = msgspec.convert(top, PatternFile)
    if file.checkpoint and not stays_below(file.checkpoint):
        expected = "a pattern below the working folder, such as checkpoints/*/checkpoint"
        yield ConfigError(source, "checkpoint", _shown(file.checkpoint), expected)
    if "/" in file.last_file or file.last_file in (".", ".."):
        yield ConfigError(source, "last_file", _shown(file.last_file), "the name of a file")


def _key_faults(
    table: Mapping[str, Any], kind: type[Struct], source: str, place: str
) -> Iterator[ConfigError]:
    """What is wrong with the keys of a table, each looked at alone."""
    hints = get_type_hints(kind, include_extras=True)
    for name, value in table.items():
        if name not in hints:
            yield ConfigError(source, f"{place}{name}", "an unknown key", meant(name, hints))
        elif name == "convert" and isinstance(value, Mapping):
            yield from _conversion_faults(value, source, place)
        else:
            try:
                msgspec.convert(value, hints[name])
            except msgspec.ValidationError:
                expected = "a table" if name == "convert" else describe_type(hints[name])
                yield ConfigError(source, f"{place}{name}", _shown(value), expected)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in table:
            expected = describe_type(hints[field.name])
            yield ConfigError(source, f"{place}{field.name}", "nothing", expected)


def _conversion_faults(table: Mapping[str, Any], source: str, place: str) -> Iterator[ConfigError]:
    for group, value in table.items():
        if value not in get_args(Conversion):
            expected = "one of " + ", ".join(get_args(Conversion))
            yield ConfigError(source, f"{place}convert.{group}", _shown(value), expected)


def _compiled(number: int, table: object, source: str) -> CompiledPattern:
    """A pattern ready to be searched for. Raises `ConfigError` with all that is wrong with it."""
    if not isinstance(table, Mapping):
        raise ConfigError(source, f"pattern {number}", _shown(table), "a table")
    refuse(_key_faults(table, Pattern, source, f"pattern {number}, "))
    pattern = msgspec.convert(table, Pattern)
    place = f"pattern {number} ({pattern.event})"
    regex = _regex(pattern.regex, source, f"{place}, regex")
    refuse(
        ConfigError(source, f"{place}, {key}", found, expected)
        for key, found, expected in _group_faults(pattern, regex)
    )
    fields = FIELDS[pattern.event]
    conversions: dict[str, Conversion] = {
        group: pattern.convert.get(group, fields.may[group][0]) for group in regex.groupindex
    }
    return CompiledPattern(number=number, said=pattern, regex=regex, conversions=conversions)


def _group_faults(pattern: Pattern, regex: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """What does not go together in a pattern, as (key, found, expected)."""
    fields = FIELDS[pattern.event]
    for group in regex.groupindex:
        if group not in fields.may:
            none = "" if fields.may else "no group at all"
            yield "regex", f'a group "{group}"', meant(group, fields.may, otherwise=none)
    for group in fields.must:
        if group not in regex.groupindex:
            yield "regex", f'no group "{group}"', f"(?P<{group}>...) in it"
    if fields.any_of and not any(group in regex.groupindex for group in fields.any_of):
        names = ", ".join(f"(?P<{group}>...)" for group in fields.any_of)
        yield "regex", "none of its groups", f"one of {names} in it"
    for group, how in pattern.convert.items():
        if group not in regex.groupindex:
            none = "" if regex.groupindex else "no group"
            expected = meant(group, regex.groupindex, otherwise=none)
            yield f"convert.{group}", "no such group", expected
        elif how not in fields.may.get(group, (how,)):
            yield f"convert.{group}", _shown(how), "one of " + ", ".join(fields.may[group])
    if pattern.example and regex.search(pattern.example) is None:
        yield "example", _shown(pattern.example), "a line that regex matches"


def _regex(text: str, source: str, place: str) -> re.Pattern[str]:
    if len(text) > LONGEST_REGEX:
        raise ConfigError(
            source, place, f"{len(text)} characters", f"at most {LONGEST_REGEX} of them"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            regex = re.compile(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        found = f"{_shown(text)}, {error}"
        raise ConfigError(source, place, found, "a regular expression of Python") from None
    if regex.search("") is not None:
        raise ConfigError(source, place, _shown(text), "one that does not match an empty line")
    return regex


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list)):
        return "a table" if isinstance(value, Mapping) else "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
