"""The events, oldest first, each with its time; long ones go on below themselves."""

from timellm_dashboard.feed import FeedLine, Severity
from timellm_dashboard.lines import Line, Span, Tone, line, wrap_line
from timellm_dashboard.view import View
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
    words = view.words
    if not view.feed:
        return [line(Span(words.events_none, "muted"))]
    rows = []
    if view.feed_left_out:
        text = words.events_left_out.format(count=Count(view.feed_left_out))
        rows.append(line(Span(text, "muted")))
    for event in view.feed:
        rows += _event(event, width, ascii_only=view.ascii_only)
    return rows


def _event(event: FeedLine, width: int, *, ascii_only: bool) -> list[Line]:
    glyph = (_ASCII_GLYPHS if ascii_only else _GLYPHS)[event.severity]
    tone = _TONES[event.severity]
    time = [Span(f"{event.time:<{_TIME_CELLS}} ", "muted")] if event.time else []
    spans = [*time, Span(f"{glyph} ", tone), Span(event.text, tone)]
    return wrap_line(spans, width, indent=2 + (_TIME_CELLS + 1 if event.time else 0))
