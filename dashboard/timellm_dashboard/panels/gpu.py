"""The GPU card: temperature against its limits first, then the rest as far as there is room."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.folds.gpucourse import RECENT_S
from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad, wrap
from timellm_dashboard.panels.chart import Chart, Level, draw_chart
from timellm_dashboard.panels.marks import gauge, sparkline
from timellm_dashboard.viewmodel.gpu import ABSENT, Heat, MarkKind
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt

_LOWEST_C, _HIGHEST_C = 20.0, 100.0
_MARK_TONES: dict[MarkKind, Tone] = {
    "resume": "good", "pause": "held", "emergency": "bad", "slowdown": "bad", "shutdown": "bad",
}  # fmt: skip
_STEADY_C = 6.0
"""A temperature that moves less than this looks steady on a chart."""
_SMALLEST_CHART = 4


def draw_gpu(view: View, width: int, height: int) -> list[Line]:
    """The card. What there is no room for goes from the bottom up."""
    gpu = view.gpu
    if gpu.telemetry in ABSENT:
        return draw_no_gpu(view, width)[:height]
    rows = [_temperature(view, width), *_gauge(view, width)]
    # After the end a reading is old, and before the first there is none: nothing to be warned of.
    expected = view.outcome is not None or gpu.telemetry == "waiting"
    tone: Tone = "muted" if expected else "held"
    message = [line(Span(row, tone)) for row in wrap(gpu.message, width)] if gpu.message else []
    values = [*message, *_values(view, width)]
    room = height - len(rows) - len(values)
    if room > _SMALLEST_CHART:
        return [*rows, *values, *_chart(view, width, room)][:height]
    return [*rows, *_recent(view, width), *values][:height]


def draw_no_gpu(view: View, width: int, *, machine: bool = True) -> list[Line]:
    """That there is none and what this means, and with `machine` what is known around it."""
    gpu, words = view.gpu, view.words
    rows: list[Line] = [line(Span(row)) for row in wrap(gpu.message, width)]
    if gpu.peak.value is not None:
        rows.append(line(Span(f"{words.peak} {gpu.peak.text}", "muted")))
    if machine and view.host.text:
        told = f"{words.host_title}{words.colon}{view.host.text}"
        dot = " | " if view.ascii_only else " · "
        rows += [(), *(line(Span(row, "muted")) for row in _packed(told.split(dot), width, dot))]
    return rows


def _packed(parts: Sequence[str], width: int, dot: str) -> list[str]:
    """The parts in rows, each whole where a row is wide enough for it."""
    rows: list[str] = []
    for part in parts:
        if rows and cell_len(f"{rows[-1]}{dot}{part}") <= width:
            rows[-1] += f"{dot}{part}"
        else:
            rows += wrap(part, width)
    return rows


def _temperature(view: View, width: int) -> Line:
    gpu, words, tone = view.gpu, view.words, _heat_tone(view)
    label = "" if gpu.temperature.value is not None else f"{words.temperature} "
    spans = [Span(f"{label}{gpu.temperature.text}", tone)]
    if gpu.heat_word:
        spans += [Span(" "), Span(gpu.heat_word, tone)]
    if gpu.peak.value is not None:
        spans.append(Span(f"  {words.peak} {gpu.peak.text}", "muted"))
    if gpu.simulated and words.simulated not in clip(gpu_title(view, width), width).casefold():
        spans.append(Span(f"  {words.simulated}", "accent"))
    return line(*spans)


def _heat_tone(view: View) -> Tone:
    """The tone of the temperature and of its gauge. What is over is neither good nor bad."""
    over = view.outcome is not None or view.headline.state == "unsupervised"
    if over or view.gpu.telemetry == "waiting":
        return "muted"
    if view.gpu.temperature.value is None:
        return "held"
    tones: dict[Heat, Tone] = {"cool": "good", "warm": "plain", "hot": "held", "unknown": "strong"}
    return tones[view.gpu.heat]


def _gauge(view: View, width: int) -> list[Line]:
    gpu = view.gpu
    if gpu.temperature.value is None and not gpu.marks:
        return []
    highest = max(_HIGHEST_C, *(mark.celsius for mark in gpu.marks), gpu.temperature.value or 0.0)
    limits = [(mark.celsius, _MARK_TONES[mark.kind]) for mark in gpu.marks]
    ascii_only = view.ascii_only
    drawn = gauge(
        gpu.temperature.value, _LOWEST_C, highest, limits, width, _heat_tone(view),
        ascii_only=ascii_only,
    )  # fmt: skip
    return [drawn, *_captions(view, width)]


def _captions(view: View, width: int) -> list[Line]:
    """What the marks are, as many as fit in a row."""
    dot = " | " if view.ascii_only else " · "
    text = ""
    for mark in view.gpu.marks:
        longer = f"{text}{dot}{mark.text}" if text else mark.text
        if cell_len(longer) > width:
            break
        text = longer
    return [line(Span(text, "muted"))] if text else []


def _recent(view: View, width: int) -> list[Line]:
    points = view.charts.recent_temperature
    if len(points) < 2:
        return []
    end = points[-1][0]
    start = max(points[0][0], end - RECENT_S)
    label = "  " + view.words.recent_minutes.format(time=fmt.duration(end - start, view.words))
    cells = width - cell_len(label)
    ascii_only = view.ascii_only
    drawn = sparkline(points, start, end, _STEADY_C, cells, ascii_only=ascii_only)
    return [line(Span(drawn, "accent"), Span(label, "muted"))] if drawn else []


def _values(view: View, width: int) -> list[Line]:
    gpu, words = view.gpu, view.words
    clock, throttle = (words.clock, gpu.clock.text), (words.throttle, gpu.throttle)
    pairs = [
        (words.memory, gpu.memory.text),
        (words.power, gpu.power.text),
        # What slows the card down matters more than how fast it is then.
        *((throttle, clock) if gpu.throttle_reasons else (clock, throttle)),
    ]
    if gpu.energy.value:
        pairs.append((words.energy, gpu.energy.text))
    if gpu.processes:
        pairs.append((words.processes, gpu.processes))
    if gpu.telemetry != "known":
        return []
    dot = " | " if view.ascii_only else " · "
    beside = {words.power: (words.load, gpu.load.text)}
    label_cells = max(cell_len(label) for label, _ in pairs)
    rows = []
    for label, text in pairs:
        other = beside.get(label)
        full = text if other is None else f"{text}{dot}{other[0]} {other[1]}"
        shown = clip(full, width - label_cells - 2, "..." if view.ascii_only else "…")
        rows.append(line(Span(pad(label, label_cells), "muted"), "  ", shown))
    return rows


def _chart(view: View, width: int, room: int) -> list[Line]:
    levels = [
        Level(mark.celsius, _MARK_TONES[mark.kind])
        for mark in view.gpu.marks
        if mark.kind in ("resume", "pause")
    ]
    chart = Chart(
        # The band as strong as the course: of a stretch, the highest value matters most.
        band=view.charts.temperature,
        band_tone="accent",
        course=view.charts.temperature,
        levels=levels,
        write=fmt.number,
        smallest_span=_STEADY_C,
    )
    drawn = draw_chart(chart, width, room - 2, ascii_only=view.ascii_only)
    if not drawn:
        return _recent(view, width)
    return [(), *drawn, line(Span(view.words.whole_run, "muted"))]


def gpu_title(view: View, width: int) -> str:
    """The panel's title: which card, and that it is simulated if it is.

    Where there is little room, the words that every card has go first.
    """
    words = view.words
    dot = " | " if view.ascii_only else " · "
    title = f"{words.gpu_title}{dot}{view.gpu.title}" if view.gpu.title else words.gpu_title
    for needless in ("NVIDIA ", "GeForce ", " GPU"):
        if cell_len(title) > width:
            title = title.replace(needless, "")
    return title
