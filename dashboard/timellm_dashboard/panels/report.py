"""A report as lines of text: the same on the screen and on the command line."""

from collections.abc import Sequence
from itertools import zip_longest

from timellm_dashboard.answers.answer import Table
from timellm_dashboard.answers.draw import table_lines
from timellm_dashboard.lines import Line, Span, Tone, line, text_of, width_of, wrap
from timellm_dashboard.reports.parts import Section
from timellm_dashboard.reports.report import Report

_INDENT = "  "
_WIDE = 160
"""A report in two columns needs so many cells: each of them is then as wide as a small screen."""
_BETWEEN = 4
"""Cells between two columns."""


def draw_report(report: Report, width: int, *, titled: bool = True) -> list[Line]:
    """Every section in rows of `width` cells. `titled`: with the report's own title above."""
    return [*_head(report, width, titled=titled), *_stacked(_sections(report, width))]


def draw_report_to_fit(report: Report, width: int, height: int) -> list[Line]:
    """The same without a title, in two columns where there is the width for them and one alone
    would take more than `height` rows."""
    rows = draw_report(report, width, titled=False)
    if width < _WIDE or len(rows) <= height:
        return rows
    column = (width - _BETWEEN) // 2
    sections = _sections(report, column)
    parts = [
        (_stacked(sections[:first]), _stacked(sections[first:]))
        for first in range(1, len(sections))
    ]
    if not parts:
        return rows
    left, right = min(parts, key=lambda pair: max(map(len, pair)))
    if any(width_of(row) > column for row in (*left, *right)):
        return rows
    pairs = zip_longest(left, right, fillvalue=())
    head = _head(report, width, titled=False)
    return [*head, *(_beside(first, second, column + _BETWEEN) for first, second in pairs)]


def _beside(left: Line, right: Line, cells: int) -> Line:
    """`right` begins after so many cells."""
    return (*left, Span(" " * (cells - width_of(left))), *right) if right else left


def _stacked(sections: Sequence[list[Line]]) -> list[Line]:
    """One below the other, with a row between them."""
    return [row for index, rows in enumerate(sections) for row in ([()] if index else []) + rows]


def _head(report: Report, width: int, *, titled: bool) -> list[Line]:
    rows: list[Line] = []
    if titled:
        rows += [line(Span(row, "accent")) for row in wrap(report.title, width)]
        headline = wrap(f"{report.glyph} {report.headline}", width)
        rows += [line(Span(row, report.mood)) for row in headline]
        if report.note or report.sections:
            rows.append(())
    if report.note:
        tone: Tone = "held" if report.beware else "muted"
        rows += [line(Span(row, tone)) for row in wrap(report.note, width)]
        if report.sections:
            rows.append(())
    return rows


def _sections(report: Report, width: int) -> list[list[Line]]:
    """The rows of each section, its title above them."""
    found: list[list[Line]] = []
    for section in report.sections:
        drawn = _section(section, width - len(_INDENT))
        if section.id == "outcome":  # its first row is what it is about: how the run is, or ended
            label, *told = drawn[0]
            drawn[0] = (label, *(Span(span.text, report.mood) for span in told))
        found.append([line(Span(section.title, "accent")), *(line(_INDENT, *row) for row in drawn)])
    return found


def report_page(report: Report, width: int) -> str:
    """The report as a page of text, without a last line end."""
    rows = [text_of(row).rstrip() for row in draw_report(report, width)]
    return "\n".join([*rows, "", report.made_text])


def _section(section: Section, width: int) -> list[Line]:
    rows: list[Line] = []
    if section.columns:
        cells = tuple(tuple(cell.text for cell in row.cells) for row in section.rows)
        numbers = tuple(
            column
            for column in range(len(section.columns))
            if any(_is_number(row.cells[column].value) for row in section.rows)
        )
        rows += table_lines(
            Table(rows=(section.columns, *cells), right=numbers, titled=True), width
        )
    else:
        pairs = tuple(
            (row.cells[0].text, "  ".join(cell.text for cell in row.cells[1:]))
            for row in section.rows
        )
        rows += table_lines(Table(rows=pairs), width, labels="muted")
    for text in section.lines:
        rows += [line(row) for row in wrap(text, width)]
    return rows


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
