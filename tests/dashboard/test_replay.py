"""The replay: which records are due when, its clock, and the dashboard in front of it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_journals import (
    BOOT_T,
    START,
    ZONE,
    Journal,
    Limits,
    finished,
    imported,
    paused_thermal,
    stopped,
    train,
)
from screen_text import REFRESH_S, check_snapshot, rows_of, running, until
from textual.pilot import Pilot

from timellm_dashboard.actions import ACTIONS, REPLAY_ACTIONS
from timellm_dashboard.lines import text_of
from timellm_dashboard.log.search import finder
from timellm_dashboard.plain import follow_plain
from timellm_dashboard.replay.app import ReplayDashboard
from timellm_dashboard.replay.replay import SPEEDS, Replay, Schedule
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.widgets.log import LogPanel
from timellm_dashboard.words.log import log_words
from timellm_dashboard.words.phrases import said
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import PauseRun
from timellm_ops.contract.events import JournalRecord


class HandClock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.t = 100.0

    def __call__(self) -> float:
        return self.t

    def pass_s(self, seconds: float) -> None:
        self.t += seconds


def handed(replay: Replay) -> list[JournalRecord]:
    found = []
    while records := replay.poll():
        found += records
    return found


def seqs(records: list[JournalRecord]) -> list[int]:
    return [record.seq for record in records]


# --- the schedule ----------------------------------------------------------------------------


@st.composite
def journals(draw: st.DrawFn) -> list[JournalRecord]:
    """Records with times that mostly go forward, jump back at a reboot, or are missing."""
    records, t = [], draw(st.floats(0.0, 1e6))
    for seq in range(draw(st.integers(1, 60))):
        kind = draw(st.sampled_from(["on", "on", "on", "none", "reboot", "start"]))
        t = draw(st.floats(0.0, 10.0)) if kind == "reboot" else t + draw(st.floats(0.0, 5.0))
        given_t = None if kind == "none" else t
        event: ev.Event = ev.Alert(level="info", message="x", t=given_t)
        if kind == "start":
            event = ev.RunStarted(run_id="r", name="r", engine="timellm", t=given_t)
        records.append(JournalRecord(seq=seq, event=event))
    return records


@given(journals())
def test_records_are_due_in_their_order_and_never_go_back(records: list[JournalRecord]) -> None:
    schedule = Schedule(records)
    assert len(schedule.times) == len(records)
    assert all(first <= second for first, second in pairwise(schedule.times))
    assert schedule.due(schedule.total_s) == len(records)
    for index, at in enumerate(schedule.times):
        assert schedule.due(at) > index
        assert (
            schedule.due(at - 1e-6) <= index or schedule.times[max(0, index - 1)] == at or at == 0
        )


@given(journals())
def test_the_axis_is_the_time_under_supervision(records: list[JournalRecord]) -> None:
    recorder = Recorder()
    recorder.take(records)
    assert Schedule(records).total_s == pytest.approx(recorder.state.active_s)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.0, 30.0)),
        st.tuples(st.just("seek"), st.floats(-10.0, 400.0)),
        st.tuples(st.sampled_from(["toggle", "faster", "slower", "poll"]), st.just(0.0)),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(journals(), MOVES)
def test_what_was_handed_out_is_always_the_beginning_of_the_journal(
    records: list[JournalRecord], moves: list[tuple[str, float]]
) -> None:
    clock = HandClock()
    replay = Replay(records, monotonic=clock, speed=10.0)
    taken: list[JournalRecord] = []
    generation = 0

    def take() -> None:
        nonlocal taken, generation
        while found := replay.poll():
            if replay.polled_generation != generation:
                taken, generation = [], replay.polled_generation
            taken += found

    for what, amount in moves:
        before = replay.position_s
        match what:
            case "pass":
                clock.pass_s(amount)
                moved = replay.position_s - before
                assert moved == 0 if replay.held else moved >= 0
            case "seek":
                replay.seek(amount)
                expected = min(max(0.0, amount), replay.schedule.total_s)
                assert replay.position_s == expected
            case "poll":
                take()
            case _:
                getattr(replay, what)()
                assert replay.position_s == pytest.approx(before)
    take()
    if replay.polled_generation != generation:
        taken = []
    assert seqs(taken) == seqs(records[: replay.schedule.due(replay.position_s)])


# --- its clock and its keys' meaning ---------------------------------------------------------


def test_time_goes_at_its_speed_and_stands_when_held() -> None:
    clock = HandClock()
    replay = Replay(finished().records, monotonic=clock, speed=60.0)
    clock.pass_s(2.0)
    assert replay.position_s == 120.0
    replay.toggle()
    clock.pass_s(50.0)
    assert replay.position_s == 120.0
    replay.toggle()
    replay.faster()
    clock.pass_s(1.0)
    assert replay.position_s == 240.0
    assert replay.speed == 120.0


def test_the_speed_has_a_lowest_and_a_highest_step() -> None:
    replay = Replay(finished().records, monotonic=HandClock(), speed=45.0)
    replay.slower()
    assert replay.speed == 30.0
    for _ in range(20):
        replay.slower()
    assert replay.speed == SPEEDS[0]
    for _ in range(20):
        replay.faster()
    assert replay.speed == SPEEDS[-1]


def test_its_clocks_are_those_of_the_run_at_that_moment() -> None:
    clock = HandClock()
    replay = Replay(finished().records, monotonic=clock, speed=1.0, at_s=590.5)
    clock.pass_s(10.0)
    handed(replay)
    assert replay.monotonic() == pytest.approx(BOOT_T + 600.5)
    assert (replay.now() - START).total_seconds() == pytest.approx(600.5)


def test_its_clocks_wait_for_whoever_takes_the_records() -> None:
    """At a high speed much has come before the next look; nothing of it is missed meanwhile."""
    clock = HandClock()
    replay = Replay(finished().records, monotonic=clock, speed=3600.0)
    handed(replay)
    before = replay.monotonic()
    clock.pass_s(0.5)
    assert replay.position_s == 1800.0
    assert replay.monotonic() == before
    handed(replay)
    assert replay.monotonic() == pytest.approx(before + 1800.0)


def test_the_time_between_a_stop_and_a_resume_is_not_waited_for() -> None:
    journal = stopped()
    before = journal.seconds
    resumed = ev.RunStarted(run_id="r", name="etth1", engine="timellm", resumed=True)
    journal.add(resumed, 36_000.0)
    assert Schedule(journal.records).total_s == pytest.approx(before)


def test_at_any_speed_polling_comes_to_an_end() -> None:
    clock = HandClock()

    class Racing(HandClock):
        def __call__(self) -> float:
            self.t += 0.01
            return self.t

    clock = Racing()
    replay = Replay(finished().records, monotonic=clock, speed=600.0)
    first = handed(replay)
    assert 0 < len(first) < len(finished().records)


def test_an_imported_log_has_no_times() -> None:
    assert Schedule(imported().records).total_s == 0.0


def test_nothing_can_be_asked_of_it() -> None:
    replay = Replay(finished().records, monotonic=HandClock())
    reply = replay.send(PauseRun(who="x"))
    assert not reply.ok
    assert "replay" in reply.message
    assert "回放" in said(reply.message, "zh")


def test_plain_lines_of_a_replay_come_to_an_end() -> None:
    clock = HandClock()
    replay = Replay(finished().records, monotonic=clock, speed=3600.0)
    lines: list[str] = []
    state = follow_plain(
        replay, lines.append, sleep=clock.pass_s, monotonic=replay.monotonic, now=replay.now,
        stop=lambda: replay.finished, zone=ZONE,
    )  # fmt: skip
    assert state.outcome == "finished"
    assert any(line.startswith("22:0") and "evaluating" in line for line in lines)
    assert "FINISHED" in "\n".join(lines)


# --- on the screen ---------------------------------------------------------------------------


def app_of(
    journal: Journal, at_s: float, *, lang: Lang = "en", ascii_only: bool = False
) -> ReplayDashboard:
    replay = Replay(journal.records, monotonic=HandClock(), speed=60.0, at_s=at_s)
    look = Look(lang=lang, zone=ZONE, ascii_only=ascii_only, limits=lambda _: Limits())
    return ReplayDashboard(replay, look, refresh_s=REFRESH_S)


def screen(app: ReplayDashboard) -> str:
    return "\n".join(rows_of(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_a_replay_looks_as_it_was_found_good(size: tuple[int, int]) -> None:
    app = app_of(finished(), 1500.0)
    async with running(app, size):
        check_snapshot(f"replay-{size[0]}x{size[1]}", rows_of(app))


async def test_a_replay_looks_good_in_chinese_and_in_ascii() -> None:
    for name, kind in (("zh", {"lang": "zh"}), ("ascii", {"ascii_only": True})):
        app = app_of(finished(), 1500.0, **kind)  # type: ignore[arg-type]
        async with running(app):
            check_snapshot(f"replay-80x24-{name}", rows_of(app))


def ending() -> Iterator[tuple[str, str]]:
    yield from (("end", "FINISHED"), ("home", "STARTING"))


async def test_keys_move_the_time_in_both_directions() -> None:
    app = app_of(finished(), 1500.0)
    async with running(app) as pilot:
        assert "REPLAY 60x 00:25:00 of" in screen(app)
        await pilot.press("right")
        await until(pilot, lambda: "00:26:00 of" in screen(app))
        await pilot.press("shift+left", "left")
        await until(pilot, lambda: "00:15:00 of" in screen(app))
        await until(pilot, lambda: "epoch 1 of 3" in screen(app))
        for key, word in ending():
            await pilot.press(key)
            await until(pilot, lambda word=word: word in screen(app))  # type: ignore[misc]
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "REPLAY 120x" in screen(app))
        await pilot.press("less_than_sign", "space")
        await until(pilot, lambda: "REPLAY || " in screen(app))


async def test_going_back_forgets_what_came_later() -> None:
    app = app_of(finished(), 3000.0)
    async with running(app) as pilot:
        before = app.recorder
        await pilot.press("home", "right")
        await until(pilot, lambda: app.recorder is not before)
        await until(pilot, lambda: app.recorder.records > 0)
        replay = app.replay
        due = replay.schedule.due(replay.position_s)
        await until(pilot, lambda: app.recorder.records == due)
        assert app.recorder.state.rows == ()


async def test_going_back_in_a_long_run_begins_at_what_was_kept() -> None:
    replay = Replay(finished().records, monotonic=HandClock(), at_s=3000.0)
    app = ReplayDashboard(replay, Look(zone=ZONE), refresh_s=REFRESH_S, keep_every=100)
    async with running(app) as pilot:
        await pilot.press("left")
        due = app.replay.schedule.due(2940.0)
        await until(pilot, lambda: app.recorder.records == due)
        assert app.replay.polled_restart > 100
        whole = Recorder()
        whole.take(finished().records[:due])
        assert app.recorder.state == whole.state
        assert app.recorder.history.losses.loss.points() == whole.history.losses.loss.points()


@pytest.fixture
def logged(tmp_path: Path) -> tuple[Path, list[int]]:
    """A log with a numbered line for each record of `finished()`, and where each of them ends."""
    path, ends = tmp_path / "engine.log", []
    with path.open("wb") as file:
        for record in finished().records:
            file.write(f"line {record.seq}\n".encode())
            ends.append(file.tell())
    return path, ends


def replay_of_a_log(logged: tuple[Path, list[int]], at_s: float) -> ReplayDashboard:
    path, ends = logged
    replay = Replay(finished().records, monotonic=HandClock(), at_s=at_s)
    look, services = Look(zone=ZONE), Services(log=path)
    return ReplayDashboard(replay, look, refresh_s=REFRESH_S, services=services, log_ends=ends)


async def ends_with(pilot: Pilot[None], app: ReplayDashboard, at_s: float) -> int:
    """Wait until the log ends with the line of the last record that has come; its number."""
    number = app.replay.schedule.due(at_s)
    title = f"line {number:,} of {number:,}"
    await until(pilot, lambda: str(app.screen.query_one(LogPanel).border_title).count(title) == 1)
    shown = [text_of(row).rstrip() for row in app.screen.query_one(LogPanel)._drawn]
    assert shown[-1] == f"> line {number}"
    return number


async def test_the_log_ends_where_the_replay_is_and_goes_on_and_back_with_it(
    logged: tuple[Path, list[int]],
) -> None:
    app = replay_of_a_log(logged, 1500.0)
    async with running(app) as pilot:
        app.go_to("log")
        first = await ends_with(pilot, app, 1500.0)
        log = app.screen.query_one(LogPanel)._log
        assert log is not None
        scanned = log.index
        assert scanned.size == logged[1][-1]
        await pilot.press("right")
        assert await ends_with(pilot, app, 1560.0) > first
        await pilot.press("shift+left")
        assert await ends_with(pilot, app, 960.0) < first
        await pilot.press("shift+right", "left")
        assert await ends_with(pilot, app, 1500.0) == first
        assert log.index is scanned  # no byte was scanned twice


async def test_neither_a_search_nor_a_filter_finds_what_is_still_to_come(
    logged: tuple[Path, list[int]],
) -> None:
    app = replay_of_a_log(logged, 1500.0)
    come = app.replay.schedule.due(1500.0)
    async with running(app) as pilot:
        app.go_to("log")
        await ends_with(pilot, app, 1500.0)
        panel = app.screen.query_one(LogPanel)
        panel.search(finder(f"line {come + 1}"), log_words("en"))
        await until(pilot, lambda: "no line has" in str(panel.border_title))
        panel.search(finder("line 1"), log_words("en"), forward=False)
        await until(pilot, lambda: "no line has" not in str(panel.border_title))
        panel.filter(finder("re:line .*0$"), log_words("en"))
        await until(pilot, lambda: f"{come // 10} with" in str(panel.border_title))
        await pilot.press("shift+right")
        later = app.replay.schedule.due(2100.0)
        await until(pilot, lambda: f"{later // 10} with" in str(panel.border_title))
        await pilot.press("shift+left")
        await until(pilot, lambda: f"{come // 10} with" in str(panel.border_title))


async def test_a_replayed_run_looks_like_the_run_did() -> None:
    """Everything but the title and the keys is what the dashboard showed at that moment."""
    journal = paused_thermal()
    app = app_of(train(journal, 2, 1_220, 1_240), journal.seconds - 15.0)
    async with running(app):
        assert "PAUSED · thermal: 86 °C > 85 °C in 3 of the last 5 readings" in screen(app)


async def test_the_run_cannot_be_steered() -> None:
    app = app_of(finished(), 1500.0)
    async with running(app) as pilot:
        assert "p pause" not in screen(app)
        await pilot.press("p")
        await until(pilot, lambda: "this is a replay" in screen(app))


async def test_the_help_lists_the_keys_of_a_replay_and_keys_move_nothing_meanwhile() -> None:
    app = app_of(finished(), 1500.0)
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until(pilot, lambda: "hold the replay" in screen(app))
        assert "hold the engine" not in screen(app)
        await pilot.press("end", "right", "space")
        await pilot.pause(0.05)
        assert app.replay.position_s == 1500.0
        assert not app.replay.held


def test_keys_of_a_replay_are_its_own_on_every_screen_and_told_in_both_languages() -> None:
    keys = [
        key for action in (*REPLAY_ACTIONS, *ACTIONS) if action.on is None for key in action.keys
    ]
    assert len(set(keys)) == len(keys)
    for action in REPLAY_ACTIONS:
        assert action.help.en.isprintable()
        assert not action.help.zh.isascii()
