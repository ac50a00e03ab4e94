"""Several curves over the same steps: each in a tone of its own, and with its letter on it."""

import math
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from timellm_dashboard.folds.series import Point
from timellm_dashboard.lines import Line, Span, Tone, line, pad
from timellm_dashboard.panels.canvas import Canvas
from timellm_dashboard.panels.chart import flat_loss_span, widened
from timellm_dashboard.words import format as fmt

TONES: tuple[Tone, ...] = ("accent", "held", "good", "busy", "bad", "plain")
"""Of the curves in their order; begun again after the last one."""

_OUTLIERS = 0.02
"""So much of all values may lie above the frame: the first steps, which would flatten the rest."""


class Curve(Struct, frozen=True):
    """A curve with the letter that says which it is."""

    letter: str
    points: Sequence[Point]


def draw_curves(
    curves: Sequence[Curve], width: int, height: int, *, ascii_only: bool, step_word: str
) -> list[Line]:
    """The curves in `height` rows of `width` cells, the last of which is the axis of steps.

    `step_word` is a text with the blank `{step}`. Empty where there is nothing to draw, or no room.
    """
    drawn = [(place, curve) for place, curve in enumerate(curves) if curve.points]
    if not drawn or height < 4 or width < 24:
        return []
    low, high = _frame([point for _, curve in drawn for point in curve.points])
    start = min(curve.points[0].start for _, curve in drawn)
    end = max(point.end for _, curve in drawn for point in curve.points)
    rows = height - 1
    labels = {0: fmt.loss(high), rows - 1: fmt.loss(low)}
    if rows >= 5:
        middle = (rows - 1) // 2
        labels[middle] = fmt.loss(low + (rows - middle - 0.5) / rows * (high - low))
    axis = max(map(len, labels.values()))
    canvas = Canvas(width - axis - 1, rows, ascii_only=ascii_only)
    letters: dict[tuple[int, int], tuple[str, Tone]] = {}
    for place, curve in drawn:
        tone = TONES[place % len(TONES)]
        canvas.layer(tone, curve.letter.lower() if ascii_only else "")
        dots = _dots(curve.points, canvas, (low, high), (start, end))
        _join(dots, canvas)
        _put_letter(curve.letter, tone, dots, (place + 1) / (len(curves) + 1), canvas, letters)
    edge = "|" if ascii_only else "│"
    return [
        *(
            (
                Span(pad(labels.get(index, ""), axis, "right") + edge, "muted"),
                *_lettered(row, {c: at for (r, c), at in letters.items() if r == index}),
            )
            for index, row in enumerate(canvas.lines())
        ),
        _axis(start, end, axis, width, step_word, ascii_only=ascii_only),
    ]


def _frame(points: Sequence[Point]) -> tuple[float, float]:
    highs = sorted(point.high for point in points)
    low = min(point.low for point in points)
    high = highs[math.ceil((len(highs) - 1) * (1 - _OUTLIERS))]
    return widened(low, high, flat_loss_span(high))


def _dots(
    points: Sequence[Point],
    canvas: Canvas,
    frame: tuple[float, float],
    steps: tuple[float, float],
) -> list[tuple[int, int]]:
    """The mean of each column as a dot, from left to right."""
    (low, high), (start, end) = frame, steps
    columns: dict[int, list[float]] = {}
    for point in points:
        share = 0.0 if end <= start else ((point.start + point.end) / 2 - start) / (end - start)
        column = min(canvas.columns - 1, max(0, int(share * canvas.columns)))
        columns.setdefault(column, []).append((point.low + point.high) / 2)
    return [
        (
            column,
            min(
                canvas.rows - 1,
                max(0, round((sum(found) / len(found) - low) / (high - low) * (canvas.rows - 1))),
            ),
        )
        for column, found in sorted(columns.items())
    ]


def _join(dots: Sequence[tuple[int, int]], canvas: Canvas) -> None:
    """A bar in each column between two dots, so that a steep line has no holes."""
    before: tuple[int, int] | None = None
    for column, row in dots:
        if before is None:
            canvas.dot(column, row)
        else:
            below = before[1]
            for between in range(before[0] + 1, column + 1):
                here = before[1] + round(
                    (between - before[0]) / (column - before[0]) * (row - before[1])
                )
                canvas.bar(between, min(below, here), max(below, here))
                below = here
        before = column, row


def _put_letter(
    letter: str,
    tone: Tone,
    dots: Sequence[tuple[int, int]],
    share: float,
    canvas: Canvas,
    letters: dict[tuple[int, int], tuple[str, Tone]],
) -> None:
    """On the curve, at that share of its length; each curve at another one, so that letters stay
    apart where curves lie on one another."""
    across, down = canvas.dots_per_cell
    rows = canvas.rows // down
    column, row = dots[min(len(dots) - 1, int(share * len(dots)))]
    cell = (rows - 1 - row // down, column // across)
    letters[cell] = (letter, tone)


def _lettered(row: Line, letters: dict[int, tuple[str, Tone]]) -> Line:
    """The row with letters in the place of some cells."""
    if not letters:
        return row
    cells = [(character, span.tone) for span in row for character in span.text]
    for column, (letter, _) in letters.items():
        cells[column] = (letter, "strong")
    spans: list[Span] = []
    for character, tone in cells:
        if spans and spans[-1].tone == tone:
            spans[-1] = Span(spans[-1].text + character, tone)
        else:
            spans.append(Span(character, tone))
    return tuple(spans)


def _axis(
    start: float, end: float, axis: int, width: int, step_word: str, *, ascii_only: bool
) -> Line:
    corner, dash = ("+", "-") if ascii_only else ("└", "─")
    first, last = step_word.format(step=fmt.count(start)), fmt.count(end)
    cells = width - axis - 1
    rule = cells - cell_len(first) - cell_len(last) - 2
    text = f"{first} {dash * rule} {last}" if rule > 0 else dash * cells
    return line(Span(" " * axis + corner + text, "muted"))
