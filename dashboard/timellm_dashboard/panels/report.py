"""A report as lines of text: the same on the screen and on the command line."""

from timellm_dashboard.answers.answer import Table
from timellm_dashboard.answers.draw import table_lines
from timellm_dashboard.lines import Line, Span, Tone, line, text_of, wrap
from timellm_dashboard.reports.parts import Section
from timellm_dashboard.reports.report import Report

_INDENT = "  "


def draw_report(report: Report, width: int, *, titled: bool = True) -> list[Line]:
    """Every section in rows of `width` cells. `titled`: with the report's own title above."""
    rows: list[Line] = []
    if titled:
        rows += [line(Span(row, "accent")) for row in wrap(report.title, width)]
        headline = wrap(f"{report.glyph} {report.headline}", width)
        rows += [line(Span(row, report.mood)) for row in headline]
        if report.note or report.sections:
            rows.append(())
    if report.note:
        tone: Tone = "held" if report.beware else "muted"
        rows += [*(line(Span(row, tone)) for row in wrap(report.note, width)), ()]
    for section in report.sections:
        rows.append(line(Span(section.title, "accent")))
        drawn = _section(section, width - len(_INDENT))
        if section.id == "outcome":  # its first row is what it is about: how the run is, or ended
            label, *told = drawn[0]
            drawn[0] = (label, *(Span(span.text, report.mood) for span in told))
        rows += [line(_INDENT, *row) for row in drawn]
        rows.append(())
    return rows[:-1] if rows and not rows[-1] else rows


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
