"""The moment in which a line of the log was printed: the run as it was then, and what happened
before and after."""

from datetime import datetime

from rich.cells import cell_len

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.trace import Trace
from timellm_dashboard.lines import Line, Span, clip, line, pad, wrap, wrap_line
from timellm_dashboard.panels.timeline import mark_line
from timellm_dashboard.viewmodel.focus import SHORTEST_SPAN_S, Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeline import name_of, words_of
from timellm_dashboard.viewmodel.timereading import Reading, mark_reading, reading
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.logtimes import LogTimesWords, log_times_words
from timellm_ops.contract import events as ev


def draw_moment(
    view: View,
    history: History,
    look: Look,
    at: datetime | None,
    width: int,
    height: int,
) -> list[Line]:
    """The present (`at` is `None`), or the minute around a moment, in `height` rows."""
    trace = history.trace
    place_s = None if at is None else trace.place(at)
    if not trace.marks or (at is not None and place_s is None):
        return []
    focus = Focus()
    if place_s is not None:
        end_s = place_s + SHORTEST_SPAN_S / 2
        focus = Focus(span_s=SHORTEST_SPAN_S, end_s=end_s, cursor_s=place_s)
    found = reading(view, history, look, focus, 1)
    time = found.text[0] if at is None else fmt.time_of_day(at, look.zone)
    rows: list[Line] = [line(Span(time, "strong"))]
    rows += [line(Span(row, "muted")) for row in wrap(found.into_run, width)]
    if at is not None:
        rows += [line(Span(row, "muted")) for row in wrap(_words(view).minute, width)]
    rows += _values(view, found, _epoch(view, trace, place_s), width)
    here = time if at is None else f"{time} {_words(view).this_line}"
    return [*rows, *_around(view, trace, look, found.place_s, here, width, height - len(rows))][
        :height
    ]


def _words(view: View) -> LogTimesWords:
    return log_times_words(view.lang, ascii_only=view.ascii_only)


def unknown_moment(view: View, *, looking: bool, width: int) -> list[Line]:
    """Why nothing is told of a line's moment."""
    words = _words(view)
    text = words.looking_up if looking else words.no_time
    return [line(Span(row, "muted")) for row in wrap(text, width)]


def _epoch(view: View, trace: Trace, place_s: float | None) -> str:
    """The epoch that was under way; empty where nobody can tell."""
    if place_s is None:
        return view.progress.epoch.label if view.progress.epoch.total is not None else ""
    ended = [m.event.epoch for m in trace.marks
             if m.x_s <= place_s and isinstance(m.event, ev.EpochEnded)]  # fmt: skip
    rows = view.results.rows
    if not ended and rows and rows[0].epoch != 1:
        return ""  # of a very long run, the marks of its first epochs are no longer kept
    epoch = ended[-1] + 1 if ended else 1
    last = rows[-1].epoch if rows and view.outcome is not None else epoch
    return view.words.training_epoch_only.format(epoch=min(epoch, last))


def _values(view: View, found: Reading, epoch: str, width: int) -> list[Line]:
    """Loss, temperature and what else is known, one a row."""
    words = words_of(view)
    pairs = [(name_of(name, words).partition(" ")[0], value.text)
             for name, value in found.values.items()]  # fmt: skip
    cells = max((cell_len(name) for name, _ in pairs), default=0)
    ellipsis = "..." if view.ascii_only else "…"
    rows: list[Line] = [()]
    if epoch:
        rows.append(line(Span(epoch)))
    for name, text in pairs:
        shown = clip(text, width - cells - 2, ellipsis)
        rows.append(line(Span(pad(name, cells), "muted"), "  ", Span(shown)))
    return rows


def _around(
    view: View, trace: Trace, look: Look, place_s: float, here: str, width: int, room: int
) -> list[Line]:
    """What happened before it, the line itself, and what happened after."""
    half = (room - 3) // 2
    if half < 1:
        return []
    before = [mark for mark in trace.marks if mark.x_s <= place_s]
    after = trace.marks[len(before) :]
    shown_after = after[:half]
    shown_before = before[-max(half, room - 3 - len(shown_after)) :]
    ellipsis = "..." if view.ascii_only else "…"
    rows: list[Line] = [(), line(Span(_words(view).around, "accent"))]
    this = line(Span(clip(f"> {here}", width, ellipsis), "strong"))
    told = [mark_reading(mark, view, look) for mark in (*shown_before, *shown_after)]
    blocks = [[mark_line(mark, view, width)] for mark in told]
    spare = room - len(rows) - 1 - len(told)
    # Where there are rows left, the nearest ones are told in full first.
    for index in sorted(range(len(told)), key=lambda i: abs(i - len(shown_before) + 0.5)):
        whole = wrap_line(mark_line(told[index], view), width, indent=_MARK_CELLS)
        if len(whole) - 1 <= spare:
            spare -= len(whole) - 1
            blocks[index] = whole
    blocks.insert(len(shown_before), [this])
    return [*rows, *(row for block in blocks for row in block)]


_MARK_CELLS = 11
"""Before a mark's text: its sign and the time."""
