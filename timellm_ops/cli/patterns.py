"""`patterns`: what the output of other training programs means, and whether a file says it well."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from timellm_ops.adapters.pattern_check import CheckedLog, check_log
from timellm_ops.adapters.pattern_file import load_patterns, shipped_names
from timellm_ops.cli.errors import BAD_INPUT, UsageError
from timellm_ops.cli.options import Json
from timellm_ops.cli.text_table import table
from timellm_ops.contract.counting import Count

SCHEMA = "timellm-ops.patterns/1"
_BLOCK = 1 << 20


class CheckAnswer(CheckedLog, frozen=True, kw_only=True):
    """The whole of `patterns check --json`."""

    patterns: str
    log: str
    schema: str = SCHEMA


def patterns(
    what: Annotated[
        Literal["list", "show", "check"],
        Parameter(
            help="list: the files that are here; show: one of them, to begin your own with; check: "
            "which lines of a log match which pattern, and the first that match none."
        ),
    ],
    file: Annotated[str | None, Parameter(help="A name of the list, or a file of yours.")] = None,
    log: Annotated[Path | None, Parameter(help="For check: what the program printed.")] = None,
    *,
    json: Json = False,
) -> int:
    """See, or check, what the output of another training program means."""
    if what == "list":
        if file is not None:
            raise UsageError("patterns list takes nothing else")
        return _list(as_json=json)
    if file is None:
        raise UsageError(f"patterns {what} takes a name, such as hf-trainer, or a file")
    found = load_patterns(file, "patterns")
    if what == "show":
        if log is not None or json:
            raise UsageError("patterns show takes a name or a file, and nothing else")
        sys.stdout.write(found.raw.decode("utf-8-sig"))
        return 0
    if log is None:
        raise UsageError("patterns check takes a file of patterns and a log")
    checked = check_log(found, _blocks(log))
    if json:
        fields = {name: getattr(checked, name) for name in CheckedLog.__struct_fields__}
        answer = CheckAnswer(patterns=found.source, log=str(log), **fields)
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _page(checked))
    return 0 if checked.events else BAD_INPUT


def _list(*, as_json: bool) -> int:
    known = {name: load_patterns(name, "patterns").file.about for name in shipped_names()}
    if as_json:
        answer = {"schema": SCHEMA, "shipped": known}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        return 0
    width = max(map(len, known))
    sys.stdout.writelines(f"{name:<{width}}  {about}\n" for name, about in known.items())
    return 0


def _blocks(log: Path) -> Iterator[bytes]:
    try:
        with log.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"{log}: found a file that cannot be read ({reason}); expected a log"
        ) from (None)


def _page(checked: CheckedLog) -> Iterator[str]:
    rows = [("pattern", "matches", "line", "")]
    for count in checked.counts:
        line, text = ("", "") if count.first is None else (str(count.first.line), count.first.text)
        rows.append((f"{count.number} {count.event}", f"{count.matches:,}", line, text))
    yield from table(rows)
    yield ""
    yield f"{checked.matched:,} of {Count(checked.pieces):line or bar|lines and bars} matched"
    events = ", ".join(f"{count:,} {name}" for name, count in checked.events.items())
    yield f"events: {events or 'none'}"
    yield from checked.slow
    if checked.unmatched:
        yield ""
        yield "the first lines that no pattern matches:"
        width = max(len(str(found.line)) for found in checked.unmatched)
        for found in checked.unmatched:
            yield f"  {found.line:>{width}}  {found.text}"
