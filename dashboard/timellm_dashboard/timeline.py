"""The timeline: a window of the run, its tracks in columns, what was done, and one reading.

Pure: the same view, history, focus and width give the same timeline.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from timellm_dashboard import format as fmt
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.feed import Severity, told
from timellm_dashboard.figure import Figure
from timellm_dashboard.focus import Focus
from timellm_dashboard.gpu import Mark
from timellm_dashboard.history import FeedItem, History
from timellm_dashboard.look import Look
from timellm_dashboard.text_timeline import TimelineWords, timeline_words
from timellm_dashboard.timeaxis import Tick, clock_ticks, run_ticks
from timellm_dashboard.trace import MarkKind, Trace, TraceMark
from timellm_dashboard.track import Column, Track
from timellm_dashboard.view import View

TrackId = Literal["loss", "temperature", "power", "clock", "pace"]
GPU_TRACKS: tuple[TrackId, ...] = ("temperature", "power", "clock")

MARK_ORDER: tuple[MarkKind, ...] = (
    "alert", "pause", "engine", "run", "power_limit", "resume", "epoch", "command", "pace", "saved",
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


class MarkView(Struct, frozen=True, kw_only=True):
    """Something that was done, or that happened, and the cell that it is in."""

    cell: int
    kind: MarkKind


class MarkReading(Struct, frozen=True, kw_only=True):
    """A mark in words. `time` is empty where nobody knows when it was."""

    kind: MarkKind
    at: datetime | None
    time: str
    severity: Severity
    text: str


class Reading(Struct, frozen=True, kw_only=True):
    """All tracks at one place: what lies in the cell of the cursor, lowest to highest."""

    place_s: float
    at: datetime | None
    time: str
    into_run: str
    values: dict[TrackId, Figure]
    mark: MarkReading | None
    """The one that is nearest to the cursor."""
    text: tuple[str, ...]
    """Clock time and values in parts, the most important first."""


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


def timeline(view: View, history: History, look: Look, focus: Focus, cells: int) -> TimelineView:
    """The window of `focus`, `cells` wide."""
    trace, words = history.trace, words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    ids = _shown(view, trace)
    stretches = trace.stretches(start_s, end_s)
    ticks = clock_ticks(stretches, start_s, end_s, cells, look.zone) or run_ticks(
        start_s, end_s, cells, fmt.brief_duration
    )
    cursor = None
    if focus.cursor_s is not None:
        cursor = _cell(focus.place(trace.extent_s), start_s, end_s, cells)
    return TimelineView(
        message=_message(view, trace, ids, words),
        span=_span(view, trace, look, focus),
        start_s=start_s,
        end_s=end_s,
        cells=cells,
        tracks=tuple(_track(name, view, trace, start_s, end_s, cells, words) for name in ids),
        small_third=_third(trace),
        marks=tuple(
            MarkView(cell=_cell(mark.x_s, start_s, end_s, cells), kind=mark.kind)
            for mark in trace.marks
            if start_s <= mark.x_s <= end_s
        ),
        ticks=ticks,
        cuts=tuple(_cell(begin, start_s, end_s, cells) for begin, _ in stretches[1:]),
        cursor=cursor,
    )


def reading(view: View, history: History, look: Look, focus: Focus, cells: int) -> Reading:
    """What there is at the cursor, or at present."""
    trace, words = history.trace, words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    place_s = focus.place(trace.extent_s)
    width_s = (end_s - start_s) / max(1, cells)
    low_s = start_s + _cell(place_s, start_s, end_s, cells) * width_s
    cell = None if focus.cursor_s is None else (low_s, low_s + width_s)
    at = trace.at(place_s)
    values = _values(view, trace, cell)
    mark = nearest_mark(trace, place_s)
    into_run = words.into_run.format(time=_shown_text(view, fmt.duration(place_s, view.words)))
    time = "" if at is None else fmt.time_of_day(at, look.zone)
    return Reading(
        place_s=place_s,
        at=at,
        time=time,
        into_run=into_run,
        values=values,
        mark=None if mark is None else _mark_reading(mark, view, look),
        text=(
            " ".join(part for part in (time, _which(view, focus, words)) if part),
            *(f"{_bare(name, words)} {figure.text}" for name, figure in values.items()),
        ),
    )


def _which(view: View, focus: Focus, words: TimelineWords) -> str:
    """That a reading is of the present, or of the last that was seen of the run."""
    if focus.cursor_s is not None:
        return ""
    over = view.outcome is not None or view.headline.state == "unsupervised"
    return words.last if over else words.now


def nearest_mark(trace: Trace, place_s: float) -> TraceMark | None:
    """The mark whose place is nearest to `place_s`; of several, the newest."""
    return min(reversed(trace.marks), key=lambda mark: abs(mark.x_s - place_s), default=None)


def neighbour_mark(trace: Trace, place_s: float, by: Literal[1, -1]) -> float | None:
    """The place of the next mark after `place_s`, or of the one before it. Marks in one place are
    one."""
    places = [mark.x_s for mark in trace.marks]
    if by > 0:
        return min((x for x in places if x > place_s), default=None)
    return max((x for x in places if x < place_s), default=None)


def words_of(view: View) -> TimelineWords:
    """The texts that stand beside what is in a timeline."""
    return timeline_words(view.lang, ascii_only=view.ascii_only)


def _shown_text(view: View, text: str) -> str:
    return to_ascii(text) if view.ascii_only else text


def _cell(place_s: float, start_s: float, end_s: float, cells: int) -> int:
    share = (place_s - start_s) / (end_s - start_s)
    return min(cells - 1, max(0, int(share * cells)))


# --- what there is -------------------------------------------------------------------------------


def _track_of(name: TrackId, trace: Trace) -> Track:
    tracks: dict[TrackId, Track] = {
        "loss": trace.smoothed_loss, "temperature": trace.temperature, "power": trace.power,
        "clock": trace.clock, "pace": trace.pace,
    }  # fmt: skip
    return tracks[name]


def _shown(view: View, trace: Trace) -> tuple[TrackId, ...]:
    """What was ever measured; without a word on the pace there is nothing that has one."""
    every: tuple[TrackId, ...] = ("loss", *GPU_TRACKS, "pace")
    if view.run.engine == "imported":
        return ()
    return tuple(name for name in every if _track_of(name, trace).known)


def _third(trace: Trace) -> TrackId:
    """The pace where a rule has ever set one, or where the card tells no power."""
    return "pace" if trace.lowest_duty < 1.0 or not trace.power.known else "power"


def _message(view: View, trace: Trace, ids: tuple[TrackId, ...], words: TimelineWords) -> str:
    if view.headline.state == "loading":
        return view.words.loading_reason
    if view.run.engine == "imported":
        return words.no_clock
    return "" if ids and trace.extent_s > 0 else words.nothing_yet


def _span(view: View, trace: Trace, look: Look, focus: Focus) -> str:
    words = words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    span = _shown_text(view, fmt.duration(end_s - start_s, view.words))
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
    trace: Trace,
    start_s: float,
    end_s: float,
    cells: int,
    words: TimelineWords,
) -> TrackView:
    count = cells if view.ascii_only else 2 * cells
    faint: tuple[Column | None, ...] = ()
    if name == "loss":
        faint = trace.loss.columns(start_s, end_s, count)
    return TrackView(
        id=name,
        name=_name(name, words),
        columns=_track_of(name, trace).columns(start_s, end_s, count),
        faint=faint,
        levels=view.gpu.marks if name == "temperature" else (),
    )


def _name(name: TrackId, words: TimelineWords) -> str:
    found: str = getattr(words, name)
    return found


def _bare(name: TrackId, words: TimelineWords) -> str:
    """A track's name without its unit, which stands beside the value."""
    return _name(name, words).partition(" ")[0]


# --- what is at one place ------------------------------------------------------------------------


def _values(view: View, trace: Trace, cell: tuple[float, float] | None) -> dict[TrackId, Figure]:
    """From the lowest to the highest value in `cell`, or the newest one."""
    words, nothing = words_of(view), _shown_text(view, "—")
    writers: dict[TrackId, tuple[Callable[[float], str], str]] = {
        "temperature": (fmt.number, _shown_text(view, " °C")),
        "power": (lambda watts: f"{watts:.0f}", " W"),
        "clock": (fmt.count, " MHz"),
        "pace": (lambda share: f"{share * 100:.0f}", " %"),
    }
    gpu = view.gpu.telemetry != "none" or any(_track_of(n, trace).known for n in GPU_TRACKS)
    values: dict[TrackId, Figure] = {"loss": _loss(view, trace, cell)}
    for name, (write, unit) in writers.items():
        if name in GPU_TRACKS and not gpu:
            continue
        found = _there(_track_of(name, trace), cell)
        if found is None:
            values[name] = Figure(None, nothing if name == "pace" else words.unknown)
        else:
            text = _range(*found, write, unit, view)
            values[name] = Figure((found[0] + found[1]) / 2, text)
    return values


def _there(track: Track, cell: tuple[float, float] | None) -> tuple[float, float] | None:
    if cell is not None:
        return track.between(*cell)
    return None if track.latest is None else (track.latest, track.latest)


def _loss(view: View, trace: Trace, cell: tuple[float, float] | None) -> Figure:
    """The smoothed loss and, where the batches were not all alike, theirs."""
    if cell is None and view.loss.smoothed.value is not None:
        smoothed, batches = view.loss.smoothed, view.loss.raw.text
    else:
        course = _there(trace.smoothed_loss, cell)
        raw = _there(trace.loss, cell)
        if course is None or raw is None:
            return Figure(None, _shown_text(view, "—"))
        text = _range(*course, fmt.loss, "", view)
        smoothed = Figure((course[0] + course[1]) / 2, text)
        batches = _range(*raw, fmt.loss, "", view)
    if batches == smoothed.text:
        return smoothed
    return Figure(
        smoothed.value, words_of(view).batches.format(loss=smoothed.text, batches=batches)
    )


def _range(low: float, high: float, write: Callable[[float], str], unit: str, view: View) -> str:
    """`72 °C`, or `72–84 °C` where both lie in the cursor's cell."""
    first, last = write(low), write(high)
    return f"{first}{unit}" if first == last else _shown_text(view, f"{first}–{last}{unit}")


def _mark_reading(mark: TraceMark, view: View, look: Look) -> MarkReading:
    severity, text = told(FeedItem(mark.seq, mark.event, mark.seconds), look)
    at = mark.event.at
    return MarkReading(
        kind=mark.kind,
        at=at,
        time="" if at is None else fmt.time_of_day(at, look.zone),
        severity=severity,
        text=_shown_text(view, text),
    )
