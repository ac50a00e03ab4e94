"""Two bars, for the epoch and the whole run, with what is left beside them."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad, wrap
from timellm_dashboard.panels.marks import bar
from timellm_dashboard.viewmodel.progress import Portion
from timellm_dashboard.viewmodel.view import View

_SHORTEST_BAR = 8
_SHORTEST_WIDE_BAR = 20
_WIDE = 110
"""From so many cells on, a bar is worth more than the last of the texts beside it."""
_LONGEST_BAR = 60


def draw_progress(view: View, width: int, height: int = 2) -> list[Line]:
    """The bars; where there is a third row, the times."""
    progress = view.progress
    if view.headline.command or view.outcome is not None:
        return _ended(view, width, height)
    beside_epoch = [progress.epoch.text]
    if progress.speed.value is not None and not progress.evaluating:
        beside_epoch.append(progress.speed.text)
    if view.loss.lr.value is not None and not progress.evaluating:
        beside_epoch.append(f"{view.words.lr} {view.loss.lr.text}")
    tone: Tone = "busy" if progress.evaluating else "good"
    if view.headline.mood in ("held", "bad"):
        tone = "held"
    rows = _bars(
        view,
        width,
        [(progress.epoch, tone, beside_epoch), (progress.whole, tone, _left(view))],
    )
    if height > 2:
        paused = progress.paused.text if progress.paused.value is not None else ""
        times = [paused, view.results.patience.text]
        dot = " | " if view.ascii_only else " · "
        shown = dot.join(part for part in times if part)
        shown = clip(shown, width, "..." if view.ascii_only else "…")
        rows.append(line(Span(shown, "muted")))
    return rows[:height]


def _left(view: View) -> list[str]:
    """The time left and when that will be, the most important first."""
    left, words = view.left, view.words
    parts = [words.left.format(time=left.text)] if left.seconds is not None else []
    if left.done_text:
        parts.append(left.done_text)
    if left.note:
        parts.append(left.note)
    if view.progress.whole.total is not None:
        parts.append(view.progress.whole.text)
    elif not parts:
        parts.append(words.steps_unknown)
    return parts


def _ended(view: View, width: int, height: int) -> list[Line]:
    """How far it came, and how to go on or what came out."""
    whole, words = view.progress.whole, view.words
    tone: Tone = "muted" if view.outcome is None else view.headline.mood
    epoch = view.progress.epoch
    begun = epoch.done > 0 or epoch.total is not None
    beside = [whole.text] if whole.total is not None else [epoch.label if begun else epoch.text]
    rows = _bars(view, width, [(whole, tone, beside)])
    rest = []
    if view.headline.command:
        rest.append(Span(words.go_on_with.format(command=view.headline.command), "strong"))
    elif view.results.final_text:
        rest.append(Span(view.results.final_text, "strong"))
    if height > 2 and view.progress.pauses:
        rest.append(Span(view.progress.paused.text, "muted"))
    rows += [line(Span(row, span.tone)) for span in rest for row in wrap(span.text, width)]
    return (rows + [()] * (height - len(rows)))[: max(height, len(rows))]


def _bars(
    view: View, width: int, rows: Sequence[tuple[Portion, Tone, Sequence[str]]]
) -> list[Line]:
    """Rows of label, bar, share and text, with the bars below one another."""
    dot = " | " if view.ascii_only else " · "
    label_cells = max(cell_len(portion.label) for portion, _, _ in rows)
    percent_cells = max(cell_len(portion.percent) for portion, _, _ in rows)
    if all(portion.share is None for portion, _, _ in rows):
        return [
            line(
                Span(pad(portion.label, label_cells), "strong"),
                "  ",
                _fitting(parts, width - label_cells - 2, dot),
            )
            for portion, _, parts in rows
        ]
    shortest = _SHORTEST_BAR if width < _WIDE else _SHORTEST_WIDE_BAR
    room = width - label_cells - percent_cells - 5 - shortest
    texts = [_fitting(parts, room, dot) for _, _, parts in rows]
    bar_cells = width - label_cells - percent_cells - 5 - max(map(cell_len, texts))
    bar_cells = max(1, min(_LONGEST_BAR, bar_cells))
    return [
        line(
            Span(pad(portion.label, label_cells), "strong"),
            "  ",
            *bar(portion.share, bar_cells, tone, ascii_only=view.ascii_only),
            " ",
            pad(portion.percent, percent_cells, "right"),
            "  ",
            Span(text),
        )
        for (portion, tone, _), text in zip(rows, texts, strict=True)
    ]


def _fitting(parts: Sequence[str], width: int, dot: str) -> str:
    """As many of `parts` as fit, in their order; the first at any rate."""
    shown = ""
    for part in parts:
        longer = f"{shown}{dot}{part}" if shown else part
        if cell_len(longer) <= width:
            shown = longer
        elif not shown:
            return clip(part, width, "..." if dot.isascii() else "…")
    return shown
