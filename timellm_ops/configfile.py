"""Configuration files: from a TOML file and `--set` options to a resolved `Config`, and back."""

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import tomli_w

from timellm_ops.adapters.pattern_file import is_path
from timellm_ops.contract.config import (
    BackboneSection,
    Config,
    DataSection,
    ForeignSection,
    GpuSection,
    PolicySection,
    RunSection,
)
from timellm_ops.contract.policy_keys import fault_of
from timellm_ops.contract.run_name import NOT_IN_A_RUN_NAME
from timellm_ops.contract.section import Section
from timellm_ops.contract.validation import ConfigError, all_keys, parse_config, refuse
from timellm_ops.paths import full_path, is_folder, read_file

_replace = msgspec.structs.replace

NO_DATA = "-"
"""`data.path` of a run whose data is the foreign script's own affair."""


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file, apply `key=value` overrides, check it, and resolve its paths.

    The result is complete in itself: paths are absolute (relative ones start at the file's own
    folder, wherever they were given), and the run has a name. Raises `ConfigError`.
    """
    config = _parse_overridden(read_tables(path), overrides, str(path))
    return _recordable(_resolve(config, full_path(str(path), Path.cwd())), str(path))


def parse_toml(path: Path) -> Config:
    """Read a config file as it stands, such as a run's own. Raises `ConfigError`."""
    return parse_config(read_tables(path), str(path))


def write_config(config: Config) -> bytes:
    """The TOML text that reads back as `config`. TOML has no null: such keys are left out."""
    return tomli_w.dumps(_without_none(msgspec.to_builtins(config))).encode()


def foreign_config(
    command: str,
    *,
    workdir: Path,
    name: str = "",
    checkpoint: str = "",
    patterns: str = "",
    overrides: Sequence[str] = (),
) -> Config:
    """A config that supervises `command` and has no file. Raises `ConfigError`."""
    tables: dict[str, Any] = {
        "run": {"name": name or foreign_name(command)},
        "data": {"dataset": "custom", "path": NO_DATA},
        "foreign": {"command": command, "workdir": str(workdir.resolve())},
    }
    if checkpoint:
        tables["foreign"]["checkpoint"] = checkpoint
    if patterns:
        tables["foreign"]["patterns"] = patterns
    found = _parse_overridden(tables, overrides, "--engine-command")
    return _replace(found, foreign=_with_patterns(found.foreign, Path.cwd()))


def with_policy_settings(
    policy: PolicySection, gpu: GpuSection, settings: Sequence[str]
) -> PolicySection:
    """`policy` with `key=value` settings of its own keys, under the same rules as a config file.

    `gpu` is the run's own, which some of the rules are about. Raises `ConfigError`.
    """
    source = ""  # whoever asked knows where; the key says what
    tables: dict[str, Any] = _without_none(
        {"policy": msgspec.to_builtins(policy), "gpu": msgspec.to_builtins(gpu)}
    )
    tables["data"] = {"dataset": "ETTh1"}  # of no rule's concern, but a config has one
    for text in settings:
        key = _override(tables, text, source)
        fault = None if key.startswith("policy.") else fault_of(key)
        if fault is not None:
            raise ConfigError(source, "", f"{key}, {fault[0]}", fault[1])
    changed = parse_config(tables, source).policy
    for text in settings:
        key = text.partition("=")[0].strip()
        if key not in all_keys():
            raise ConfigError(source, key, "a whole table", "one of its keys")
    return changed


def default_config(overrides: Sequence[str] = ()) -> Config:
    """Every key at its default, apart from the overrides. Raises `ConfigError`."""
    return _parse_overridden({"data": {"dataset": "synthetic"}}, overrides, "the defaults")


def foreign_name(command: str) -> str:
    """A run's name from a command: the stem of the script in it."""
    for word in command.split():
        if re.search(r"\w\.(sh|py|bash)$", word):
            return safe_name(Path(word).stem)
    return "foreign"


def safe_name(text: str) -> str:
    """`text` as a run's name: what is not a letter, digit, dot, dash or underscore is dropped."""
    kept = re.sub(NOT_IN_A_RUN_NAME, "-", text).strip("-._")
    return kept[:64].rstrip("-._") or "run"


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError` for what is none, naming the file."""
    source = str(path)
    try:
        raw = read_file(path)
    except FileNotFoundError:
        expected = "a TOML file such as configs/quickstart.toml"
        raise ConfigError(source, "", "no such file", expected) from None
    except IsADirectoryError:
        raise ConfigError(source, "", "a folder", "a TOML file") from None
    except (OSError, ValueError) as error:
        found = f"a file that cannot be read ({getattr(error, 'strerror', None) or error})"
        raise ConfigError(source, "", found, "a TOML file") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"bytes that are not UTF-8 in line {line}"
        raise ConfigError(source, "", found, "TOML in UTF-8") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(source, "", "values nested too deeply", "TOML") from None
    except ValueError as error:
        found = f"a syntax error, {' '.join(str(error).split())}"
        raise ConfigError(source, "", found, "TOML") from None


def _parse_overridden(tables: dict[str, Any], overrides: Sequence[str], source: str) -> Config:
    """Apply the overrides and check the whole; a message names the option where it is at fault."""
    untouched = copy.deepcopy(tables)
    keys, malformed = [], list[ConfigError]()
    for text in overrides:
        try:
            keys.append(_override(tables, text))
        except ConfigError as error:
            malformed += error.all
    refuse(malformed)
    try:
        return parse_config(tables, source)
    except ConfigError as error:
        refuse(_at_its_option(fault, keys, untouched) for fault in error.all)
        raise


def _at_its_option(
    fault: ConfigError, keys: Sequence[str], untouched: Mapping[str, Any]
) -> ConfigError:
    """The fault as one of the option that has brought it in, where one has."""
    for key in keys:
        above = key.startswith(f"{fault.key}.") and not _holds(untouched, fault.key)
        if fault.key == key or fault.key.startswith(f"{key}.") or above:
            place = "" if fault.key == key else fault.key
            return ConfigError(f"--set {key}", place, fault.found, fault.expected)
    return fault


def _holds(tables: Mapping[str, Any], key: str) -> bool:
    found: Any = tables
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return True


def _override(tables: dict[str, Any], text: str, option: str = "--set") -> str:
    """Set one `key=value` in `tables`; returns the key. `option` names where it came from."""
    key, equals, value = text.partition("=")
    key = key.strip()
    names = key.split(".")
    if not equals or not all(names):
        such_as = "train.epochs=3" if option else "policy.thermal.pause_above_c=83"
        raise ConfigError(option, "", f'"{text}"', f"key=value, such as {such_as}")
    table = tables
    for depth, name in enumerate(names[:-1], start=1):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            found = f"a key below {'.'.join(names[:depth])}"
            raise ConfigError(f"{option} {key}".strip(), "", found, "a table there, not a value")
        table = inner
    parsed = _value(value.strip())
    is_text = isinstance(parsed, str) or not _takes_text(names)
    table[names[-1]] = parsed if is_text else value.strip()
    return key


def _takes_text(names: Sequence[str]) -> bool:
    """Whether the key holds a free text, so that `run.name=2031` is one without quotes."""
    hint: Any = Config
    for name in names:
        if not (isinstance(hint, type) and issubclass(hint, Section)):
            return False
        hint = get_type_hints(hint).get(name)
    return hint is str


def _value(text: str) -> Any:
    """`text` as a TOML value; as it stands where it is none, so that quotes may be left out."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed["value"]
    plain = isinstance(value, (str, bool, int, float, list, dict))
    return value if plain and len(parsed) == 1 else text


def _resolve(config: Config, path: Path) -> Config:
    folder = path.parent
    foreign = config.foreign
    return _replace(
        config,
        run=_named(config.run, path.stem),
        data=_with_path(config.data, folder),
        backbone=_with_folder(config.backbone, folder),
        foreign=_with_patterns(
            _replace(foreign, workdir=_absolute(foreign.workdir, folder)), folder
        )
        if foreign.command
        else foreign,
    )


def _with_patterns(foreign: ForeignSection, folder: Path) -> ForeignSection:
    """A pattern file's full path; the name of a shipped one stays as it is."""
    if not is_path(foreign.patterns):
        return foreign
    return _replace(foreign, patterns=_absolute(foreign.patterns, folder))


def _recordable(config: Config, source: str) -> Config:
    """`config`, of which every path can be written to a file."""
    try:
        write_config(config)
    except UnicodeEncodeError:
        found = "a folder on the way to it whose name is not UTF-8"
        raise ConfigError(source, "", found, "another folder") from None
    return config


def _named(run: RunSection, stem: str) -> RunSection:
    return run if run.name else _replace(run, name=safe_name(stem))


def _with_path(data: DataSection, folder: Path) -> DataSection:
    return _replace(data, path=_absolute(data.path, folder)) if data.path else data


def _with_folder(backbone: BackboneSection, folder: Path) -> BackboneSection:
    """A local folder's full path; a hub id and the embedded backbone stay as they are."""
    source = backbone.source
    if source == "embedded":
        return backbone
    candidate = _absolute(source, folder)
    meant_as_path = source.startswith((".", "/", "~"))
    return (
        _replace(backbone, source=candidate)
        if meant_as_path or is_folder(Path(candidate))
        else backbone
    )


def _absolute(path: str, folder: Path) -> str:
    return str(full_path(path, folder))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value
