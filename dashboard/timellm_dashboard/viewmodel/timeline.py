"""The timeline: a window of the run, its tracks in columns, and what was done.

Pure: the same view, history, focus and width give the same timeline.
"""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.trace import MarkKind, Trace
from timellm_dashboard.folds.track import Column, Track
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.gpu import Mark
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeaxis import Tick, clock_ticks, run_ticks
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.timeline import TimelineWords, timeline_words

TrackId = Literal["loss", "temperature", "power", "clock", "pace"]
GPU_TRACKS: tuple[TrackId, ...] = ("temperature", "power", "clock")

MARK_ORDER: tuple[MarkKind, ...] = (
    "alert", "pause", "engine", "end", "run", "power_limit", "resume", "epoch", "command", "pace",
    "saved",
)  # fmt: skip
"""Which of several marks in one column is shown: the first one of these."""


class TrackView(Struct, frozen=True, kw_only=True):
    """One value over the window. `columns` has two to a cell where dots are small, else one."""

    id: TrackId
    name: str
    columns: tuple[Column | None, ...]
    faint: tuple[Column | None, ...] = ()
    """Of the loss: the batches, around the smoothed course."""
    levels: tuple[Mark, ...] = ()
    silent: tuple[int, ...] = ()
    """Of the pace: cells in which the engine said nothing for too long."""


class MarkView(Struct, frozen=True, kw_only=True):
    """Something that was done, or that happened, and the cell that it is in."""

    cell: int
    kind: MarkKind


class TimelineView(Struct, frozen=True, kw_only=True):
    """What is drawn. Places are seconds under supervision."""

    message: str
    """Why there is nothing to draw; empty: there is."""
    span: str
    start_s: float
    end_s: float
    cells: int
    tracks: tuple[TrackView, ...]
    small_third: TrackId
    """The track that a small screen shows below loss and temperature."""
    marks: tuple[MarkView, ...]
    ticks: tuple[Tick, ...]
    cuts: tuple[int, ...]
    """Cells in which time is left out, for nobody supervised the run in it."""
    cursor: int | None
    """The cell of the cursor; `None` while it follows the present."""


def timeline(
    view: View,
    history: History,
    look: Look,
    focus: Focus,
    cells: int,
    only: Collection[TrackId] | None = None,
) -> TimelineView:
    """The window of `focus`, `cells` wide. `only`: no tracks but those."""
    trace, words = history.trace, words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    ids = tuple(name for name in _shown(view, trace) if only is None or name in only)
    stretches = trace.stretches(start_s, end_s)
    ticks = clock_ticks(stretches, start_s, end_s, cells, look.zone) or run_ticks(
        start_s, end_s, cells, fmt.brief_duration
    )
    cursor = None
    if focus.cursor_s is not None:
        cursor = cell_of(focus.place(trace.extent_s), start_s, end_s, cells)
    return TimelineView(
        message=_message(view, trace, ids, words),
        span=_span(view, trace, look, focus),
        start_s=start_s,
        end_s=end_s,
        cells=cells,
        tracks=tuple(_track(name, view, history, start_s, end_s, cells, words) for name in ids),
        small_third=_third(trace),
        marks=tuple(
            MarkView(cell=cell_of(mark.x_s, start_s, end_s, cells), kind=mark.kind)
            for mark in trace.marks
            if start_s <= mark.x_s <= end_s
        ),
        ticks=ticks,
        cuts=tuple(cell_of(begin, start_s, end_s, cells) for begin, _ in stretches[1:]),
        cursor=cursor,
    )


def words_of(view: View) -> TimelineWords:
    """The texts that stand beside what is in a timeline."""
    return timeline_words(view.lang, ascii_only=view.ascii_only)


def shown_text(view: View, text: str) -> str:
    """`text` in the characters that the view is in."""
    return to_ascii(text) if view.ascii_only else text


def cell_of(place_s: float, start_s: float, end_s: float, cells: int) -> int:
    """The one of `cells` from `start_s` to `end_s` that a place is in."""
    share = (place_s - start_s) / (end_s - start_s)
    return min(cells - 1, max(0, int(share * cells)))


# --- what there is -------------------------------------------------------------------------------


def track_of(name: TrackId, trace: Trace) -> Track:
    """What was measured; of the loss, its smoothed course."""
    gpu = trace.gpu
    tracks: dict[TrackId, Track] = {
        "loss": trace.losses.smoothed_track, "temperature": gpu.temperature_track,
        "power": gpu.power_track, "clock": gpu.clock_track, "pace": trace.pace,
    }  # fmt: skip
    return tracks[name]


def _shown(view: View, trace: Trace) -> tuple[TrackId, ...]:
    """What was ever measured; without a word on the pace there is nothing that has one."""
    every: tuple[TrackId, ...] = ("loss", *GPU_TRACKS, "pace")
    if view.run.engine == "imported":
        return ()
    return tuple(name for name in every if track_of(name, trace).known)


def _third(trace: Trace) -> TrackId:
    """The pace where a rule has ever set one, or where the card tells no power."""
    return "pace" if trace.lowest_duty < 1.0 or not trace.gpu.power_track.known else "power"


def _message(view: View, trace: Trace, ids: tuple[TrackId, ...], words: TimelineWords) -> str:
    if view.headline.state == "loading":
        return view.words.loading_reason
    if view.run.engine == "imported":
        return words.no_clock
    return "" if ids and trace.extent_s > 0 else words.nothing_yet


def _span(view: View, trace: Trace, look: Look, focus: Focus) -> str:
    words = words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    span = shown_text(view, fmt.duration(end_s - start_s, view.words))
    if end_s - start_s >= trace.extent_s:
        return words.whole_run.format(span=span)
    if focus.end_s is None:
        return words.latest.format(span=span)
    edges = (trace.at(start_s), trace.at(end_s))
    start, end = ("" if at is None else fmt.time_of_day(at, look.zone) for at in edges)
    if not start or not end:
        start, end = fmt.brief_duration(start_s), fmt.brief_duration(end_s)
    return words.stretch.format(start=start, end=end, span=span)


def _track(
    name: TrackId,
    view: View,
    history: History,
    start_s: float,
    end_s: float,
    cells: int,
    words: TimelineWords,
) -> TrackView:
    trace = history.trace
    count = cells if view.ascii_only else 2 * cells
    faint: tuple[Column | None, ...] = ()
    if name == "loss":
        faint = trace.losses.loss_track.columns(start_s, end_s, count)
    return TrackView(
        id=name,
        name=name_of(name, words),
        columns=track_of(name, trace).columns(start_s, end_s, count),
        faint=faint,
        levels=view.gpu.marks if name == "temperature" else (),
        silent=_silent_cells(history, start_s, end_s, cells) if name == "pace" else (),
    )


def _silent_cells(history: History, start_s: float, end_s: float, cells: int) -> tuple[int, ...]:
    found: set[int] = set()
    for stretch in history.silence.stretches:
        until_s = history.trace.extent_s if stretch.end_s is None else stretch.end_s
        if until_s >= start_s and stretch.start_s <= end_s:
            first = cell_of(max(start_s, stretch.start_s), start_s, end_s, cells)
            last = cell_of(min(end_s, until_s), start_s, end_s, cells)
            found.update(range(first, last + 1))
    return tuple(sorted(found))


def name_of(name: TrackId, words: TimelineWords) -> str:
    """A track's name, with its unit."""
    found: str = getattr(words, name)
    return found
