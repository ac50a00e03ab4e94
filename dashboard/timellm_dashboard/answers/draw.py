"""Answers as lines of toned text, for the help screen and the command line alike."""

from collections.abc import Sequence
from typing import assert_never

from rich.cells import cell_len

from timellm_dashboard.answers.answer import Answer, Block, Diagram, Passage, Table
from timellm_dashboard.lines import Line, Span, Tone, line, pad, wrap
from timellm_dashboard.words.ascii import texts_in_ascii

_GAP = 2
_NARROWEST = 12
"""No column of words is made narrower."""


def draw_answer(answer: Answer, width: int, *, ascii_only: bool) -> list[Line]:
    """The question, the short answer, and the whole of it, in rows of `width` cells."""
    shown = texts_in_ascii(answer) if ascii_only else answer
    head = f"{shown.number}. {shown.question}"
    rows: list[Line] = [line(Span(row, "accent")) for row in wrap(head, width)]
    rows += [line(Span(f"  {row}", "strong")) for row in wrap(shown.brief, width - 2)]
    for block in shown.blocks:
        rows.append(())
        rows += [line("  ", *row) for row in _block(block, width - 2)]
    return rows


def draw_brief(answer: Answer, width: int, *, ascii_only: bool) -> list[Line]:
    """`iterations  56,231 samples in batches of 4: ...`, on as many rows as it takes."""
    shown = texts_in_ascii(answer) if ascii_only else answer
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


def table_lines(table: Table, width: int, labels: Tone | None = None) -> list[Line]:
    """Rows whose columns stand below each other; columns of words are broken where they must be.

    `labels`: the tone of the first column, where it is not that of the others.
    """
    if not table.rows:
        return []
    widths = _widths(table, width)
    lines: list[Line] = []
    for index, row in enumerate(table.rows):
        tone: Tone = "muted" if table.titled and index == 0 else "plain"
        rows = _row(row, widths, table.right)
        cells = widths[0] + _GAP if labels is not None else 0
        lines += [_labelled(text, cells, labels or tone, tone) for text in rows]
    return lines


def _widths(table: Table, width: int) -> list[int]:
    """Cells of each column: as it needs, the widest of words narrowed until all fit."""
    columns = range(len(table.rows[0]))
    widths = [max(cell_len(row[c]) for row in table.rows) for c in columns]
    words = [c for c in columns if c not in table.right]
    while words and sum(widths) + _GAP * (len(widths) - 1) > width:
        widest = max(words, key=lambda c: widths[c])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _labelled(text: str, cells: int, label: Tone, tone: Tone) -> Line:
    """The row, its first `cells` cells in a tone of their own."""
    head, used = "", 0
    for character in text:
        if used >= cells:
            break
        head += character
        used += cell_len(character)
    parts = (Span(head, label), Span(text[len(head) :], tone))
    return tuple(part for part in parts if part.text)


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> list[str]:
    """One row, in as many lines as its tallest cell has."""
    parts = [wrap(cell, width) if cell else [""] for cell, width in zip(cells, widths, strict=True)]
    rows = []
    for index in range(max(map(len, parts))):
        texts = [
            pad(
                part[index] if index < len(part) else "",
                widths[c],
                "right" if c in right else "left",
            )
            for c, part in enumerate(parts)
        ]
        rows.append((" " * _GAP).join(texts).rstrip())
    return rows
