"""Runs side by side: which they are, what that says, results, curves, and how they differ."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, clip, line, pad, width_of, wrap_line
from timellm_dashboard.panels.curves import TONES, Curve, draw_curves
from timellm_dashboard.runs.compared import Comparison
from timellm_dashboard.words.text import words

_TWO_COLUMNS = 150
"""From so many cells on, the curves stand beside the rest."""
_CHART_ROWS = 12
_GAP = 2
_LEAST_VALUE = 7


def draw_comparison(comparison: Comparison, width: int) -> list[Line]:
    """All of it in rows of `width` cells, as many as it takes."""
    if width < _TWO_COLUMNS:
        return [
            *_names(comparison, width),
            (),
            *_findings(comparison, width),
            (),
            *_results(comparison, width),
            (),
            *_curves(comparison, width, _CHART_ROWS),
            (),
            *_config(comparison, width),
        ]
    left_width = width // 2 - 2
    right_width = width - left_width - 4
    left = [
        *_names(comparison, left_width),
        (),
        *_results(comparison, left_width),
        (),
        *_findings(comparison, left_width),
    ]
    right = [
        *_curves(comparison, right_width, _CHART_ROWS + 4),
        (),
        *_config(comparison, right_width),
    ]
    return [
        _beside(left[i] if i < len(left) else (), right[i] if i < len(right) else (), left_width)
        for i in range(max(len(left), len(right)))
    ]


def _beside(left: Line, right: Line, left_width: int) -> Line:
    space = left_width - width_of(left) + 4
    return (*left, Span(" " * space), *right) if right else left


def _dots(comparison: Comparison) -> str:
    return "..." if comparison.ascii_only else "…"


def _heading(text: str) -> Line:
    return line(Span(text, "accent"))


def _names(comparison: Comparison, width: int) -> list[Line]:
    rows = []
    longest = max(cell_len(run.run_id) for run in comparison.runs)
    for place, run in enumerate(comparison.runs):
        state = f"{run.glyph} {run.word}"
        room = width - 3 - cell_len(state) - _GAP
        run_id = pad(clip(run.run_id, room, _dots(comparison)), min(longest, room))
        rows.append(
            line(
                Span(f"{run.letter}  ", TONES[place % len(TONES)]),
                Span(f"{run_id}  ", "strong"),
                Span(state, "muted"),
            )
        )
    return rows


def _findings(comparison: Comparison, width: int) -> list[Line]:
    rows = [_heading(comparison.words.findings)]
    for text in comparison.findings:
        dash = "- " if comparison.ascii_only else "· "
        rows += wrap_line((Span(dash, "muted"), Span(text)), width, indent=2)
    return rows


def _results(comparison: Comparison, width: int) -> list[Line]:
    say, results = comparison.words, comparison.results
    labels = [result.label for result in results]
    label_cells = max(map(cell_len, (*labels, say.results)))
    better = [result.better_text for result in results]
    better_cells = max(map(cell_len, (*better, say.better)))
    texts = [[figure.text for figure in result.figures] for result in results]
    count = len(comparison.runs)
    wanted = max(cell_len(text) for row in texts for text in row)
    room = width - label_cells - _GAP * (count + 1) - better_cells
    cells = max(_LEAST_VALUE, min(wanted, room // count))
    if (
        room < count * _LEAST_VALUE
    ):  # many runs on a narrow screen: the sentences say which is better
        better, better_cells = [""] * len(better), 0
        cells = max(4, min(wanted, (width - label_cells - _GAP * count) // count))
    head = "  ".join(
        (
            pad(say.results, label_cells),
            *(pad(run.letter, cells, "right") for run in comparison.runs),
            say.better if better_cells else "",
        )
    )
    rows = [line(Span(head.rstrip(), "accent"))]
    for result, values, text in zip(results, texts, better, strict=True):
        spans = [Span(pad(result.label, label_cells))]
        for run, value in zip(comparison.runs, values, strict=True):
            shown = pad(clip(value, cells, _dots(comparison)), cells, "right")
            tone = "good" if run.letter == result.better else "plain"
            spans += [Span("  "), Span(shown, tone)]  # type: ignore[arg-type]
        rows.append(
            (*spans, Span(f"  {text}" if text else "", "good" if result.better else "muted"))
        )
    return rows


def _curves(comparison: Comparison, width: int, height: int) -> list[Line]:
    say = comparison.words
    step = words(comparison.lang).step
    drawn = draw_curves(
        [Curve(curve.letter, curve.points) for curve in comparison.curves],
        width,
        height,
        ascii_only=comparison.ascii_only,
        step_word=step,
    )
    return [_heading(say.curves), *(drawn or [line(Span(say.no_curves, "muted"))])]


def _config(comparison: Comparison, width: int) -> list[Line]:
    say = comparison.words
    rows = [_heading(say.config)]
    if comparison.config_unknown:
        runs = ", ".join(comparison.config_unknown)
        rows.append(line(Span(say.config_unknown.format(runs=runs), "muted")))
    if not comparison.config:
        rows.append(line(Span(say.config_same, "muted")))
        return rows
    columns = list(zip(*(key.values for key in comparison.config), strict=True))
    key_cells = min(max(cell_len(key.key) for key in comparison.config), width // 2)
    room = (width - key_cells) // len(columns) - _GAP
    cells = [min(max(map(cell_len, column)), max(4, room)) for column in columns]
    rows.append(
        _config_row("", [run.letter for run in comparison.runs], key_cells, cells, comparison)
    )
    rows += [
        _config_row(key.key, key.values, key_cells, cells, comparison) for key in comparison.config
    ]
    return rows


def _config_row(
    key: str, values: Sequence[str], key_cells: int, cells: Sequence[int], comparison: Comparison
) -> Line:
    dots = _dots(comparison)
    text = "  ".join(
        pad(_clipped(value, width, dots), width) for value, width in zip(values, cells, strict=True)
    )
    return line(Span(pad(clip(key, key_cells, dots), key_cells), "muted"), f"  {text}".rstrip())


def _clipped(value: str, width: int, dots: str) -> str:
    """The end of a name that is too long, where names differ; the beginning of a number."""
    if cell_len(value) <= width or value[:1] in "-0123456789":
        return clip(value, width, dots)
    kept = clip(value[::-1], width - cell_len(dots), "")
    return dots + kept[::-1]
