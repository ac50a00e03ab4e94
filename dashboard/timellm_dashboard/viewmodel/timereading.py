"""What there is at one place of the run: all tracks at the cursor, and the mark nearest to it."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from timellm_dashboard.folds.history import FeedItem, History
from timellm_dashboard.folds.trace import MarkKind, Trace, TraceMark
from timellm_dashboard.folds.track import Track
from timellm_dashboard.viewmodel.feed import Severity, told
from timellm_dashboard.viewmodel.figure import Figure
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.gpu import ABSENT
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeline import (
    GPU_TRACKS,
    TrackId,
    cell_of,
    name_of,
    shown_text,
    track_of,
    words_of,
)
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.timeline import TimelineWords


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


def reading(view: View, history: History, look: Look, focus: Focus, cells: int) -> Reading:
    """What there is at the cursor, or at present."""
    trace, words = history.trace, words_of(view)
    start_s, end_s = focus.window(trace.extent_s)
    place_s = focus.place(trace.extent_s)
    width_s = (end_s - start_s) / max(1, cells)
    low_s = start_s + cell_of(place_s, start_s, end_s, cells) * width_s
    cell = None if focus.cursor_s is None else (low_s, low_s + width_s)
    at = trace.at(place_s)
    values = _values(view, history, cell)
    mark = nearest_mark(trace, place_s)
    into_run = words.into_run.format(time=shown_text(view, fmt.duration(place_s, view.words)))
    time = "" if at is None else fmt.time_of_day(at, look.zone)
    return Reading(
        place_s=place_s,
        at=at,
        time=time,
        into_run=into_run,
        values=values,
        mark=None if mark is None else mark_reading(mark, view, look),
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


def _bare(name: TrackId, words: TimelineWords) -> str:
    """A track's name without its unit, which stands beside the value."""
    return name_of(name, words).partition(" ")[0]


def _values(
    view: View, history: History, cell: tuple[float, float] | None
) -> dict[TrackId, Figure]:
    """From the lowest to the highest value in `cell`, or the newest one."""
    trace = history.trace
    words, nothing = words_of(view), shown_text(view, "—")
    writers: dict[TrackId, tuple[Callable[[float], str], str]] = {
        "temperature": (fmt.number, shown_text(view, " °C")),
        "power": (lambda watts: f"{watts:.0f}", " W"),
        "clock": (fmt.count, " MHz"),
        "pace": (lambda share: f"{share * 100:.0f}", " %"),
    }
    gpu = view.gpu.telemetry not in ABSENT or any(track_of(n, trace).known for n in GPU_TRACKS)
    values: dict[TrackId, Figure] = {"loss": _loss(view, trace, cell)}
    for name, (write, unit) in writers.items():
        if name in GPU_TRACKS and not gpu:
            continue
        found = _there(track_of(name, trace), cell)
        if name == "pace" and found is None and _is_silent(history, cell):
            values[name] = Figure(None, words.silent)
        elif found is None:
            values[name] = Figure(None, nothing if name == "pace" else words.unknown)
        else:
            text = _range(*found, write, unit, view)
            values[name] = Figure((found[0] + found[1]) / 2, text)
    return values


def _is_silent(history: History, cell: tuple[float, float] | None) -> bool:
    """Whether the engine said nothing for too long in `cell`, or does so at present."""
    if cell is None:
        return history.silence.began_s is not None
    return any(
        stretch.start_s < cell[1] and (stretch.end_s is None or stretch.end_s > cell[0])
        for stretch in history.silence.stretches
    )


def _there(track: Track, cell: tuple[float, float] | None) -> tuple[float, float] | None:
    if cell is not None:
        return track.between(*cell)
    return None if track.latest is None else (track.latest, track.latest)


def _loss(view: View, trace: Trace, cell: tuple[float, float] | None) -> Figure:
    """The smoothed loss and, where the batches were not all alike, theirs."""
    if cell is None and view.loss.smoothed.value is not None:
        smoothed, batches = view.loss.smoothed, view.loss.raw.text
    else:
        course = _there(trace.losses.smoothed_track, cell)
        raw = _there(trace.losses.loss_track, cell)
        if course is None or raw is None:
            return Figure(None, shown_text(view, "—"))
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
    return f"{first}{unit}" if first == last else shown_text(view, f"{first}–{last}{unit}")


def mark_reading(mark: TraceMark, view: View, look: Look) -> MarkReading:
    """The mark in words."""
    severity, text = told(FeedItem(mark.seq, mark.event, mark.seconds), look)
    at = mark.event.at
    return MarkReading(
        kind=mark.kind,
        at=at,
        time="" if at is None else fmt.time_of_day(at, look.zone),
        severity=severity,
        text=shown_text(view, text),
    )
