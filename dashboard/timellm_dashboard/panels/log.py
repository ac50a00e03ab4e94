"""Rows of the log: what a line is by its colour, what was searched for turned round."""

from collections.abc import Sequence

from rich.cells import get_character_cell_size

from timellm_dashboard.lines import Line, Span, Tone, clip
from timellm_dashboard.log.text import tone_of

GUTTER = 2
"""Cells before each line: the cursor, and what is marked."""
_CURSOR, _MARKED, _PLAIN = "> ", "│ ", "  "

Cut = tuple[int, int]
"""A stretch of a text, from character to character."""


def wrapped(text: str, width: int) -> list[Cut]:
    """`text` in rows of `width` cells, at least one; broken anywhere, so that columns stay."""
    if text.isascii() or all(get_character_cell_size(character) == 1 for character in text):
        return [(at, min(at + width, len(text))) for at in range(0, len(text), width)] or [(0, 0)]
    cuts, begin, used = [], 0, 0
    for at, character in enumerate(text):
        cells = get_character_cell_size(character)
        if used + cells > width and at > begin:
            cuts.append((begin, at))
            begin, used = at, 0
        used += cells
    return [*cuts, (begin, len(text))]


def shifted(text: str, width: int, shift: int, ellipsis: str) -> tuple[str, Cut]:
    """`text` from character `shift` on, in at most `width` cells, and which of it that is."""
    rest = text[shift:]
    fitting = clip(rest, width, ellipsis)
    kept = len(rest) if fitting == rest else len(fitting) - len(ellipsis)
    return fitting, (shift, shift + max(0, kept))


def draw_row(
    text: str,
    cut: Cut,
    found: Sequence[Cut],
    *,
    more: str = "",
    cursor: bool = False,
    marked: bool = False,
    ascii_only: bool = False,
) -> Line:
    """The stretch `cut` of a line, with what was `found` in it, and `more` where it goes on."""
    gutter = _CURSOR if cursor else _MARKED if marked else _PLAIN
    if ascii_only:
        gutter = gutter.replace("│", "|")
    tone = tone_of(text)
    spans = [Span(gutter, "accent" if cursor or marked else "plain")]
    at, end = cut
    for begin, stop in found:
        begin, stop = max(begin, at), min(stop, end)
        if begin < stop:
            spans += _spans(text[at:begin], tone)
            spans += _spans(text[begin:stop], "found")
            at = stop
    spans += _spans(text[at:end], tone)
    return (*spans, *_spans(more, "muted"))


def _spans(text: str, tone: Tone) -> list[Span]:
    return [Span(text, tone)] if text else []
