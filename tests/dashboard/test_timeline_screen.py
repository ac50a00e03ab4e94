"""The timeline screen: how it looks in the states of a run, and what its keys and the mouse do."""

import json
import math
import re
import threading
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from sample_journals import (
    STATES,
    FakeRun,
    Journal,
    end_epoch,
    in_second_epoch,
    loss_at,
    sample,
    training,
)
from screen_text import check_snapshot, dashboard, rows_of, running, until
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from timellm_dashboard.actions.timeline import TIMELINE_ACTIONS
from timellm_dashboard.app import Dashboard
from timellm_dashboard.jsonl import view_json
from timellm_dashboard.panels.timeline import cells_of
from timellm_dashboard.panels.tracks import GUTTER
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.timereading import reading
from timellm_dashboard.widgets.timeline import TimelinePanel
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord

SIZES = ((80, 24), (120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported")


def eventful() -> Journal:
    """A warm evening: a governor, a pause for heat, a slowed card, a supervisor that was gone."""
    journal = training()
    for iteration in range(20, 2_001, 20):
        hot = 700 < iteration <= 1_000
        if iteration == 400:
            reason = (
                "81 °C, rising 2.5 °C a minute, to be held at 82 °C: computing 80 % of the time"
            )
            journal.add(ev.PolicyDecision(action="pace", rule="governor", reason=reason, value=0.8))
            journal.add(ev.Paced(duty=0.8), 0.5)
        if iteration == 1_020:
            journal.add(
                ev.PolicyDecision(
                    action="pause", rule="thermal", reason="86 °C > 85 °C in the last 3 readings",
                    value=86.0, threshold=85.0, until="resumes below 75 °C",
                )
            ).add(ev.Paused(), 0.5)  # fmt: skip
            for minute in range(4):
                journal.add(ev.Telemetry(sample=sample(84.0 - 3 * minute, power_w=21.0)), 60.0)
            journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason="74 °C < 75 °C"))
            journal.add(ev.Resumed(), 0.5)
        if iteration == 1_500:
            journal.add(ev.Adopted(supervisor_pid=4300, engine_pid=4242), 240.0)
        if iteration == 1_600:
            journal.add(ev.Paced(duty=1.0))
        passed = 20 * 0.5 * (1.5 if hot else 1.0) / (0.8 if 400 <= iteration < 1_600 else 1.0)
        celsius = 80.0 + 5 * math.sin(iteration / 90) if iteration > 300 else 50 + iteration / 10
        reasons = ("sw_thermal_slowdown",) if hot else ()
        card = sample(
            round(celsius), throttle_reasons=reasons, power_w=80.0 + iteration % 9,
            sm_clock_mhz=1_100.0 if hot else 1_410.0,
        )  # fmt: skip
        journal.add(ev.Telemetry(sample=card), passed / 2)
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=loss_at(iteration)), passed / 2)
    end_epoch(journal, 1, 0.3912)
    journal.add(ev.Command(who="dashboard", what="pause")).add(ev.Paused(), 0.5)
    journal.add(ev.Command(who="dashboard", what="resume"), 90.0).add(ev.Resumed(), 0.5)
    journal.add(ev.Telemetry(sample=sample(70.0)), 5.0)
    return journal.add(ev.Progress(iteration=20, epoch=2, loss=loss_at(2_020)), 5.0)


def nothing_yet() -> Journal:
    return Journal()


def silent() -> Journal:
    """An engine that has said nothing for ten minutes; the card is still read."""
    journal = in_second_epoch()
    idle = sample(58.0, power_w=24.0, sm_clock_mhz=210.0, utilization_pct=0.0)
    for reading_number in range(60):
        journal.add(ev.Telemetry(sample=idle), 10.0)
        if reading_number == 18:
            reason = "silent for 3 min, usually a record every 10 s, so the engine may hang"
            journal.add(
                ev.PolicyDecision(
                    action="alert", rule="health", reason=reason, value=190.0, threshold=180.0,
                    unit="s", about="no progress",
                )
            )  # fmt: skip
    return journal


JOURNALS: dict[str, Callable[[], Journal]] = {
    **STATES, "eventful": eventful, "waiting": nothing_yet, "silent": silent,
}  # fmt: skip
SHOWN = ("waiting", "starting", "eventful", "telemetry_unknown", "silent", "finished")
OTHERS = ("paused_thermal", "without_gpu", "partly_unknown", "imported", "failed")


def app_of(state: str, *, lang: str = "en", supervised: bool = True, **kind: bool) -> Dashboard:
    journal = JOURNALS[state]()
    source = FakeRun(journal, supervised=supervised and state not in ENDED)
    return dashboard(journal, source, lang=lang, **kind)  # type: ignore[arg-type]


async def open_timeline(app: Dashboard, pilot: Pilot[None]) -> TimelinePanel:
    app.action_act("go_timeline")
    await until(pilot, lambda: bool(app.run_screen.query(TimelinePanel)))
    panel = app.run_screen.query_one(TimelinePanel)
    await until(pilot, lambda: bool(panel._drawn))
    await pilot.pause(0.05)
    return panel


async def do(app: Dashboard, pilot: Pilot[None], *names: str) -> None:
    """What keys would do, without waiting for each."""
    for name in names:
        app.action_act(f"timeline_{name}")
    await pilot.pause(0.03)


async def screen(state: str, size: tuple[int, int], *names: str, **kind: object) -> list[str]:
    app = app_of(state, **kind)  # type: ignore[arg-type]
    async with running(app, size) as pilot:
        await open_timeline(app, pilot)
        await do(app, pilot, *names)
        return rows_of(app)


# --- how it looks --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", SHOWN)
async def test_a_state_looks_as_it_was_found_good(state: str, size: tuple[int, int]) -> None:
    check_snapshot(f"timeline-{state}-{size[0]}x{size[1]}", await screen(state, size))


@pytest.mark.parametrize("state", OTHERS)
async def test_the_other_states_look_good_on_a_small_screen(state: str) -> None:
    check_snapshot(f"timeline-{state}-80x24", await screen(state, (80, 24)))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_cursor_goes_through_all_tracks(size: tuple[int, int]) -> None:
    rows = await screen("eventful", size, *["previous_mark"] * 6, "zoom_in", "left")
    check_snapshot(f"timeline-cursor-{size[0]}x{size[1]}", rows)


async def test_chinese_looks_good_on_a_small_screen() -> None:
    rows = await screen("eventful", (80, 24), "previous_mark", "zoom_in", lang="zh")
    check_snapshot("timeline-eventful-80x24-zh", rows)
    assert {cell_len(row) for row in rows} == {80}


async def test_chinese_lines_up_in_the_table() -> None:
    rows = await screen("eventful", (120, 40), lang="zh")
    check_snapshot("timeline-eventful-120x40-zh", rows)
    assert {cell_len(row) for row in rows} == {120}


async def test_ascii_looks_good_on_a_small_screen() -> None:
    rows = await screen("eventful", (80, 24), "previous_mark", "zoom_in", ascii_only=True)
    check_snapshot("timeline-eventful-80x24-ascii", rows)


@pytest.mark.parametrize("state", ["eventful", "telemetry_unknown", "starting", "imported"])
async def test_in_ascii_there_is_nothing_but_ascii(state: str) -> None:
    rows = await screen(state, (120, 40), "previous_mark", ascii_only=True)
    assert "".join(rows).isascii()


async def test_a_run_that_nobody_supervises_keeps_its_timeline() -> None:
    check_snapshot(
        "timeline-unsupervised-80x24", await screen("training", (80, 24), supervised=False)
    )


async def test_before_the_journal_is_read_the_screen_says_so() -> None:
    may_go_on = threading.Event()

    class Slow(FakeRun):
        def poll(self) -> list[JournalRecord]:
            may_go_on.wait(30)
            return super().poll()

    journal = in_second_epoch()
    app = dashboard(journal, Slow(journal))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "reading the run's journal" in "\n".join(rows_of(app)[3:]))
        may_go_on.set()
        await until(pilot, lambda: "whole run" in "\n".join(rows_of(app)))


async def test_without_colours_nothing_is_said_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = "\n".join(await screen("eventful", (120, 40)))
    for text in ("85 pauses", "‖ pause", "card slowed by heat"):
        assert text in shown


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [(), ("previous_mark", "previous_mark", "zoom_in")])
async def test_no_number_on_the_screen_is_missing_in_the_view_and_the_reading(
    names: tuple[str, ...],
) -> None:
    app = app_of("eventful")
    async with running(app, (200, 50)) as pilot:
        panel = await open_timeline(app, pilot)
        await do(app, pilot, *names)
        rows = rows_of(app)
        history, look = panel._past()
        cells = cells_of(panel.content_size.width)
        there = reading(app.view, history, look, panel.focus_on, cells)
        span = panel._shown.span if panel._shown else ""
    told = " ".join(texts_of(json.loads(view_json(app.view))))
    told += " ".join((*there.text, there.into_run, span, there.mark.text if there.mark else ""))
    told += there.mark.time if there.mark else ""
    known = set(re.findall(r"\d[\d.,]*", told))
    # The axes are the tracks' own, and keys are no numbers.
    shown = "\n".join(rows)
    shown = re.sub(r"\d (?=overview|timeline|log|policies|runs|report)|1-6", "", shown)
    shown = re.sub(r"[\d.,]+│|└.*?│", "", shown)
    shown = re.sub(r"(85) pauses|(75) resumes", "", shown)
    for number in re.findall(r"\d[\d.,]*", shown):
        assert number in known or number.rstrip(",.") in known, number


def texts_of(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {text for item in value.values() for text in texts_of(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts_of(item)}
    return set()


async def test_help_explains_the_timeline_and_its_keys() -> None:
    app = app_of("eventful")
    async with running(app, (120, 200)) as pilot:
        await open_timeline(app, pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: "what the screen says" in "\n".join(rows_of(app)))
        shown = "\n".join(rows_of(app))
    for action in TIMELINE_ACTIONS:
        assert re.search(rf"{re.escape(action.shown_keys)} +{re.escape(action.label.en)} — ", shown)
    assert "Everything on one time axis" in " ".join(shown.split())


# --- keys and mouse ------------------------------------------------------------------------------


async def test_its_keys_are_those_of_the_registry() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        await pilot.press("left", "plus")
        await until(pilot, lambda: panel.focus_on.span_s is not None)
        assert panel.focus_on.cursor_s is not None
        await pilot.press("N", "f")
        await until(pilot, lambda: panel.focus_on.cursor_s is None)
        bound = {key for _, binding, *_ in app.screen.active_bindings.values() for key in [binding]}
        for action in TIMELINE_ACTIONS:
            assert {b.action for b in bound if b.key in action.keys} == {f"app.act('{action.id}')"}


async def test_the_cursor_goes_from_the_present_into_the_past_and_back() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        extent_s = panel._trace.extent_s
        await do(app, pilot, "left")
        first = panel.focus_on.cursor_s
        assert first is not None
        assert first < extent_s
        await do(app, pilot, "left", "left")
        assert (panel.focus_on.cursor_s or 0.0) < first
        assert panel._shown is not None
        assert panel._shown.cursor == cells_of(78) - 4
        await do(app, pilot, "right", "right", "right", "right")
        assert panel.focus_on.cursor_s is None


async def test_n_goes_from_mark_to_mark_and_says_what_it_was() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        seen = []
        for _ in range(4):
            await do(app, pilot, "previous_mark")
            seen.append(rows_of(app)[6].strip())
        assert [row[:10] for row in seen] == [
            "▶ 22:17:42",
            "› 22:17:41",
            "‖ 22:16:11",
            "✓ 22:16:10",
        ]
        place = panel.focus_on.cursor_s
        await do(app, pilot, "next_mark", "previous_mark")
        assert panel.focus_on.cursor_s == place


async def test_zoom_pan_whole_and_now() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        extent_s = panel._trace.extent_s
        await do(app, pilot, "zoom_in", "zoom_in")
        assert panel.focus_on == Focus(span_s=pytest.approx(extent_s / 4))
        assert "last " in rows_of(app)[3]
        await do(app, pilot, "earlier")
        assert panel.focus_on.end_s == pytest.approx(extent_s * 7 / 8)
        await do(app, pilot, "earlier", "later", "later")
        assert panel.focus_on.end_s == pytest.approx(extent_s)
        await do(app, pilot, "zoom_out")
        assert panel.focus_on.span_s == pytest.approx(extent_s / 2)
        await do(app, pilot, "whole")
        assert panel.focus_on.span_s is None
        await do(app, pilot, "now")
        assert panel.focus_on == Focus()


async def test_a_click_sets_the_cursor_and_the_wheel_zooms_there() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        await pilot.click("#tracks", offset=(1 + GUTTER + 20, 6))
        await pilot.pause(0.03)
        assert panel._shown is not None
        assert panel._shown.cursor == 20
        await pilot.click("#tracks", offset=(3, 6))
        assert panel._shown.cursor == 20
        for kind, spans in ((MouseScrollUp, 1), (MouseScrollDown, 0)):
            x, y = panel.content_region.x + GUTTER + 40, panel.content_region.y + 5
            panel.post_message(
                kind(
                    panel,
                    x - panel.region.x,
                    y - panel.region.y,
                    0,
                    0,
                    0,
                    False,
                    False,
                    False,
                    x,
                    y,
                )
            )
            await pilot.pause(0.05)
            assert (panel.focus_on.span_s is not None) is bool(spans)


async def test_the_keys_of_the_last_row_work_by_mouse() -> None:
    app = app_of("eventful")
    async with running(app) as pilot:
        panel = await open_timeline(app, pilot)
        await pilot.click("#key-timeline_zoom_in")
        assert panel.focus_on.span_s is not None


async def test_tracks_are_drawn_anew_only_when_a_column_has_filled() -> None:
    journal = eventful()
    source = FakeRun(journal)
    app = dashboard(journal, source)
    async with running(app, (120, 40)) as pilot:
        panel = await open_timeline(app, pilot)
        drawn = panel._tracks
        reading_ = ev.Telemetry(sample=sample(81.0), at=journal.wall, t=journal.t + 1.0)
        source.waiting.append(JournalRecord(seq=90_000, event=reading_))
        await until(pilot, lambda: "81 °C" in "\n".join(rows_of(app)))
        assert panel._tracks is drawn
        later = ev.Telemetry(sample=sample(82.0), at=journal.wall, t=journal.t + 200.0)
        source.waiting.append(JournalRecord(seq=90_001, event=later))
        await until(pilot, lambda: "82 °C" in "\n".join(rows_of(app)))
        assert panel._tracks is not drawn


async def test_a_screen_that_changes_its_size_is_drawn_for_it() -> None:
    app = app_of("eventful")
    async with running(app, (80, 24)) as pilot:
        await open_timeline(app, pilot)
        for size in ((200, 50), (100, 30), (60, 16), (40, 10), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
        assert "clock MHz" in "\n".join(rows_of(app))
