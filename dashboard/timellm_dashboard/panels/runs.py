"""The list of runs: one a row, with the columns that fit."""

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad
from timellm_dashboard.runs.runlist import Order, RunLine, SortKey
from timellm_dashboard.words.runs import RunsWords

_MARK_CELLS = 4
_SHORTEST_ID = 32
HEADING_ROWS = 1


class _Column(Struct, frozen=True):
    """A column: its heading, its cells, and how dear it is (the dearest goes first)."""

    key: SortKey | None
    heading: str
    cells: tuple[str, ...]
    rank: int
    words: bool = False
    """To the left, as words are; numbers stand to the right."""

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))


def draw_runs(
    lines: Sequence[RunLine],
    *,
    cursor: int,
    first: int,
    order: Order,
    words: RunsWords,
    width: int,
    height: int,
    ascii_only: bool,
) -> list[Line]:
    """The heading and as many rows as fit, from row `first` on. `cursor` is the row chosen."""
    columns, gap = _fitting(_columns(lines, order, words, ascii_only=ascii_only), width)
    room = (
        width - _MARK_CELLS - sum(column.width for column in columns[1:]) - gap * (len(columns) - 1)
    )
    widths = [min(columns[0].width, max(_SHORTEST_ID, room)), *(c.width for c in columns[1:])]
    space = " " * gap
    heading = space.join(
        pad(c.heading, w, "left" if c.words else "right")
        for c, w in zip(columns, widths, strict=True)
    )
    rows = [line(Span(" " * _MARK_CELLS + heading, "muted"))]
    for place in range(first, min(len(lines), first + height - HEADING_ROWS)):
        run, here = lines[place], place == cursor
        tone: Tone = "strong" if here else "plain"
        spans = [*_marks(run, here=here, ascii_only=ascii_only)]
        for column, cells in zip(columns, widths, strict=True):
            text = column.cells[place]
            shown = clip(text, cells, "..." if ascii_only else "…")
            padded = pad(shown, cells, "left" if column.words else "right")
            spans.append(Span(padded, run.mood if column.key == "state" else tone))
            spans.append(Span(space))
        rows.append(tuple(spans[:-1]))
    return rows


def _marks(run: RunLine, *, here: bool, ascii_only: bool) -> Line:
    """Where the cursor is; that it is marked; that it is the run on the other screens."""
    pointer, mark, eye = (">", "*", "@") if ascii_only else ("❯", "✓", "◉")
    return (
        Span(pointer if here else " ", "accent"),
        Span(mark if run.marked else " ", "good"),
        Span(f"{eye if run.shown else ' '} ", "accent"),
    )


def _columns(
    lines: Sequence[RunLine], order: Order, words: RunsWords, *, ascii_only: bool
) -> list[_Column]:
    down, up = ("v", "^") if ascii_only else ("▼", "▲")

    def heading(text: str, key: SortKey) -> str:
        return f"{text} {up if order.reverse else down}" if order.key == key else text

    cells: list[tuple[SortKey | None, str, list[str], int, bool]] = [
        (None, words.column_run, [run.run_id for run in lines], 0, True),
        ("state", words.column_state, [f"{run.glyph} {run.word}" for run in lines], 1, True),
        ("epoch", words.column_epoch, [run.epoch for run in lines], 5, False),
        ("vali", words.column_vali, [run.vali.text for run in lines], 4, False),
        ("mse", words.column_mse, [run.mse.text for run in lines], 2, False),
        ("mae", words.column_mae, [run.mae.text for run in lines], 6, False),
        ("time", words.column_time, [run.time.text for run in lines], 3, False),
        ("started", words.column_started, [run.started for run in lines], 7, True),
    ]
    return [
        _Column(key, heading(text, key) if key else text, tuple(column), rank, is_words)
        for key, text, column, rank, is_words in cells
    ]


def _fitting(columns: list[_Column], width: int) -> tuple[list[_Column], int]:
    """The columns that fit beside a shortened id, the least important left out; and their gap."""

    def needed(columns: list[_Column], gap: int) -> int:
        rest = sum(column.width + gap for column in columns[1:])
        return _MARK_CELLS + min(columns[0].width, _SHORTEST_ID) + rest

    while len(columns) > 1 and needed(columns, 1) > width:
        dearest = max(columns, key=lambda column: column.rank)
        columns = [column for column in columns if column is not dearest]
    whole = _MARK_CELLS + sum(column.width + 2 for column in columns) - 2
    return columns, 2 if whole <= width else 1
