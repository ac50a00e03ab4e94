"""Answers as lines of toned text, for the help screen and the command line alike."""

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec
from rich.cells import cell_len

from timellm_dashboard.answers.answer import Answer, Block, Diagram, Passage, Table
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.lines import Line, Span, Tone, line, pad, wrap

_GAP = 2
_NARROWEST_LAST = 16


def draw_answer(answer: Answer, width: int, *, ascii_only: bool) -> list[Line]:
    """The question, the short answer, and the whole of it, in rows of `width` cells."""
    shown = in_ascii(answer) if ascii_only else answer
    head = f"{shown.number}. {shown.question}"
    rows: list[Line] = [line(Span(row, "accent")) for row in wrap(head, width)]
    rows += [line(Span(f"  {row}", "strong")) for row in wrap(shown.brief, width - 2)]
    for block in shown.blocks:
        rows.append(())
        rows += [line("  ", *row) for row in _block(block, width - 2)]
    return rows


def draw_brief(answer: Answer, width: int, *, ascii_only: bool) -> list[Line]:
    """`iterations  56,231 samples in batches of 4: ...`, on as many rows as it takes."""
    shown = in_ascii(answer) if ascii_only else answer
    number = f"{shown.number:>2}  "
    label = pad(shown.id, 12)
    room = width - len(number) - 12
    rows: list[Line] = []
    for index, text in enumerate(wrap(shown.question, room)):
        first = index == 0
        head = (Span(number, "muted"), Span(label, "accent")) if first else (Span(" " * 16),)
        rows.append((*head, Span(text, "strong")))
    rows += [line(" " * 16, Span(text, "muted")) for text in wrap(shown.brief, room)]
    return rows


def in_ascii(answer: Answer) -> Answer:
    """The answer with every character in ASCII. Diagrams keep their columns."""
    fields = _ascii(msgspec.to_builtins(answer))
    return msgspec.convert(fields, Answer)


def _ascii(value: object) -> object:
    if isinstance(value, str):
        return to_ascii(value)
    if isinstance(value, dict):
        return {name: _ascii(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_ascii(item) for item in value]
    return value


def _block(block: Block, width: int) -> list[Line]:
    match block:
        case Passage():
            return [line(row) for row in wrap(block.text, width)]
        case Table():
            return table_lines(block, width)
        case Diagram():
            return [line(Span(row, "accent")) for row in block.rows]
        case _:
            assert_never(block)


def table_lines(table: Table, width: int) -> list[Line]:
    """Rows whose columns stand below each other; the last column is broken where it must be."""
    if not table.rows:
        return []
    widths = [max(cell_len(row[c]) for row in table.rows) for c in range(len(table.rows[0]))]
    rest = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(_NARROWEST_LAST, width - rest))
    lines: list[Line] = []
    for index, row in enumerate(table.rows):
        tone: Tone = "muted" if table.titled and index == 0 else "plain"
        lines += _row(row, widths, table.right, tone)
    return lines


def _row(
    cells: Sequence[str], widths: Sequence[int], right: Iterable[int], tone: Tone
) -> list[Line]:
    last = len(cells) - 1
    head = (" " * _GAP).join(
        pad(cells[c], widths[c], "right" if c in right else "left") for c in range(last)
    )
    head = f"{head}{' ' * _GAP}" if last else ""
    rows = []
    for index, part in enumerate(wrap(cells[last], widths[last])):
        before = head if index == 0 else " " * cell_len(head)
        aligned = pad(part, widths[last], "right") if last in right else part
        rows.append(line(Span(f"{before}{aligned}".rstrip(), tone)))
    return rows
