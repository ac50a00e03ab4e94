"""The loss chart: the batches faint, their smoothed course strong, over the steps of the run."""

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, line
from timellm_dashboard.panels.chart import Chart, draw_chart, flat_loss_span
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt


def draw_loss(view: View, width: int, height: int) -> list[Line]:
    """The latest values, and the chart with its axis in the rest of the room."""
    return [loss_legend(view), *loss_chart(view, width, height - 1)]


def loss_legend(view: View) -> Line:
    """The latest values, or that there are none."""
    known = view.loss.raw.value is not None or bool(view.charts.loss)
    return _legend(view) if known else line(Span(view.loss.absent, "muted"))


def loss_chart(view: View, width: int, height: int) -> list[Line]:
    """The chart and its axis; empty where there is nothing to draw or no room for it."""
    band, course = view.charts.loss, view.charts.smoothed_loss
    newest = (*band[-1:], *course[-1:])
    span = max((flat_loss_span(point.last) for point in newest), default=0.0)
    chart = Chart(band=band, course=course, write=fmt.loss, smallest_span=span)
    drawn = draw_chart(chart, width, height - 1, ascii_only=view.ascii_only)
    if not drawn:
        return []
    axis_cells = max(cell_len(row[0].text) for row in drawn)
    return [*drawn, _axis(view, axis_cells, width)]


def _legend(view: View) -> Line:
    loss, words = view.loss, view.words
    course, band = ("*", ":") if view.ascii_only else ("━", "⣿")
    spans = [
        Span(f"{course} ", "accent"),
        Span(f"{words.smoothed} "),
        Span(loss.smoothed.text, "strong"),
        Span(f"  {band} ", "muted"),
        Span(f"{words.batch} {loss.raw.text}"),
    ]
    return line(*spans)


def _axis(view: View, axis_cells: int, width: int) -> Line:
    """Steps from left to right, with a tick where an epoch ended."""
    points = [*view.charts.loss, *view.charts.smoothed_loss]
    start, end = points[0].start, max(point.end for point in points)
    corner, dash, tick = ("+", "-", "+") if view.ascii_only else ("└", "─", "┴")
    cells = width - axis_cells
    marks = [dash] * cells
    for mark in view.charts.epochs:
        if end > start and start <= mark.step <= end:
            marks[min(cells - 1, int((mark.step - start) / (end - start) * cells))] = tick
    words = view.words
    counted = words.step if view.charts.counts == "steps" else words.record
    first = counted.format(step=fmt.count(start))
    last = fmt.count(end)
    text = "".join(marks)
    if cell_len(first) + cell_len(last) + 4 <= cells:
        middle = text[cell_len(first) + 1 : cells - cell_len(last) - 1]
        text = f"{first} {middle} {last}"
    return line(Span(" " * (axis_cells - 1) + corner + text, "muted"))
