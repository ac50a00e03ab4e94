"""Lines of toned text: what every panel is drawn as, before it is known on what.

Widths are in terminal cells, in which a Chinese character takes two.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from rich.cells import cell_len, get_character_cell_size

Tone = Literal[
    "plain", "muted", "strong", "accent", "good", "busy", "held", "bad", "done", "found"
]  # fmt: skip
"""What a piece of text means to the eye. Never the only thing that tells it: a word does too."""


class Span(Struct, frozen=True):
    """Text in one tone."""

    text: str
    tone: Tone = "plain"


Line: TypeAlias = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    """A line of parts; a bare string is plain text."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def text_of(spans: Iterable[Span]) -> str:
    """The characters alone."""
    return "".join(span.text for span in spans)


def width_of(spans: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(cell_len(span.text) for span in spans)


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells; where something had to go, an ellipsis says so."""
    if cell_len(text) <= width:
        return text
    room, kept = width - cell_len(ellipsis), ""
    for character in text:
        room -= get_character_cell_size(character)
        if room < 0:
            break
        kept += character
    return (kept.rstrip() + ellipsis) if width >= cell_len(ellipsis) else ""


def pad(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """`text` in exactly `width` cells."""
    text = clip(text, width)
    space = " " * (width - cell_len(text))
    return space + text if align == "right" else text + space


def between(left: Line, right: Line, width: int) -> Line:
    """Both ends of a line, apart; the right one is dropped where they don't fit together."""
    space = width - width_of(left) - width_of(right)
    if space < 1:
        return left
    return (*left, Span(" " * space), *right)


def wrap(text: str, width: int) -> list[str]:
    """`text` in rows of at most `width` cells, broken at spaces or within Chinese."""
    return [text_of(row) for row in wrap_line((Span(text),), width)]


def wrap_line(spans: Sequence[Span], width: int, indent: int = 0) -> list[Line]:
    """A toned line in rows of at most `width` cells; rows after the first begin with a space of
    `indent` cells."""
    rows: list[list[Span]] = [[]]
    used, room = 0, max(1, width - indent)
    for span in spans:
        for piece in _pieces(_UNIT.sub(_TIED, span.text)):
            limit = width if len(rows) == 1 else room
            cells = cell_len(piece.rstrip(" "))
            if used and used + cells > limit:
                rows.append([])
                used, limit = 0, room
                piece = piece.lstrip(" ")
            while cell_len(piece.rstrip(" ")) > limit:
                head = _head(piece, limit)
                rows[-1].append(Span(head, span.tone))
                rows.append([])
                used, limit, piece = 0, room, piece[len(head) :]
            rows[-1].append(Span(piece, span.tone))
            used += cell_len(piece)
    space = (Span(" " * indent),) if indent else ()
    return [(*(() if i == 0 else space), *_merged(row)) for i, row in enumerate(rows)]


_TIED = "\N{NO-BREAK SPACE}"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|min|h|d|B|kB|[MG]i?B|W|k?Wh|MHz|%|°?C|steps?)\b|[%°])")
"""The space between a number and its unit, which stay in one row."""


def _pieces(text: str) -> Iterable[str]:
    """Stretches that may not be broken: words with the spaces behind them, and wide characters
    one by one, each with the punctuation that must not begin or end a row."""
    piece = ""
    for character in text:
        starts_new = piece.endswith(" ") and character != " "
        wide = get_character_cell_size(character) == 2 and character not in _CLOSING
        after_wide = piece and get_character_cell_size(piece[-1]) == 2
        opened = piece != "" and piece[-1] in _OPENING
        if (
            piece
            and not opened
            and (
                starts_new
                or wide
                or (after_wide and character != " " and character not in _CLOSING)
            )
        ):
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


_CLOSING = "，。：；、！？）」』》%,.;:!?)"
"""What never begins a row."""
_OPENING = "（「『《"
"""What never ends a row."""


def _head(text: str, width: int) -> str:
    kept, used = "", 0
    for character in text:
        cells = get_character_cell_size(character)
        if kept and used + cells > width:
            break
        kept += character
        used += cells
    return kept


def _merged(spans: Iterable[Span]) -> Line:
    merged: list[Span] = []
    for span in spans:
        if merged and merged[-1].tone == span.tone:
            merged[-1] = Span(merged[-1].text + span.text, span.tone)
        else:
            merged.append(span)
    if merged and merged[-1].text.rstrip(" ") != merged[-1].text:
        merged[-1] = Span(merged[-1].text.rstrip(" "), merged[-1].tone)
    return tuple(Span(span.text.replace(_TIED, " "), span.tone) for span in merged)
