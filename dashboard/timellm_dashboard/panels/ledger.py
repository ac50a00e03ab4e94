"""The throttle ledger: one row on a small screen, a table on a larger one."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad
from timellm_dashboard.viewmodel.ledger import LedgerRow
from timellm_dashboard.viewmodel.timeline import words_of
from timellm_dashboard.viewmodel.view import View

_SHORTEST_TABLE = 2
_GAP = 2
_MUCH = 0.05
"""Of the time; what is lost of less is told without a warning."""


def draw_ledger(view: View, width: int, height: int) -> list[Line]:
    """The table where there is room for it, else the line. Where nothing was measured, nothing is
    known to be lost either."""
    if view.headline.state in ("waiting", "imported"):
        return []
    if height < _SHORTEST_TABLE:
        return [draw_ledger_line(view, width)][:height]
    if not view.ledger.rows:
        text = clip(view.ledger.line, width, "..." if view.ascii_only else "…")
        rows = [line(Span(text, "muted"))]
    else:
        rows = _table(view, width, height - 1)
    return [*rows[: height - 1], _spent(view, width)]


def table_rows(view: View) -> int:
    """Rows that the whole table has."""
    return len(view.ledger.rows) + 3 if view.ledger.rows else 2


def draw_ledger_line(view: View, width: int) -> Line:
    """As many parts of the ledger as fit."""
    dot = " | " if view.ascii_only else " · "
    shown = ""
    for part in view.ledger.parts:
        longer = f"{shown}{dot}{part}" if shown else part
        if cell_len(longer) <= width:
            shown = longer
    text = shown or clip(view.ledger.parts[0], width, "..." if view.ascii_only else "…")
    share = view.ledger.total.share.value or 0.0
    tone: Tone = "held" if share >= _MUCH else "plain"
    return line(Span(text, tone if view.ledger.rows else "muted"))


def _table(view: View, width: int, height: int) -> list[Line]:
    """The greatest losses, as many as fit, and all of them together."""
    words, ledger = words_of(view), view.ledger
    rows = ledger.rows[: max(1, height - 2)]
    header = (
        words.cause, words.lasted, words.lost, words.share, words.steps, words.recent, words.ahead,
    )  # fmt: skip
    body = [_texts(row) for row in (*rows, ledger.total)]
    columns = len(header)
    sizes = [max(cell_len(texts[i]) for texts in (header, *body)) for i in range(columns)]
    while columns > 3 and sum(sizes[:columns]) + _GAP * (columns - 1) > width:
        columns -= 1
    drawn = [line(Span(_row(header, sizes, columns, width), "muted"))]
    drawn += [line(Span(_row(texts, sizes, columns, width))) for texts in body[:-1]]
    return [*drawn, line(Span(_row(body[-1], sizes, columns, width), "strong"))]


def _texts(row: LedgerRow) -> tuple[str, ...]:
    return (
        row.name, row.lasted.text, row.lost.text, row.share.text, row.steps.text, row.recent.text,
        row.ahead.text,
    )  # fmt: skip


def _row(texts: Sequence[str], sizes: Sequence[int], columns: int, width: int) -> str:
    first = pad(texts[0], sizes[0])
    rest = (pad(texts[i], sizes[i], "right") for i in range(1, columns))
    return clip((" " * _GAP).join((first, *rest)), width)


def _spent(view: View, width: int) -> Line:
    """Where the time went."""
    dot = " | " if view.ascii_only else " · "
    text = dot.join(part.text for part in view.ledger.spent)
    return line(Span(clip(text, width, "..." if view.ascii_only else "…"), "muted"))
