"""One track of the timeline as rows of cells: its axis at the left, its course, its limits."""

import math
from collections.abc import Callable, Sequence

from rich.cells import cell_len

from timellm_dashboard.folds.track import Column
from timellm_dashboard.lines import Line, Span, Tone, pad
from timellm_dashboard.panels.canvas import Canvas
from timellm_dashboard.panels.chart import axis_edge, flat_loss_span, widened
from timellm_dashboard.viewmodel.gpu import Mark
from timellm_dashboard.viewmodel.timeline import TrackId, TrackView
from timellm_dashboard.words import format as fmt

GUTTER = 10
"""Cells of the axis at the left, its line included; the same for all tracks."""
NAMED_ROWS = 3
"""So many rows hold the name of a track between its highest and its lowest value."""

_OUTLIERS = 0.02
"""So much of the batches may lie beyond either edge of the frame; it is drawn at that edge."""
_SMALLEST_SPANS: dict[TrackId, float] = {"temperature": 6.0, "power": 20.0, "clock": 100.0}
_WRITERS: dict[TrackId, Callable[[float], str]] = {
    "loss": fmt.loss,
    "temperature": fmt.number,
    "power": lambda watts: f"{watts:.0f}",
    "clock": fmt.count,
    "pace": lambda share: f"{share * 100:.0f}",
}
_LEVEL_TONES: dict[str, Tone] = {"resume": "good", "pause": "held", "emergency": "bad"}
_COURSE: Tone = "accent"
_FAINT: Tone = "muted"
_SILENT = "?"
"""Where nobody knows what the engine did; the mark of that state elsewhere, too."""


def draw_track(
    track: TrackView, cells: int, height: int, cursor: int | None, *, ascii_only: bool
) -> list[Line]:
    """The track in `height` rows of `GUTTER + cells` cells; in fewer than three its name has no
    place at the axis."""
    low, high = _frame(track)
    canvas = Canvas(cells, height, ascii_only=ascii_only)
    scale = _Scale(canvas, height, low, high)
    if track.faint:
        canvas.layer(_FAINT)
        scale.bars(track.faint)
    levels = [m for m in track.levels if m.kind in _LEVEL_TONES and low <= m.celsius <= high]
    for mark in levels:
        canvas.limit(_LEVEL_TONES[mark.kind], scale.row(mark.celsius))
    canvas.layer(_COURSE, "*" if track.faint else "")
    scale.course(track.columns)
    plot = canvas.lines()
    edge = "|" if ascii_only else "│"
    names = _names(levels, scale, canvas, range(height), cursor, cells)
    for cell in track.silent:
        plot[-1] = put(plot[-1], cell, _SILENT, "bad")
    if cursor is not None:
        plot = [put(row, cursor, edge, "strong") for row in plot]
    for index, place, name, tone in names:
        plot[index] = put(plot[index], place, name, tone)
    return [
        (
            *axis_edge(
                pad(label, GUTTER - 1, "right"), canvas.limit_at(index), ascii_only=ascii_only
            ),
            *plot[index],
        )
        for index, label in enumerate(_gutter(track, low, high, height))
    ]


def put(row: Line, cell: int, text: str, tone: Tone) -> Line:
    """`row` with `text` over its cells from `cell` on, where no wide character may be cut."""
    end = cell + cell_len(text)
    before: list[Span] = []
    after: list[Span] = []
    here = 0
    for span in row:
        stop = here + cell_len(span.text)
        if stop <= cell:
            before.append(span)
        elif here < cell:
            before.append(Span(span.text[: cell - here], span.tone))
        if here >= end:
            after.append(span)
        elif stop > end:
            after.append(Span(span.text[end - here :], span.tone))
        here = stop
    return (*before, Span(text, tone), *after)


class _Scale:
    """From values to dots."""

    def __init__(self, canvas: Canvas, height: int, low: float, high: float) -> None:
        self._canvas, self._low, self._dots = canvas, low, canvas.rows // height
        self._top = canvas.rows - 1
        self._factor = self._top / (high - low)

    def row(self, value: float) -> int:
        return min(self._top, max(0, round((value - self._low) * self._factor)))

    def cell_row(self, value: float) -> int:
        """The row of cells that `value` is in, counted from above."""
        return (self._top - self.row(value)) // self._dots

    def bars(self, columns: Sequence[Column | None]) -> None:
        """From the lowest to the highest value of each column."""
        for index, column in enumerate(columns):
            if column is not None:
                self._canvas.bar(index, self.row(column.low), self.row(column.high))

    def course(self, columns: Sequence[Column | None]) -> None:
        """The same, with a line from each column to the next one that is joined to it."""
        before: tuple[int, int, int] | None = None
        for index, column in enumerate(columns):
            if column is None:
                continue
            low, high = self.row(column.low), self.row(column.high)
            drawn_low, drawn_high = low, high
            if before is not None and column.joined:
                if before[0] == index - 1:
                    drawn_low, drawn_high = min(low, before[2]), max(high, before[1])
                else:
                    self._line(before, (index, low, high))
            self._canvas.bar(index, drawn_low, drawn_high)
            before = index, low, high

    def _line(self, first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
        """A bar in each column between two, so that a steep line has no holes."""
        start, end = (first[1] + first[2]) / 2, (second[1] + second[2]) / 2
        across, below = second[0] - first[0], round(start)
        for column in range(first[0] + 1, second[0] + 1):
            here = round(start + (column - first[0]) / across * (end - start))
            self._canvas.bar(column, min(below, here), max(below, here))
            below = here


def _frame(track: TrackView) -> tuple[float, float]:
    """The lowest and highest value of the frame: the course, the limits, nearly all the noise."""
    if track.id == "pace":
        return 0.0, 1.0
    course = [column for column in track.columns if column is not None]
    faint = [column for column in track.faint if column is not None]
    lows, highs = [column.low for column in course], [column.high for column in course]
    if faint:
        noise_low = sorted(column.low for column in faint)
        noise_high = sorted(column.high for column in faint)
        lows.append(noise_low[math.floor((len(noise_low) - 1) * _OUTLIERS)])
        highs.append(noise_high[math.ceil((len(noise_high) - 1) * (1 - _OUTLIERS))])
    limits = [mark.celsius for mark in track.levels if mark.kind in ("resume", "pause")]
    if not lows and not limits:
        return 0.0, 1.0
    low, high = min([*lows, *limits]), max([*highs, *limits])
    smallest = flat_loss_span(high) if track.id == "loss" else _SMALLEST_SPANS[track.id]
    return widened(low, high, smallest)


def _gutter(track: TrackView, low: float, high: float, height: int) -> list[str]:
    """The highest value at the top, the lowest at the bottom, the name between them where there is
    a row for it."""
    write = _WRITERS[track.id]
    texts = [""] * height
    texts[0], texts[-1] = write(high), write(low)
    if not any(column is not None for column in (*track.columns, *track.faint)):
        texts[0] = texts[-1] = ""
    if height >= NAMED_ROWS:
        texts[(height - 1) // 2] = track.name
    return texts


def _names(
    levels: Sequence[Mark],
    scale: _Scale,
    canvas: Canvas,
    rows: range,
    cursor: int | None,
    cells: int,
) -> list[tuple[int, int, str, Tone]]:
    """What the limits are, as row, cell, text and tone: at the end where no course is, in the row
    of the limit or, where that is full, in one beside it that has no limit of its own, or else
    wherever that row is free. That of the pause comes first, and is shown in its own row at any
    rate, over the oldest of the course."""
    found: list[tuple[int, int, str, Tone]] = []
    taken: list[tuple[int, int, int]] = (
        [] if cursor is None else [(index, cursor, cursor + 1) for index in rows]
    )
    limits = {scale.cell_row(mark.celsius) for mark in levels}
    for mark in sorted(levels, key=lambda mark: mark.kind != "pause"):
        own, text = scale.cell_row(mark.celsius), f" {mark.text} "
        size = cell_len(text)
        beside = [] if mark.kind == "pause" else [own + 1, own - 1]
        near = (own, *(i for i in beside if i in rows and i not in limits))
        ends = [(index, place) for index in near for place in (cells - size, 1)]
        within = (
            [] if mark.kind == "pause" else [(own, at) for at in range(cells - size - 1, 1, -1)]
        )
        places = [
            (index, place)
            for index, place in (*ends, *within)
            if place >= 0
            and not any(i == index and a < place + size and b > place for i, a, b in taken)
        ]
        free = (
            (index, place)
            for index, place in places
            if not canvas.covers(index, range(place, place + size))
        )
        spot = next(free, None)
        if spot is None and mark.kind == "pause" and places:
            spot = places[-1]
        if spot is not None:
            index, place = spot
            found.append((index, place, text, _LEVEL_TONES[mark.kind]))
            taken.append((index, place, place + size))
    return found
