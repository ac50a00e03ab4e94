"""From the tables of a TOML file to a `Config`, or one line that says what would be right."""

import difflib
import math
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from timellm_ops.contract.config import Config, DataSection, TrainSection
from timellm_ops.contract.frequency import EXAMPLES, parse_frequency
from timellm_ops.contract.policy_checks import policy_checks
from timellm_ops.contract.section import Section
from timellm_ops.contract.splits import by_dates, split_ends

_SHOWN_CHARACTERS = 80
"""How much of a value that is wrong is shown."""


class ConfigError(ValueError):
    """A config that cannot be run. Its text is one line: file, key, found, expected."""

    def __init__(self, source: str, key: str, found: str, expected: str) -> None:
        self.source, self.key, self.found, self.expected = source, key, found, expected
        said = f"found {found}; expected {expected}"
        super().__init__(one_line(": ".join(part for part in (source, key, said) if part)))


def one_line(text: str) -> str:
    """`text` with line ends, escapes and other characters that do not print written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def parse_config(tables: Mapping[str, Any], source: str) -> Config:
    """Check `tables` (as read from TOML) key by key and across keys.

    `source` names the file in messages. Raises `ConfigError` for the first thing that is wrong.
    """
    _check_section(tables, Config, source, ())
    config = msgspec.convert(tables, Config)
    for key, found, expected in _cross_checks(config):
        raise ConfigError(source, key, found, expected)
    return config


def _check_section(
    table: Mapping[str, Any], section: type[Section], source: str, path: tuple[str, ...]
) -> None:
    hints = get_type_hints(section, include_extras=True)
    required = {f.name for f in msgspec.structs.fields(section) if f.required}
    for name, value in table.items():
        key = ".".join((*path, name))
        if name not in hints:
            raise ConfigError(source, key, "an unknown key", _suggest(name, hints, path))
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Section):
            if not isinstance(value, Mapping):
                raise ConfigError(source, key, show_value(value), f"a table, [{key}]")
            _check_section(value, hint, source, (*path, name))
            continue
        if not _fits_a_file(value):
            raise ConfigError(source, key, show_value(value), describe_type(hint))
        try:
            msgspec.convert(value, hint)
        except msgspec.ValidationError:
            raise ConfigError(source, key, show_value(value), describe_type(hint)) from None
    for name in sorted(required - set(table)):
        key = ".".join((*path, name))
        hint = hints[name]
        table_missing = isinstance(hint, type) and issubclass(hint, Section)
        what = f"a table, [{key}]" if table_missing else describe_type(hint)
        raise ConfigError(source, key, "nothing", what)


def _fits_a_file(value: object) -> bool:
    """Whether a single value can be on record and in a command line: finite, of at most 64 bits,
    a text without NUL that UTF-8 can hold."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, str):
        return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return True


def _suggest(name: str, hints: Mapping[str, Any], path: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, hints, n=1, cutoff=0.6)
    if close:
        return f'"{".".join((*path, close[0]))}" (did you mean it?)'
    elsewhere = [key for key in all_keys() if key.rpartition(".")[2] == name]
    if elsewhere:
        return f'"{elsewhere[0]}" (did you mean it?)'
    where = f"[{'.'.join(path)}]" if path else "the top level"
    return f"one of the keys of {where}: {', '.join(hints)}"


def meant(name: str, known: Collection[str]) -> str:
    """What would be right for a name that is not known: the one that it is close to, or any."""
    close = difflib.get_close_matches(name, known, n=1)
    return f'"{close[0]}" (did you mean it?)' if close else f"one of {', '.join(known)}"


def all_keys(section: type[Section] = Config, prefix: str = "") -> Iterator[str]:
    """Every key a config may hold, dotted, in the order of the sections."""
    for name, hint in get_type_hints(section).items():
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from all_keys(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def show_value(value: object) -> str:
    """A value of a file as a message shows it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, int) and not _fits_a_file(value):
        return "a number of more than 64 bits"
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"


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


def _cross_checks(config: Config) -> Iterator[tuple[str, str, str]]:
    """Every rule that spans keys, as (key, found, expected) where it is broken."""
    data, model, thermal = config.data, config.model, config.policy.thermal
    if model.patch_len > data.seq_len:
        yield "model.patch_len", str(model.patch_len), f"at most data.seq_len ({data.seq_len})"
    if model.stride > data.seq_len:
        yield "model.stride", str(model.stride), f"at most data.seq_len ({data.seq_len})"
    if data.dataset == "custom" and not data.path:
        yield "data.path", "nothing", 'the CSV or Parquet file of a "custom" data set'
    if data.train_ratio + data.test_ratio >= 1.0:
        yield (
            "data.test_ratio",
            f"{data.test_ratio:g}",
            f"below {1 - data.train_ratio:g}, which leaves rows for validation",
        )
    needed = data.seq_len + data.pred_len
    if data.dataset == "synthetic" and data.synthetic_rows < 5 * needed:
        yield (
            "data.synthetic_rows",
            str(data.synthetic_rows),
            f"at least 5 × (seq_len + pred_len) = {5 * needed}",
        )
    if config.checkpoint.keep and config.checkpoint.every_steps is None:
        yield (
            "checkpoint.keep",
            str(config.checkpoint.keep),
            "0 without checkpoint.every_steps, which says what is kept",
        )
    yield from _schedule_checks(config.train)
    yield from _optimiser_checks(config.train)
    yield from _date_checks(data)
    yield from _window_checks(data)
    if thermal.resume_below_c >= thermal.pause_above_c:
        yield (
            "policy.thermal.resume_below_c",
            f"{thermal.resume_below_c:g}",
            f"below policy.thermal.pause_above_c ({thermal.pause_above_c:g})",
        )
    if thermal.emergency_c is not None and thermal.emergency_c <= thermal.pause_above_c:
        yield (
            "policy.thermal.emergency_c",
            f"{thermal.emergency_c:g}",
            f"above policy.thermal.pause_above_c ({thermal.pause_above_c:g})",
        )
    if thermal.enabled and thermal.unknown_after_s <= config.gpu.poll_s:
        yield (
            "policy.thermal.unknown_after_s",
            f"{thermal.unknown_after_s:g}",
            f"above gpu.poll_s ({config.gpu.poll_s:g}), or every reading would come too late",
        )
    if thermal.samples > thermal.window:
        yield (
            "policy.thermal.samples",
            str(thermal.samples),
            f"at most policy.thermal.window ({thermal.window})",
        )
    yield from policy_checks(config.policy, config.gpu)
    if config.foreign.checkpoint and not stays_below(config.foreign.checkpoint):
        yield (
            "foreign.checkpoint",
            show_value(config.foreign.checkpoint),
            "a pattern below foreign.workdir, such as checkpoints/*/checkpoint",
        )
    if config.gpu.uuid and config.gpu.index:
        yield "gpu.index", str(config.gpu.index), "none beside gpu.uuid, which says which GPU"
    simulated = config.gpu.simulated
    if simulated.throttle_c >= simulated.shutdown_c:
        yield (
            "gpu.simulated.throttle_c",
            f"{simulated.throttle_c:g}",
            f"below gpu.simulated.shutdown_c ({simulated.shutdown_c:g})",
        )
    if simulated.idle_power_w >= simulated.load_power_w:
        yield (
            "gpu.simulated.idle_power_w",
            f"{simulated.idle_power_w:g}",
            f"below gpu.simulated.load_power_w ({simulated.load_power_w:g})",
        )


def stays_below(pattern: str) -> bool:
    """Whether the files that match `pattern` are below the folder it starts in."""
    path = PurePosixPath(pattern)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _schedule_checks(train: TrainSection) -> Iterator[tuple[str, str, str]]:
    """The one-cycle schedule has a rise of its own."""
    if train.schedule == "onecycle" and train.warmup_steps > 0:
        yield (
            "train.warmup_steps",
            str(train.warmup_steps),
            (
                '0 with train.schedule = "onecycle", whose own rise is train.pct_start of all '
                "steps; or another schedule"
            ),
        )


def _optimiser_checks(train: TrainSection) -> Iterator[tuple[str, str, str]]:
    """A state in 8 bits is one of Adam's, whose 8-bit kernels know decoupled decay alone."""
    if train.optimiser_state == "fp32":
        return
    if train.optimiser == "sgd":
        yield (
            "train.optimiser_state",
            show_value(train.optimiser_state),
            '"fp32" with train.optimiser = "sgd"; or "adam" or "adamw"',
        )
    elif train.optimiser == "adam" and train.weight_decay > 0.0:
        yield (
            "train.optimiser_state",
            show_value(train.optimiser_state),
            (
                f'"fp32" with train.weight_decay = {train.weight_decay:g} and train.optimiser = '
                '"adam"; or "adamw", or no decay'
            ),
        )


def _window_checks(data: DataSection) -> Iterator[tuple[str, str, str]]:
    """A window must fit into each split. Validation and test look back into the split before."""
    sizes = _split_sizes(data)
    if sizes is None:
        return
    train, *later = sizes
    if min(later) < data.pred_len:
        yield (
            "data.pred_len",
            str(data.pred_len),
            f"at most {min(later)}, the rows of the smallest split",
        )
    room = train - data.seq_len
    if room < data.pred_len:
        yield (
            "data.seq_len",
            str(data.seq_len),
            f"with data.pred_len ({data.pred_len}) at most {train}, the training rows",
        )
    elif room * data.percent // 100 < data.pred_len:
        yield (
            "data.percent",
            str(data.percent),
            f"at least {-(-100 * data.pred_len // room)}, which leaves one training window",
        )


def _split_sizes(data: DataSection) -> tuple[int, ...] | None:
    """Rows of training, validation and test, where they are known without the file."""
    if by_dates(data):
        return None
    match data.dataset:
        case "ETTh1" | "ETTh2" | "ETTm1" | "ETTm2":
            ends = split_ends(data, 0)
        case "synthetic":
            ends = split_ends(data, data.synthetic_rows)
        case _:
            return None
    return ends.train, ends.vali - ends.train, ends.test - ends.vali


def _date_checks(data: DataSection) -> Iterator[tuple[str, str, str]]:
    """Splits by dates have both ends that separate them, and the keys about dates agree."""
    given = [key for key in ("train_end", "vali_end", "test_end") if getattr(data, key)]
    if given and data.dataset != "custom":
        yield (
            f"data.{given[0]}",
            show_value(getattr(data, given[0])),
            f'nothing: {data.dataset} has splits of its own (dataset = "custom" splits freely)',
        )
    for key in ("train_end", "vali_end"):
        if given and not getattr(data, key):
            yield f"data.{key}", "nothing", f"a timestamp, since data.{given[0]} is given"
    if data.frequency and parse_frequency(data.frequency) is None:
        yield "data.frequency", show_value(data.frequency), EXAMPLES
    if data.gaps == "fill" and data.missing == "error":
        yield (
            "data.missing",
            '"error"',
            '"previous" or "interpolate", which say what data.gaps = "fill" fills in',
        )
