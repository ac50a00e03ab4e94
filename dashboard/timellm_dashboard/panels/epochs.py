"""The table of epochs: the latest ones, and always the best."""

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, clip, line, pad
from timellm_dashboard.viewmodel.losses import EpochView
from timellm_dashboard.viewmodel.view import View

_MARK_CELLS = 3


class _Column(Struct, frozen=True):
    """A column: its heading, its cells, and how dear it is (the dearest goes last)."""

    heading: str
    cells: tuple[str, ...]
    rank: int

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))


def draw_epochs(view: View, width: int, height: int) -> list[Line]:
    """Heading, rows and marks; below them the final test, where there was one."""
    rows, words = view.results.rows, view.words
    if not rows:
        none = words.epochs_none if view.outcome is None else words.epochs_never
        return [line(Span(none, "muted"))]
    below = _below(view, width, height - 2)
    shown, left_out = _latest(rows, view.results.best_epoch, height - 1 - len(below))
    columns = _fitting(_columns(view, shown), width - _MARK_CELLS)
    gap = "  " if sum(c.width + 2 for c in columns) + 1 <= width else " "
    lines = [line(Span(gap.join(pad(c.heading, c.width, "right") for c in columns), "muted"))]
    for index, row in enumerate(shown):
        text = gap.join(pad(c.cells[index], c.width, "right") for c in columns)
        lines.append(line(Span(text, "strong" if row.best else "plain"), *_marks(view, row)))
    if left_out and height > len(lines) + len(below):
        lines.append(line(Span(words.earlier.format(count=left_out), "muted")))
    return [*lines, *below]


def _latest(
    rows: Sequence[EpochView], best_epoch: int | None, room: int
) -> tuple[list[EpochView], int]:
    """The rows to show in `room` lines, and how many are not shown."""
    room = max(1, room)
    if len(rows) <= room:
        return list(rows), 0
    shown = list(rows[-room:])
    best = [row for row in rows if row.epoch == best_epoch]
    if best and best[0] not in shown:
        shown = [*best, *shown[1:]]
    return shown, len(rows) - len(shown)


def _columns(view: View, rows: Sequence[EpochView]) -> list[_Column]:
    words = view.words
    table = [
        (words.column_epoch, [str(row.epoch) for row in rows], 0),
        (words.column_train, [row.train_mse.text for row in rows], 3),
        (words.column_vali, [row.vali_mse.text for row in rows], 1),
        (words.column_test, [row.test_mse.text for row in rows], 2),
        (words.column_mae, [row.test_mae.text for row in rows], 4),
        (words.column_time, [row.seconds.text for row in rows], 5),
        (words.column_lr, [row.lr.text for row in rows], 6),
    ]
    return [_Column(heading, tuple(cells), rank) for heading, cells, rank in table]


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that fit, the least important left out first."""
    while len(columns) > 1 and sum(c.width + 1 for c in columns) - 1 > width:
        dearest = max(columns, key=lambda column: column.rank)
        columns = [column for column in columns if column is not dearest]
    return columns


def _marks(view: View, row: EpochView) -> Line:
    star, check = ("*", "+") if view.ascii_only else ("★", "✓")
    return (
        Span(f" {star if row.best else ' '}", "accent"),
        Span(check if row.saved else " ", "good"),
    )


def _below(view: View, width: int, room: int) -> list[Line]:
    # Of a finished run it is the first thing that the screen says.
    told = view.outcome is not None and not view.headline.command
    found = [view.results.final_text] if view.results.final_text and not told else []
    return [line(Span(clip(text, width), "strong")) for text in found][: max(0, room)]


def epochs_title(view: View, width: int) -> str:
    """The panel's title, which says what the marks mean, and the unit where there is room."""
    words = view.words
    star, check, dot = ("*", "+", " | ") if view.ascii_only else ("★", "✓", " · ")
    marks = f"  {star} {words.best_mark}  {check} {words.saved_mark}"
    full = f"{words.epochs_title}{dot}{words.epochs_unit}{marks}"
    return full if cell_len(full) <= width else f"{words.epochs_title}{marks}"
