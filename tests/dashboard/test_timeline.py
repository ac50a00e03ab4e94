"""The run along its own time: what is shown of a window, and what is read at a place of it."""

import re
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from rich.cells import cell_len
from sample_journals import (
    STATES,
    ZONE,
    Journal,
    Limits,
    imported,
    in_second_epoch,
    paused_thermal,
    sample,
    started,
    telemetry_unknown,
    training,
    without_gpu,
)
from test_languages import placeholders
from test_timeline_screen import eventful

from timellm_dashboard.folds.history import FeedItem
from timellm_dashboard.folds.trace import KEPT_ANCHORS, KEPT_MARKS, MarkKind, Trace
from timellm_dashboard.lines import Span, text_of, width_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.ledger import draw_ledger, draw_ledger_line
from timellm_dashboard.panels.timeline import (
    cells_of,
    clock_row,
    draw_reading,
    draw_timeline,
    draw_tracks,
    sign,
)
from timellm_dashboard.panels.tracks import GUTTER, draw_track, put
from timellm_dashboard.plain import page
from timellm_dashboard.viewmodel.feed import told
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeaxis import clock_ticks
from timellm_dashboard.viewmodel.timeline import MARK_ORDER, TimelineView, timeline
from timellm_dashboard.viewmodel.timereading import Reading, nearest_mark, neighbour_mark, reading
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_dashboard.words.timeline import TimelineWords, timeline_words
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

CELLS = 100


class Seen:
    """A journal, taken in and looked at."""

    def __init__(self, journal: Journal, *, ascii_only: bool = False, lang: str = "en") -> None:
        self.recorder = Recorder()
        self.recorder.take(journal.records)
        self.look = Look(
            zone=ZONE,
            ascii_only=ascii_only,
            lang=lang,
            limits=lambda _: Limits(),  # type: ignore[arg-type]
        )
        moment = Moment(t=journal.t, wall=journal.wall)
        self.view: View = self.recorder.view(moment, self.look)
        self.trace: Trace = self.recorder.history.trace

    def timeline(self, focus: Focus | None = None, cells: int = CELLS) -> TimelineView:
        return timeline(self.view, self.recorder.history, self.look, focus or Focus(), cells)

    def reading(self, focus: Focus | None = None, cells: int = CELLS) -> Reading:
        return reading(self.view, self.recorder.history, self.look, focus or Focus(), cells)


# --- what is shown -------------------------------------------------------------------------------


def test_every_value_that_was_ever_measured_has_a_track() -> None:
    shown = Seen(in_second_epoch()).timeline()
    assert [t.id for t in shown.tracks] == ["loss", "temperature", "power", "clock", "pace"]
    assert [t.id for t in Seen(without_gpu()).timeline().tracks] == ["loss", "pace"]
    assert {len(t.columns) for t in shown.tracks} == {2 * CELLS}
    assert len(Seen(in_second_epoch(), ascii_only=True).timeline().tracks[0].columns) == CELLS


def test_the_third_track_of_a_small_screen_is_the_pace_once_a_rule_has_set_one() -> None:
    journal = in_second_epoch()
    assert Seen(journal).timeline().small_third == "power"
    assert Seen(journal.add(ev.Paced(duty=0.8))).timeline().small_third == "pace"
    assert Seen(without_gpu()).timeline().small_third == "pace"


def test_a_time_in_which_the_card_could_not_be_read_is_a_gap_in_its_tracks() -> None:
    journal = in_second_epoch()
    at_s = Seen(journal).trace.extent_s
    journal.add(ev.TelemetryLost(reason="x"), 1.0).add(ev.TelemetryLost(reason="x"), 300.0)
    journal.add(ev.Telemetry(sample=sample(71.0)), 1.0)
    seen = Seen(journal)
    focus = Focus(span_s=400.0)
    temperature = next(t for t in seen.timeline(focus).tracks if t.id == "temperature")
    start_s, end_s = focus.window(seen.trace.extent_s)
    gap = range(
        int((at_s + 10 - start_s) / (end_s - start_s) * 2 * CELLS),
        int((at_s + 290 - start_s) / (end_s - start_s) * 2 * CELLS),
    )
    assert {temperature.columns[index] for index in gap} == {None}
    assert not next(c for c in reversed(temperature.columns) if c is not None).joined
    there = seen.reading(focus.at(at_s + 150.0, seen.trace.extent_s))
    assert there.values["temperature"].text == "unknown"
    assert there.values["pace"].text == "100 %"


def test_a_value_that_the_card_never_tells_is_unknown_and_has_no_track() -> None:
    journal = training()
    for _ in range(20):
        journal.add(ev.Telemetry(sample=sample(70.0, sm_clock_mhz=None)), 1.0)
    seen = Seen(started().add(ev.Telemetry(sample=sample(70.0, sm_clock_mhz=None)), 5.0))
    assert "clock" not in [track.id for track in seen.timeline().tracks]
    assert seen.reading().values["clock"].text == "unknown"


def test_an_imported_log_has_no_clock_and_says_so() -> None:
    shown = Seen(imported()).timeline()
    assert shown.message == "an imported log has no clock, and so no timeline"
    assert shown.tracks == ()


def test_of_one_action_there_is_one_mark() -> None:
    journal = paused_thermal()
    journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason="x"), 60.0)
    journal.add(ev.Resumed(), 0.5)
    kinds = [mark.kind for mark in Seen(journal).trace.marks]
    assert kinds == ["run", "epoch", "saved", "saved", "saved", "pause", "resume"]


@pytest.mark.parametrize(
    ("state", "kind"), [("finished", "end"), ("stopped", "end"), ("failed", "engine")]
)
def test_an_end_does_not_look_like_a_beginning(state: str, kind: str) -> None:
    marks = Seen(STATES[state]()).trace.marks
    assert (marks[0].kind, marks[-1].kind) == ("run", kind)
    for ascii_only in (False, True):
        glyphs = [sign(each, ascii_only=ascii_only).text for each in get_args(MarkKind)]
        assert len(set(glyphs)) == len(glyphs)


def test_marks_of_one_kind_push_out_none_of_another() -> None:
    journal = paused_thermal()
    for step in range(3 * KEPT_MARKS):
        journal.add(ev.Paced(duty=0.5 + step % 50 / 100), 1.0)
    trace = Seen(journal).trace
    assert len([m for m in trace.marks if m.kind == "pace"]) == KEPT_MARKS
    assert [m.kind for m in trace.marks if m.kind != "pace"][-1] == "pause"
    assert [m.seq for m in trace.marks] == sorted(m.seq for m in trace.marks)


def test_a_clock_that_keeps_jumping_is_bounded_too() -> None:
    journal, jump = in_second_epoch(), timedelta()
    for hour in range(2 * KEPT_ANCHORS):
        jump += timedelta(minutes=hour)
        journal.add(ev.Telemetry(sample=sample(70.0)), 60.0)
        last = journal.records[-1]
        moved = replace(last.event, at=journal.wall + jump)
        journal.records[-1] = replace(last, event=moved)
    trace = Seen(journal).trace
    assert len(trace._anchors) <= KEPT_ANCHORS
    assert trace.at(trace.extent_s) == journal.wall + jump


# --- what is read --------------------------------------------------------------------------------


def test_at_present_the_newest_values_are_read_and_the_newest_mark() -> None:
    there = Seen(paused_thermal()).reading()
    assert {name: figure.text for name, figure in there.values.items()} == {
        "loss": "0.3438 (batch 0.4488)",
        "temperature": "83 °C",
        "power": "22 W",
        "clock": "1,410 MHz",
        "pace": "0 %",
    }
    assert there.text[0] == "22:14:36 now"
    assert there.mark is not None
    assert there.mark.text.startswith("thermal: pause · 86 °C > 85 °C")


def test_the_cursor_reads_all_that_lies_in_its_cell_lowest_to_highest() -> None:
    journal = training()
    start_s = Seen(journal).trace.extent_s
    for celsius in (70, 75, 72, 60, 61, 62):
        journal.add(ev.Telemetry(sample=sample(float(celsius))), 10.0)
    seen = Seen(journal)
    cells = 2
    focus = Focus(span_s=60.0).at(start_s + 10.0, seen.trace.extent_s)
    assert focus.window(seen.trace.extent_s) == (start_s, start_s + 60.0)
    assert seen.reading(focus, cells).values["temperature"].text == "70–75 °C"


def test_time_without_a_supervisor_has_no_width_and_the_clock_is_right_on_both_sides() -> None:
    journal = in_second_epoch()
    seen = Seen(journal)
    end_s, ended = seen.trace.extent_s, journal.wall
    journal.add(ev.RunEnded(outcome="stopped", exit_code=0, reason="x"))
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 8 * 3_600.0)
    journal.add(ev.Telemetry(sample=sample(50.0)), 100.0)
    seen = Seen(journal)
    assert seen.trace.extent_s == pytest.approx(end_s + 100.0)
    assert seen.trace.at(end_s - 60.0) == ended - timedelta(seconds=60)
    assert seen.trace.at(end_s + 60.0) == ended + timedelta(hours=8, seconds=60)
    shown = seen.timeline(Focus(span_s=200.0))
    assert list(shown.cuts) == [CELLS // 2]
    hours = [(tick.column < CELLS // 2, tick.text[:3]) for tick in shown.ticks]
    assert set(hours) == {(True, "22:"), (False, "06:")}
    assert len(hours) >= 4
    drawn = text_of(clock_row(shown, ascii_only=False))[GUTTER:]
    assert drawn[CELLS // 2] == "╱"
    assert re.fullmatch(r"(┴\d\d:\d\d(:\d\d)?|[─╱▲])+", drawn), "no label is cut by it"


def test_the_nearest_mark_and_the_ways_to_the_next_ones() -> None:
    trace = Seen(paused_thermal()).trace
    marks = trace.marks
    assert nearest_mark(trace, 0.0) == marks[0]
    assert nearest_mark(trace, trace.extent_s) == marks[-1]
    places, here = [], 0.0
    while (following := neighbour_mark(trace, here, 1)) is not None:
        places.append(following)
        here = following
    assert places == sorted({mark.x_s for mark in marks if mark.x_s > 0})
    assert neighbour_mark(trace, here, -1) == places[-2]


@pytest.mark.parametrize("state", sorted(STATES))
def test_whatever_is_marked_has_words(state: str) -> None:
    seen = Seen(STATES[state](), lang="zh")
    for mark in seen.trace.marks:
        assert told(FeedItem(mark.seq, mark.event, mark.seconds), seen.look)[1]


# --- the axis ------------------------------------------------------------------------------------


@given(st.floats(60.0, 90_000.0), st.integers(20, 190), st.floats(0.0, 1e6))
def test_clock_times_do_not_touch_and_stand_where_they_are(
    span_s: float, cells: int, start: float
) -> None:
    epoch_s = 1_769_867_103.0
    ticks = clock_ticks([(start, epoch_s)], start, start + span_s, cells, ZONE)
    end = 0
    for tick in ticks:
        assert tick.column >= end
        end = tick.column + 1 + len(tick.text)
        assert end <= cells
        hours, minutes, *seconds = map(int, tick.text.split(":"))
        shown_s = hours * 3600 + minutes * 60 + sum(seconds)
        cell_s = span_s / cells
        there_s = (start + (tick.column + 0.5) * cell_s + epoch_s + 8 * 3600) % 86_400
        apart_s = abs(there_s - shown_s)
        assert min(apart_s, 86_400 - apart_s) <= cell_s + 1e-3


# --- the drawing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(set(STATES) - {"imported"}))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_row_fills_its_width_in_cells_with_the_cursor_in_one_column(
    state: str, lang: str
) -> None:
    seen = Seen(STATES[state](), lang=lang)
    for width, height in ((78, 16), (116, 22), (196, 30)):
        cells = cells_of(width)
        focus = Focus().at(seen.trace.extent_s / 2, seen.trace.extent_s)
        shown = seen.timeline(focus, cells)
        rows = draw_tracks(shown, seen.view, height)
        legend = height + 2 >= 20
        assert len(rows) == height
        assert {width_of(row) for row in (rows[:-1] if legend else rows)} == {width}
        assert shown.cursor is not None
        columns = [at_cell(text_of(row), width - cells + shown.cursor) for row in rows]
        assert columns.count("│") >= height - 2 - legend - 1
        assert max(map(width_of, draw_reading(seen.reading(focus, cells), seen.view, width))) <= (
            width
        )


def at_cell(text: str, cell: int) -> str:
    here = 0
    for character in text:
        if here == cell:
            return character
        here += cell_len(character)
    return ""


@given(st.text("ab ", min_size=1, max_size=30), st.integers(0, 29), st.sampled_from(["│", "温度"]))
def test_what_is_put_over_a_row_changes_no_other_cell(text: str, cell: int, over: str) -> None:
    size = cell_len(over)
    if cell + size > len(text):
        return
    row = put((Span(text[:3]), Span(text[3:], "accent")), cell, over, "held")
    assert text_of(row) == text[:cell] + over + text[cell + size :]


def test_the_limits_of_temperature_are_marked_in_words() -> None:
    seen = Seen(in_second_epoch())
    drawn = "\n".join(map(text_of, draw_tracks(seen.timeline(), seen.view, 20)))
    assert "85 pauses" in drawn
    assert "75 resumes" in drawn


@pytest.mark.parametrize("cells", [110, 185])
def test_a_limit_is_named_wherever_there_is_room_in_its_row(cells: int) -> None:
    seen = Seen(eventful())
    (track,) = (t for t in seen.timeline(cells=cells).tracks if t.id == "temperature")
    drawn = "\n".join(map(text_of, draw_track(track, cells, 6, None, ascii_only=False)))
    assert "85 pauses" in drawn
    assert "75 resumes" in drawn


@pytest.mark.parametrize("cells", [44, 70, 110])
@pytest.mark.parametrize("state", ["training", "paused_thermal", "finished", "telemetry_unknown"])
def test_on_a_low_track_a_limit_that_a_course_runs_along_is_named_beside_its_line(
    state: str, cells: int
) -> None:
    seen = Seen(STATES[state]())
    (track,) = (t for t in seen.timeline(cells=cells).tracks if t.id == "temperature")
    rows = [text_of(row) for row in draw_track(track, cells, 4, None, ascii_only=False)]
    (pauses,) = (index for index, row in enumerate(rows) if "85 pauses" in row)
    (resumes,) = (index for index, row in enumerate(rows) if "75 resumes" in row)
    assert (pauses, resumes) in ((0, 1), (0, 2))
    for faint in rows:
        assert cell_len(faint) == GUTTER + cells


@pytest.mark.parametrize("lang", ["en", "zh"])
@given(st.integers(3, 60))
def test_no_two_tracks_touch_and_each_has_its_name(lang: str, height: int) -> None:
    seen = Seen(in_second_epoch(), lang=lang)
    rows = [text_of(row) for row in draw_tracks(seen.timeline(), seen.view, height)]
    assert len(rows) <= height
    assert {cell_len(row) for row in rows} <= {GUTTER + CELLS, *map(cell_len, rows[-1:])}
    parts = [re.split("[│┤]", row, maxsplit=1) for row in rows if re.search("[│┤]", row)]
    gutters = [gutter.strip() for gutter, _ in parts]
    names = [track.name for track in seen.timeline().tracks if track.name in gutters]
    empty = [not plot.strip() for _, plot in parts]
    assert empty.count(True) >= len(names) - 1
    if height >= 21:
        assert len(names) == 5


def test_where_the_card_cannot_be_read_the_track_says_why() -> None:
    seen = Seen(telemetry_unknown().add(ev.TelemetryLost(reason="it hangs"), 120.0))
    shown = seen.timeline(Focus(span_s=60.0))
    drawn = [text_of(row) for row in draw_tracks(shown, seen.view, 20)]
    assert any("unknown: it hangs" in row for row in drawn)


# --- the ledger ----------------------------------------------------------------------------------


def governed() -> Journal:
    """Everything that takes time, one after the other."""
    journal = training()
    for iteration in range(10, 400, 10):
        reasons = ("sw_thermal_slowdown",) if iteration > 200 else ()
        step_s = 0.75 if reasons else 0.5
        if iteration == 300:
            journal.add(ev.Paced(duty=0.5))
        for _ in range(2):
            reading_ = sample(80.0, throttle_reasons=reasons)
            journal.add(ev.Telemetry(sample=reading_), 5 * step_s)
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5))
    journal.add(ev.Command(who="cli", what="pause")).add(ev.Paused(), 0.5)
    return journal.add(ev.Command(who="cli", what="resume"), 600.0).add(ev.Resumed(), 0.5)


def test_the_ledger_names_what_took_most_first_and_what_it_costs_ahead() -> None:
    ledger = Seen(governed()).view.ledger
    assert [row.cause for row in ledger.rows] == ["user", "pace", "heat"]
    assert ledger.rows[0].lost.text == "10 min 00 s"
    assert ledger.total.lost.value == pytest.approx(sum(row.lost.value or 0 for row in ledger.rows))
    # What a person did once is no rate.
    assert ledger.rows[0].ahead.value is None
    assert ledger.total.ahead.value == pytest.approx(
        sum(row.ahead.value or 0 for row in ledger.rows)
    )
    assert ledger.line.startswith("lost 10 min 58 s (76 %) · ")
    assert "more by the end at the last hour's rate" in ledger.line
    spent = {figure.text.split()[0] for figure in ledger.spent}
    assert spent == {"training", "evaluating", "loading", "paused"}


def test_what_a_slowdown_cost_may_be_unknown_and_the_sum_says_so() -> None:
    journal = training()
    for iteration in range(10, 200, 10):
        journal.add(ev.Telemetry(sample=sample(80.0, throttle_reasons=("sw_power_cap",))), 2.5)
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5), 2.5)
    seen = Seen(journal)
    assert seen.view.ledger.rows[0].lost.text == "unknown"
    assert seen.view.ledger.total.lost.text.startswith("at least")
    assert "card at its power limit" in text_of(draw_ledger_line(seen.view, 78))
    assert "cost unknown" in text_of(draw_ledger_line(seen.view, 78))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 78, 116, 196])
def test_the_table_lines_up_and_loses_its_last_columns_first(lang: str, width: int) -> None:
    seen = Seen(governed(), lang=lang)
    rows = draw_ledger(seen.view, width, 8)
    assert len({width_of(row) for row in rows[:-1]}) == 1
    assert max(map(width_of, rows)) <= width
    assert len(rows) == 6


def test_a_run_that_lost_nothing_says_so() -> None:
    seen = Seen(in_second_epoch())
    assert seen.view.ledger.line == "nothing lost to heat, power, pace or pauses"
    assert Seen(started()).recorder.state != RunState()


def test_the_whole_timeline_is_its_reading_and_its_tracks() -> None:
    seen = Seen(governed())
    history = seen.recorder.history
    rows = draw_timeline(seen.view, history, seen.look, Focus(), 116, 24)
    assert len(rows) == 24
    assert rows[:2] == draw_reading(seen.reading(cells=cells_of(116)), seen.view, 116)
    logged = Seen(imported())
    message = draw_timeline(logged.view, logged.recorder.history, logged.look, Focus(), 116, 24)
    assert [text_of(row) for row in message] == [logged.timeline().message]


# --- the words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in fields(TimelineWords)])
def test_both_languages_have_the_text_with_the_same_blanks(name: str) -> None:
    english, chinese = getattr(timeline_words("en"), name), getattr(timeline_words("zh"), name)
    assert english
    assert chinese
    assert placeholders(english) == placeholders(chinese)
    assert getattr(timeline_words("zh", ascii_only=True), name).isascii()


def test_every_kind_of_mark_has_a_name_and_a_sign_of_its_own_also_in_ascii() -> None:
    kinds = get_args(MarkKind)
    assert set(MARK_ORDER) == set(kinds)
    for ascii_only in (False, True):
        signs = [sign(kind, ascii_only=ascii_only).text for kind in kinds]
        assert len(set(signs)) == len(kinds)
        assert {cell_len(text) for text in signs} == {1}
    for kind in kinds:
        assert getattr(timeline_words("en"), f"kind_{kind}")


def test_the_plain_page_has_the_ledger_where_something_was_lost() -> None:
    title = timeline_words("en").ledger
    lost = page(Seen(governed()).view)
    assert title in lost
    assert "pace below 100 %" in lost
    assert max(map(len, lost.splitlines())) <= 100 + 2
    assert title not in page(Seen(in_second_epoch()).view)
