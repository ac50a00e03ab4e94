"""Which runs are meant by what a person types: words, results and keys of configs. Pure.

`etth1 state=failed train.batch_size=4 mse<0.4 not:test`: all of it must be so. Of what has `|`
between, one is enough: `etth1|weather state=failed|stopped`. What is not known of a run, such as a
key that its config lacks, is never so.
"""

import operator
import re
import types
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Literal, Union, assert_never, get_args, get_origin

from msgspec import Struct
from msgspec.structs import replace

from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.viewmodel.headline import StateName
from timellm_dashboard.words.runfilter import RunFilterWords
from timellm_dashboard.words.text import words
from timellm_ops.contract.suggestion import close_to
from timellm_ops.contract.timespan import seconds_of
from timellm_ops.contract.validation import all_key_types

Op = Literal["=", "<", "<=", ">", ">=", "~"]
Kind = Literal["number", "text", "switch", "state", "duration", "day"]
ConfigKeys = Mapping[str, str | float | bool]
"""The keys of a run's config, dotted."""

_RESULTS: dict[str, tuple[Kind, Callable[[RunRow], float | None]]] = {
    "vali": ("number", lambda row: row.best_vali_mse),
    "mse": ("number", lambda row: row.test_mse),
    "mae": ("number", lambda row: row.test_mae),
    "epoch": ("number", lambda row: row.epoch),
    "epochs": ("number", lambda row: row.epochs),
    "time": ("duration", lambda row: row.active_s),
}
_OWN_KEYS: dict[str, Kind] = {
    "state": "state", "started": "day", **{key: kind for key, (kind, _) in _RESULTS.items()},
}  # fmt: skip
_AS_LISTED: dict[StateName, StateName] = {"stopped_for_hardware": "stopped", "refused": "failed"}
"""What `list` calls them."""
_TERM = re.compile(
    r"""\s*(?P<all>(?P<no>not:)?(?:
    (?P<key>[A-Za-z][\w.]*)\s*(?P<op>!=|<=|>=|=|<|>|~)\s*(?P<value>"[^"]*"|'[^']*'|[^\s"'=<>~|]+)
    |(?P<word>"[^"]*"|'[^']*'|[^\s"'=<>~|]+(?![^\s|]))))\s*(?P<more>\|?)\s*""",
    re.VERBOSE,
)
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d([ T]\d\d(:\d\d)?)?)?)?")
_ORDERS: dict[Op, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class BadFilter(ValueError):  # noqa: N818 - it says what happened
    """What was typed is no filter. The text is one line and says what would be right."""


class Term(Struct, frozen=True, kw_only=True):
    """One thing that may be so. Without a key, a word."""

    key: str = ""
    op: Op = "~"
    kind: Kind = "text"
    text: str
    number: float = 0.0
    decimals: int | None = None
    """As many as were typed of a result: one is equal when it is so when rounded to them."""


class Choice(Struct, frozen=True):
    """Values of one key, or a word: one of the terms is so, or, negated, none."""

    terms: tuple[Term, ...]
    negated: bool = False

    def holds(self, row: RunRow, config: ConfigKeys) -> bool | None:
        """Whether it is so of the run; `None`: not known."""
        return _one_of((_holds(term, row, config) for term in self.terms), negated=self.negated)


class Clause(Struct, frozen=True):
    """What was typed between blanks: one of the choices must be so, or, negated, none."""

    choices: tuple[Choice, ...]
    negated: bool = False

    def holds(self, row: RunRow, config: ConfigKeys) -> bool | None:
        """Whether it is so of the run; `None`: not known."""
        return _one_of((c.holds(row, config) for c in self.choices), negated=self.negated)


class RunFilter(Struct, frozen=True):
    """All of the clauses; none lets every run pass."""

    text: str = ""
    clauses: tuple[Clause, ...] = ()

    @property
    def needs_config(self) -> bool:
        """Whether configs must be known, or the runs' own rows are enough."""
        choices = (choice for clause in self.clauses for choice in clause.choices)
        keys = {term.key for choice in choices for term in choice.terms}
        return bool(keys - {"", *_OWN_KEYS})

    def passes(self, row: RunRow, config: ConfigKeys) -> bool:
        """Whether the run is meant."""
        return all(clause.holds(row, config) is True for clause in self.clauses)


def _one_of(found: Iterable[bool | None], *, negated: bool) -> bool | None:
    """Whether one is so, or none where `negated`. Something unknown decides nothing."""
    values = set(found)
    if True in values:
        return not negated
    return None if None in values else negated


def filter_of(text: str, words: RunFilterWords) -> RunFilter:
    """The filter that `text` means. Raises `BadFilter`."""
    shown = " ".join(text.split())
    return RunFilter(shown, tuple(_clauses(unicodedata.normalize("NFKC", text).strip(), words)))


def _clauses(text: str, words: RunFilterWords) -> Iterator[Clause]:
    place, parts = 0, list[re.Match[str]]()
    while place < len(text) or parts:
        found = _TERM.match(text, place)
        if found is None:
            raise BadFilter(words.bad_term.format(text=text[place:].strip()[:60] or "|"))
        place = found.end()
        parts.append(found)
        if not found["more"]:
            yield _clause(parts, words)
            parts = []


def _clause(parts: Sequence[re.Match[str]], words: RunFilterWords) -> Clause:
    """What has no key goes on with the values of the key before it: `state=failed|stopped`. A
    `not:` in front of the first one is of all, and one further on of its own."""
    choices: list[Choice] = []
    key, op = "", ""
    for part in parts:
        negated = part["no"] is not None and len(choices) > 0
        if part["key"] is None and (part["no"] is not None or not key):
            key = ""
            word = Term(text=_unquoted(part["word"]).casefold())
            choices.append(Choice((word,), negated))
        elif part["key"] is None:
            more = _term(key, op, _unquoted(part["word"]), words)
            choices[-1] = replace(choices[-1], terms=(*choices[-1].terms, more))
        else:
            key, op = part["key"], part["op"]
            term = _term(key, op, _unquoted(part["value"]), words)
            choices.append(Choice((term,), negated is not (op == "!=")))
    return Clause(tuple(choices), negated=parts[0]["no"] is not None)


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"') else text


def _term(key: str, typed: str, text: str, words: RunFilterWords) -> Term:
    op: Op = "=" if typed == "!=" else typed  # type: ignore[assignment]  # of the expression
    kind = _OWN_KEYS.get(key) or _config_kinds().get(key)
    if kind is None:
        raise BadFilter(words.unknown_key.format(key=key, expected=_meant(key, words)))
    if op in _ORDERS and kind in ("text", "switch", "state"):
        raise BadFilter(words.no_order.format(key=key, op=op))
    number, decimals = 0.0, None
    if op != "~" and (expected := _misfit(kind, text, words)):
        template = words.unknown_state if kind == "state" else words.bad_value
        raise BadFilter(template.format(key=key, text=text, expected=expected))
    if kind == "duration" and op != "~":
        number = _seconds_of(text) or 0.0
    elif kind == "number" and op != "~":
        number = float(text)
        plain = re.fullmatch(r"-?\d*\.?(\d*)", text)
        decimals = len(plain[1]) if plain and key in _RESULTS else None
    return Term(
        key=key, op=op, kind=kind, text=text.casefold(), number=number, decimals=decimals,
    )  # fmt: skip


def _misfit(kind: Kind, text: str, words: RunFilterWords) -> str:
    """What is expected in the place of a text that is no value of that kind; empty: it is one."""
    match kind:
        case "number":
            return "" if _is_number(text) else words.a_number
        case "switch":
            return "" if text in ("true", "false") else words.true_or_false
        case "duration":
            return words.a_duration if _seconds_of(text) is None else ""
        case "day":
            return "" if _DAY.fullmatch(text) else words.a_day
        case "state":
            names = _states()
            if "*" in text or text.casefold() in names:
                return ""
            close = close_to(text.casefold(), names)
            known = ", ".join(get_args(StateName))
            return known if close is None else words.close_key.format(key=close)
        case "text":
            return ""
        case _:
            assert_never(kind)


def _seconds_of(text: str) -> float | None:
    """A length of time; a bare number is of seconds."""
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text) else seconds_of(text)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def _meant(key: str, words: RunFilterWords) -> str:
    """The key that was meant: one with the same last part, or one that is close."""
    known = (*_OWN_KEYS, *_config_kinds())
    ends = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    close = ends[0] if ends else close_to(key, known)
    if close is None:
        close = close_to(key, [name.rpartition(".")[2] for name in known])
        close = next((n for n in known if close and n.rpartition(".")[2] == close), None)
    if close is not None:
        return words.close_key.format(key=close)
    return words.any_key.format(keys=", ".join(_OWN_KEYS))


@cache
def _config_kinds() -> dict[str, Kind]:
    """Every key of a config, and what it holds."""
    return {key: _kind(hint) for key, hint in all_key_types()}


def _kind(hint: Any) -> Kind:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if hint is bool:
        return "switch"
    return "number" if hint in (int, float) else "text"


@cache
def _states() -> frozenset[str]:
    """Everything that a state may be called."""
    names: tuple[StateName, ...] = get_args(StateName)
    return frozenset(called for name in names for called in _called(name))


@cache
def _called(state: StateName) -> tuple[str, ...]:
    """A state by its name, as `list` has it, and by its words in both languages."""
    listed = _AS_LISTED.get(state, state)
    said = (str(getattr(words(lang), state)).casefold() for lang in ("en", "zh"))
    return tuple(dict.fromkeys((state, listed, *said)))


def _holds(term: Term, row: RunRow, config: ConfigKeys) -> bool | None:
    """Whether it is so of the run; `None`: not known."""
    if not term.key:
        return any(term.text in name for name in (row.run_id.casefold(), *_called(row.state)))
    if term.kind == "state":
        return _fits_text(term, _called(row.state))
    if term.kind == "day":
        return _fits_day(term, row.started_text)
    value = _RESULTS[term.key][1](row) if term.key in _RESULTS else config.get(term.key)
    if value is None or value != value:
        return None
    if isinstance(value, (str, bool)) or term.op == "~":
        said = str(value).lower() if isinstance(value, bool) else str(value)
        return _fits_text(term, (said.casefold(),))
    return _fits_number(term, value)


def _fits_text(term: Term, names: tuple[str, ...]) -> bool | None:
    match term.op:
        case "=":
            return any(fnmatchcase(name, _pattern(term.text)) for name in names)
        case "~":
            return any(term.text in name for name in names)
        case "<" | "<=" | ">" | ">=":
            return None  # an older config may hold a text where a number is due
        case _:
            assert_never(term.op)


def _pattern(text: str) -> str:
    """Only `*` stands for something else: names of paths have the other signs in them."""
    return re.sub(r"([\[?])", r"[\1]", text)


def _fits_number(term: Term, value: float) -> bool:
    if term.op in _ORDERS:
        return _ORDERS[term.op](value, term.number)
    rounded = value if term.decimals is None else round(value, term.decimals)
    return rounded == term.number or value == term.number


def _fits_day(term: Term, started: str) -> bool | None:
    """By as much of the time as was typed."""
    if not started:
        return None
    wanted = term.text.replace("t", " ")
    if term.op == "~":
        return wanted in started
    there = started[: len(wanted)]
    if term.op in _ORDERS:
        return _ORDERS[term.op](there, wanted)
    return there == wanted
