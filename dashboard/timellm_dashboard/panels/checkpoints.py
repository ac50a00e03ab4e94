"""May I stop it, and what is on disk."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, line, pad, wrap
from timellm_dashboard.viewmodel.checkpoints import SavedView
from timellm_dashboard.viewmodel.view import View


def draw_checkpoints(view: View, width: int, height: int) -> list[Line]:
    """*Safe to stop* with its reason, then the two checkpoints."""
    panel, words = view.checkpoints, view.words
    tones: dict[str, Tone] = {"yes": "good", "no": "held", "ended": "done"}
    glyphs = {"yes": "✓", "no": "✗", "ended": "■"}
    glyph = {"✓": "+", "✗": "x", "■": "#"}[glyphs[panel.safe.answer]]
    glyph = glyph if view.ascii_only else glyphs[panel.safe.answer]
    tone = tones[panel.safe.answer]
    rows = [
        line(Span(f"{words.safe}{words.colon}", "strong"), Span(f"{glyph} {panel.safe.word}", tone))
    ]
    rows += [line(Span(f"  {row}")) for row in wrap(panel.safe.reason, width - 2)]
    label_cells = max(cell_len(words.best), cell_len(words.last))
    entries = [
        (words.best, panel.best, panel.best_text),
        (words.last, panel.last, panel.last_text),
    ]
    below = [
        line(
            Span(pad(label, label_cells), "muted"),
            "  ",
            _entry(saved, text, width - label_cells - 2),
        )
        for label, saved, text in entries
    ]
    spaced: list[Line] = [()] if height - len(rows) > len(below) else []
    return [*rows, *spaced, *below][:height]


def _entry(saved: SavedView | None, text: str, width: int) -> str:
    """A checkpoint in one row; the panel's title says that it is on disk."""
    if saved is None or cell_len(text) <= width:
        return text
    return _as_fits(saved.parts, " | " if " | " in text else " · ", width)


def _as_fits(parts: Sequence[str], dot: str, width: int) -> str:
    shown = parts[0]
    for part in parts[1:]:
        if cell_len(f"{shown}{dot}{part}") <= width:
            shown = f"{shown}{dot}{part}"
    return shown
