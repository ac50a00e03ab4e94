"""A chart of a noisy series and its smooth course, with labelled axes."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from timellm_dashboard.folds.series import Point
from timellm_dashboard.lines import Line, Span, Tone, pad
from timellm_dashboard.panels.canvas import Canvas
from timellm_dashboard.words import format as fmt

_OUTLIERS = 0.02
"""So much of the noise may lie beyond either edge of the frame; it is drawn at that edge."""

_LABELLED_MIDDLE = 5
"""So many rows have room for a third label."""

_FLAT_LOSSES = 8
"""Between the labels of a flat loss lie so many that are written differently."""


class Level(Struct, frozen=True):
    """A horizontal line with a meaning, such as a limit."""

    value: float
    tone: Tone


class Chart(Struct, frozen=True, kw_only=True):
    """What is drawn. `band` is drawn from low to high, `course` as a line on top of it."""

    band: Sequence[Point] = ()
    course: Sequence[Point] = ()
    levels: Sequence[Level] = ()
    band_tone: Tone = "muted"
    course_tone: Tone = "accent"
    write: Callable[[float], str]
    """How a value is written at the axis."""
    smallest_span: float = 0.0
    """The frame is at least so high, in the values' unit."""


def draw_chart(chart: Chart, width: int, height: int, *, ascii_only: bool) -> list[Line]:
    """The chart in `height` rows of `width` cells, with the values' axis at the left.

    Empty where there is nothing to draw or no room for it.
    """
    values = [*chart.band, *chart.course]
    if not values or height < 2 or width < 16:
        return []
    low, high = _frame(chart)
    labels = {0: chart.write(high), height - 1: chart.write(low)}
    if height >= _LABELLED_MIDDLE:
        middle = (height - 1) // 2
        share = (height - middle - 0.5) / height
        labels[middle] = chart.write(low + share * (high - low))
    axis = max(map(len, labels.values()))
    canvas = Canvas(width - axis - 1, height, ascii_only=ascii_only)
    start, end = values[0].start, max(point.end for point in values)
    place = _Placer(canvas, low, high, start, end)
    canvas.layer(chart.band_tone)
    place.band(chart.band)
    for level in chart.levels:
        canvas.limit(level.tone, place.row(level.value))
    canvas.layer(chart.course_tone, "*")
    place.line(chart.course)
    return [
        (
            *axis_edge(
                pad(labels.get(index, ""), axis, "right"),
                canvas.limit_at(index),
                ascii_only=ascii_only,
            ),
            *row,
        )
        for index, row in enumerate(canvas.lines())
    ]


def axis_edge(label: str, limit: Tone | None, *, ascii_only: bool) -> Line:
    """The axis beside a row, with a tick in its tone where a limit is: there nothing runs over
    it."""
    edge, tick = ("|", "+") if ascii_only else ("│", "┤")
    if limit is None:
        return (Span(label + edge, "muted"),)
    return (Span(label, "muted"), Span(tick, limit))


class _Placer:
    """From values to dots."""

    def __init__(self, canvas: Canvas, low: float, high: float, start: float, end: float) -> None:
        self._canvas, self._low, self._high = canvas, low, high
        self._start, self._end = start, end

    def column(self, x: float) -> int:
        if self._end <= self._start:
            return 0
        share = (x - self._start) / (self._end - self._start)
        return min(self._canvas.columns - 1, max(0, int(share * self._canvas.columns)))

    def row(self, value: float) -> int:
        share = (value - self._low) / (self._high - self._low)
        return min(self._canvas.rows - 1, max(0, round(share * (self._canvas.rows - 1))))

    def band(self, points: Sequence[Point]) -> None:
        """A bar in each column, from the lowest to the highest value there."""
        lows: dict[int, float] = {}
        highs: dict[int, float] = {}
        for point in points:
            for column in range(self.column(point.start), self.column(point.end) + 1):
                lows[column] = min(point.low, lows.get(column, math.inf))
                highs[column] = max(point.high, highs.get(column, -math.inf))
        for column, low in lows.items():
            self._canvas.bar(column, self.row(low), self.row(highs[column]))

    def line(self, points: Sequence[Point]) -> None:
        """The mean of each column, joined to the next one by a straight line."""
        columns: dict[int, list[float]] = {}
        for point in points:
            column = self.column((point.start + point.end) / 2)
            columns.setdefault(column, []).append((point.low + point.high) / 2)
        before: tuple[int, int] | None = None
        for column, values in columns.items():
            row = self.row(sum(values) / len(values))
            if before is not None:
                self._join(before, (column, row))
            self._canvas.bar(column, row, row)
            before = column, row

    def _join(self, first: tuple[int, int], second: tuple[int, int]) -> None:
        """A bar in each column between two dots, so that a steep line has no holes."""
        across, up = second[0] - first[0], second[1] - first[1]
        below = first[1]
        for column in range(first[0] + 1, second[0] + 1):
            here = first[1] + round((column - first[0]) / across * up)
            self._canvas.bar(column, min(below, here), max(below, here))
            below = here


def _frame(chart: Chart) -> tuple[float, float]:
    """The lowest and highest value of the frame: the course, the levels, nearly all the noise."""
    lows = sorted(point.low for point in (chart.band or chart.course))
    highs = sorted(point.high for point in (chart.band or chart.course))
    low = lows[math.floor((len(lows) - 1) * _OUTLIERS)]
    high = highs[math.ceil((len(highs) - 1) * (1 - _OUTLIERS))]
    for level in chart.levels:
        low, high = min(low, level.value), max(high, level.value)
    for point in chart.course:
        low, high = min(low, point.low), max(high, point.high)
    return widened(low, high, chart.smallest_span)


def widened(low: float, high: float, smallest_span: float) -> tuple[float, float]:
    """A frame that is at least so high, around the middle of the values."""
    missing = max(smallest_span, 1e-9 * max(1.0, abs(high))) - (high - low)
    return (low - missing / 2, high + missing / 2) if missing > 0 else (low, high)


def flat_loss_span(value: float) -> float:
    """How high a frame around losses like `value` is at least: what differs less than they are
    written is flat, and lies between two labels that differ."""
    return _FLAT_LOSSES * fmt.losses_apart(value)
