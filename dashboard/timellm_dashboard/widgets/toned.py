"""From lines of toned text to what Textual shows."""

from collections.abc import Iterable

from textual.content import Content

from timellm_dashboard.lines import Line, Tone

STYLES: dict[Tone, str] = {
    "plain": "",
    "muted": "$tone-muted",
    "strong": "bold",
    "accent": "$tone-accent",
    "good": "$tone-good bold",
    "busy": "$tone-busy bold",
    "held": "$tone-held bold",
    "bad": "$tone-bad bold",
    "done": "$tone-done bold",
    "found": "reverse",
}


def to_content(lines: Iterable[Line]) -> Content:
    """The lines, one below the other."""
    rows = [
        Content.assemble(*((span.text, STYLES[span.tone]) for span in line if span.text))
        for line in lines
    ]
    return Content("\n").join(rows)
