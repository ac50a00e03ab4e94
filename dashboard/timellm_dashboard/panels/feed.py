"""The events, oldest first, each with its time; long ones go on below themselves."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, line, text_of, width_of, wrap_line
from timellm_dashboard.viewmodel.feed import FeedLine, Severity
from timellm_dashboard.viewmodel.view import View
from timellm_ops.contract.counting import Count

_TONES: dict[Severity, Tone] = {
    "quiet": "muted", "info": "plain", "good": "good", "warning": "held", "error": "bad",
}  # fmt: skip
_GLYPHS: dict[Severity, str] = {
    "quiet": "·", "info": "•", "good": "✓", "warning": "!", "error": "✗",
}  # fmt: skip
_ASCII_GLYPHS: dict[Severity, str] = {
    "quiet": ".", "info": "-", "good": "+", "warning": "!", "error": "x",
}  # fmt: skip
_TIME_CELLS = 8


def draw_feed(view: View, width: int) -> list[Line]:
    """Every event that is kept, however many rows that takes."""
    return [row for block in feed_blocks(view, width) for row in block]


def feed_blocks(view: View, width: int) -> list[list[Line]]:
    """The rows of each event that is kept, and before them of a note on those that are not."""
    words = view.words
    if not view.feed:
        return [[line(Span(words.events_none, "muted"))]]
    blocks: list[list[Line]] = []
    if view.feed_left_out:
        text = words.events_left_out.format(count=Count(view.feed_left_out))
        blocks.append([line(Span(text, "muted"))])
    return blocks + [_event(event, width, ascii_only=view.ascii_only) for event in view.feed]


def feed_title(view: View, newer: int = 0) -> str:
    """The panel's title, with what is missing below it: `newer` rows that are out of sight, and
    lines of the journal that nobody could read."""
    words, parts = view.words, [view.words.events_title]
    if newer:
        parts.append(words.events_newer.format(count=newer))
    if view.damaged_lines.text:
        parts.append(view.damaged_lines.text)
    return (" | " if view.ascii_only else " · ").join(parts)


def newest_rows(
    blocks: Sequence[list[Line]], width: int, height: int, *, ascii_only: bool
) -> list[Line]:
    """The newest events in `height` rows. The first of them is seen from its beginning: where it
    has no room as a whole, its end goes."""
    kept: list[list[Line]] = []
    room = height
    for block in reversed(blocks):
        if room < 1:
            break
        fits = len(block) <= room
        kept.append(block if fits else _shortened(block, room, width, ascii_only=ascii_only))
        room -= len(kept[-1])
    return [row for block in reversed(kept) for row in block]


def _shortened(block: Sequence[Line], rows: int, width: int, *, ascii_only: bool) -> list[Line]:
    """The first rows of an event, with a sign that it goes on."""
    ellipsis = " ..." if ascii_only else " …"
    *before, last = block[rows - 1]
    room = max(1, width - width_of(before) - cell_len(ellipsis))
    text = text_of(wrap_line((last,), room)[0]).rstrip(" ,;·|，；")
    return [*block[: rows - 1], (*before, Span(f"{text}{ellipsis}", last.tone))]


def _event(event: FeedLine, width: int, *, ascii_only: bool) -> list[Line]:
    glyph = (_ASCII_GLYPHS if ascii_only else _GLYPHS)[event.severity]
    tone = _TONES[event.severity]
    time = [Span(f"{event.time:<{_TIME_CELLS}} ", "muted")] if event.time else []
    spans = [*time, Span(f"{glyph} ", tone), Span(event.text, tone)]
    return wrap_line(spans, width, indent=2 + (_TIME_CELLS + 1 if event.time else 0))
