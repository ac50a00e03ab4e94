"""The timeline: the reading above, the tracks on one time axis, the marks and the clock below."""

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.trace import MarkKind
from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad, wrap
from timellm_dashboard.panels.tracks import GUTTER, NAMED_ROWS, draw_track, put
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeline import (
    MARK_ORDER,
    TimelineView,
    TrackView,
    timeline,
    words_of,
)
from timellm_dashboard.viewmodel.timereading import MarkReading, Reading, reading
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.timeline import TimelineWords

_SMALL = 20
"""Below so many rows, three tracks at most are shown."""
_WEIGHTS = {"loss": 6, "temperature": 7}
"""Of the tracks that matter most, of which one has two limits to be told apart; of the others it is
4."""
_NARROW = 110
"""Below so many cells, the reading takes two rows."""


class _Sign(Struct, frozen=True):
    glyph: str
    ascii: str
    tone: Tone


_SIGNS: dict[MarkKind, _Sign] = {
    "pause": _Sign("‖", "P", "held"),
    "resume": _Sign("▶", ">", "good"),
    "pace": _Sign("≈", "~", "accent"),
    "power_limit": _Sign("▽", "W", "accent"),
    "saved": _Sign("✓", "+", "muted"),
    "epoch": _Sign("◆", "E", "busy"),
    "alert": _Sign("!", "!", "held"),
    "command": _Sign("›", "c", "plain"),
    "engine": _Sign("✗", "x", "bad"),
    "run": _Sign("○", "o", "strong"),
    "end": _Sign("■", "#", "strong"),
}  # fmt: skip


def sign(kind: MarkKind, *, ascii_only: bool) -> Span:
    """The character that stands for a mark, and its tone."""
    found = _SIGNS[kind]
    return Span(found.ascii if ascii_only else found.glyph, found.tone)


def cells_of(width: int) -> int:
    """Cells of the time axis in a panel of `width`."""
    return max(1, width - GUTTER)


def reading_rows(width: int) -> int:
    """Rows that the reading takes, the mark's included."""
    return 3 if width < _NARROW else 2


def draw_timeline(
    view: View, history: History, look: Look, focus: Focus, width: int, height: int
) -> list[Line]:
    """All of it, in `height` rows of `width` cells, from what the run was like until now."""
    cells = cells_of(width)
    shown = timeline(view, history, look, focus, cells)
    if shown.message:
        return draw_message(shown, width)
    there = reading(view, history, look, focus, cells)
    tracks = draw_tracks(shown, view, height - reading_rows(width))
    return [*draw_reading(there, view, width), *tracks]


def draw_message(shown: TimelineView, width: int) -> list[Line]:
    """Why there is nothing to draw."""
    return [line(Span(row, "muted")) for row in wrap(shown.message, width)]


def draw_reading(there: Reading, view: View, width: int) -> list[Line]:
    """What there is at the cursor, and the mark that is nearest to it."""
    rows = reading_rows(width) - 1
    packed = _packed((*there.text, there.into_run), width, view)
    if len(packed) > rows:  # how long the run has been going is in the first row of the screen
        packed = _packed(there.text, width, view)
    drawn: list[Line] = []
    for parts in packed[:rows]:
        tone: Tone = "plain" if drawn else "strong"
        ellipsis = "..." if view.ascii_only else "…"
        rest = clip(_dot(view).join(("", *parts[1:])), width - cell_len(parts[0]), ellipsis)
        drawn.append(line(Span(parts[0], tone), Span(rest)))
    drawn += [()] * (rows - len(drawn))
    if there.mark is None:
        return [*drawn, line(Span(words_of(view).marks_none, "muted"))]
    return [*drawn, mark_line(there.mark, view, width)]


def _packed(parts: Sequence[str], width: int, view: View) -> list[list[str]]:
    """The parts in rows, as many in each as fit."""
    packed: list[list[str]] = [[]]
    for part in parts:
        if packed[-1] and cell_len(_dot(view).join((*packed[-1], part))) > width:
            packed.append([])
        packed[-1].append(part)
    return packed


def _dot(view: View) -> str:
    return " | " if view.ascii_only else " · "


def mark_line(mark: MarkReading, view: View, width: int | None = None) -> Line:
    """A mark: its sign, when it was and what it is, in at most `width` cells where one is given."""
    glyph = sign(mark.kind, ascii_only=view.ascii_only)
    time = f" {mark.time}" if mark.time else ""
    text = f"{time} {mark.text}"
    if width is not None:
        text = clip(text, width - cell_len(glyph.text), "..." if view.ascii_only else "…")
    return line(glyph, Span(text))


def draw_tracks(shown: TimelineView, view: View, height: int) -> list[Line]:
    """Tracks, marks and clock in `height` rows; a legend of the marks where there is room."""
    ascii_only = view.ascii_only
    small = height + 2 < _SMALL
    legend = 0 if small else 1
    room = height - 2 - legend
    tracks = _chosen(shown, room, small=small)
    if not tracks:
        return []
    rows: list[Line] = []
    for track, track_height in zip(tracks, _heights(tracks, room), strict=True):
        if rows:
            name = "" if track_height >= NAMED_ROWS else track.name
            rows.append(_space(shown, name, ascii_only=ascii_only))
        drawn = draw_track(track, shown.cells, track_height, shown.cursor, ascii_only=ascii_only)
        if track.id == "temperature" and all(column is None for column in track.columns):
            drawn = _explained(drawn, view, shown.cells)
        rows += drawn
    words = words_of(view)
    rows += [_marks_row(shown, view, words), clock_row(shown, ascii_only=ascii_only)]
    if legend:
        rows.append(_legend(view, words, GUTTER + shown.cells))
    return rows[:height]


def _space(shown: TimelineView, name: str, *, ascii_only: bool) -> Line:
    """An empty row between two tracks, which could be taken for one where they touch; at its axis
    the `name` of the track below, where that has no row for it."""
    edge = "|" if ascii_only else "│"
    row: Line = (Span(" " * shown.cells),)
    if shown.cursor is not None:
        row = put(row, shown.cursor, edge, "strong")
    return (Span(pad(name, GUTTER - 1, "right") + edge, "muted"), *row)


def _explained(drawn: list[Line], view: View, cells: int) -> list[Line]:
    """A track without a value in the window, with the reason where there is one now."""
    if not view.gpu.message or not drawn:
        return drawn
    index = (len(drawn) - 1) // 2
    gutter, *plot = drawn[index]
    text = clip(view.gpu.message, cells - 2, "..." if view.ascii_only else "…")
    drawn[index] = (gutter, *put(tuple(plot), 1, text, "held"))
    return drawn


def _chosen(shown: TimelineView, room: int, *, small: bool) -> list[TrackView]:
    """As many tracks as have room: on a small screen loss, temperature and the third."""
    tracks = list(shown.tracks)
    if small:
        order = ["loss", "temperature", shown.small_third]
        tracks = [track for track in tracks if track.id in order]
    while tracks and room < len(tracks) - 1 + sum(_fewest(tracks, low=True)):
        tracks.pop(-1 if len(tracks) < 3 or tracks[-1].id != shown.small_third else -2)
    return tracks


def _heights(tracks: Sequence[TrackView], room: int) -> list[int]:
    """Rows for each, with one between every two: what each needs, and what is left by weight, the
    first ones first."""
    room -= len(tracks) - 1
    heights = _fewest(tracks)
    if sum(heights) > room:
        heights = _fewest(tracks, low=True)
    weights = [_WEIGHTS.get(track.id, 4) for track in tracks]
    for _ in range(room - sum(heights)):
        poorest = min(range(len(tracks)), key=lambda i: heights[i] / weights[i])
        heights[poorest] += 1
    return heights


def _fewest(tracks: Sequence[TrackView], *, low: bool = False) -> list[int]:
    """The rows that each track needs. `low`: what stands below loss and temperature may have its
    name above it, and then needs one less."""
    least = NAMED_ROWS - 1 if low else NAMED_ROWS
    return [
        least if track.id not in _WEIGHTS and i else NAMED_ROWS for i, track in enumerate(tracks)
    ]


def _marks_row(shown: TimelineView, view: View, words: TimelineWords) -> Line:
    """A glyph in each cell in which something was done."""
    edge = "|" if view.ascii_only else "│"
    best: dict[int, MarkKind] = {}
    for mark in shown.marks:
        known = best.get(mark.cell)
        if known is None or MARK_ORDER.index(mark.kind) < MARK_ORDER.index(known):
            best[mark.cell] = mark.kind
    row: Line = (Span(" " * shown.cells),)
    if shown.cursor is not None and shown.cursor not in best:
        row = put(row, shown.cursor, edge, "strong")
    for cell, kind in best.items():
        glyph = sign(kind, ascii_only=view.ascii_only)
        row = put(row, cell, glyph.text, glyph.tone)
    return (Span(pad(words.marks, GUTTER - 1, "right") + edge, "muted"), *row)


def clock_row(shown: TimelineView, *, ascii_only: bool) -> Line:
    """Clock times, with a tick at their place, and a sign where time is left out."""
    corner, dash, tick, cut, here = (
        ("+", "-", "+", "/", "^") if ascii_only else ("└", "─", "┴", "╱", "▲")
    )
    cells = [dash] * shown.cells
    for label in shown.ticks:
        text = f"{tick}{label.text}"
        end = label.column + len(text)
        if not any(label.column <= cut_at < end for cut_at in shown.cuts):
            cells[label.column : end] = text
    for cell in shown.cuts:
        cells[cell] = cut
    row: Line = (Span("".join(cells), "muted"),)
    if shown.cursor is not None and cells[shown.cursor] == dash:
        row = put(row, shown.cursor, here, "strong")
    return (Span(" " * (GUTTER - 1) + corner, "muted"), *row)


def _legend(view: View, words: TimelineWords, width: int) -> Line:
    spans: list[Span] = [Span(" " * GUTTER)]
    used = GUTTER
    for kind in _SIGNS:
        name = getattr(words, f"kind_{kind}")
        text = f" {name}  "
        if used + 1 + cell_len(text) > width:
            break
        spans += [sign(kind, ascii_only=view.ascii_only), Span(text, "muted")]
        used += 1 + cell_len(text)
    return tuple(spans)
