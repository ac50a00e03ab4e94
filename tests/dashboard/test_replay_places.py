"""Where what somebody types leads in a replay, and the line in which it is typed."""

import contextlib
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_journals import (
    START,
    STEPS,
    ZONE,
    Journal,
    Limits,
    finished,
    foreign,
    stopped,
    train,
)
from screen_text import REFRESH_S, check_snapshot, rows_of, running, until
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.replay.app import ReplayDashboard
from timellm_dashboard.replay.ask import GoToScreen
from timellm_dashboard.replay.place import Course, NoSuchPlace, place_of
from timellm_dashboard.replay.replay import Replay, Schedule, clock_text
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.words.replay import ReplayWords, replay_words
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev

EN, ZH = replay_words("en"), replay_words("zh")


def course_of(journal: Journal) -> Course:
    return Course(journal.records, Schedule(journal.records))


def night(hours: float = 10.0) -> Journal:
    """From 21:45:03 of the clock on, a note every minute."""
    journal = Journal().add(ev.RunStarted(run_id="r", name="r", engine="timellm"))
    for _ in range(int(hours * 60)):
        journal.add(ev.Alert(level="info", message="x"), 60.0)
    return journal


NIGHT = course_of(night())
FINISHED = finished()
RUN = course_of(FINISHED)


def leads(text: str, course: Course = NIGHT, here_s: float | None = 3600.0) -> float:
    return place_of(text, course, EN, here_s=here_s, zone=ZONE)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2:30:00", 9000.0), ("0:00:05", 5.0), ("02:30:00", 9000.0),
        ("90s", 90.0), ("2h30m", 9000.0), ("2 h", 7200.0), ("90 min", 5400.0), ("99h", 36_000.0),
        ("50%", 18_000.0), ("12.5 %", 4500.0), ("100%", 36_000.0), ("0%", 0.0),
        ("-30m", 1800.0), ("+2h", 10_800.0), ("-2h", 0.0), ("+1d", 36_000.0),
        ("２：３０：００", 9000.0), ("５０％", 18_000.0),
    ],
)  # fmt: skip
def test_a_time_from_the_start_a_share_and_a_step_of_time(text: str, second: float) -> None:
    assert leads(text) == second


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("22:00", 14 * 60 + 57), ("1:05", 3 * 3600 + 19 * 60 + 57),
        ("02-01 01:05:03", 3 * 3600 + 20 * 60), ("01-31 22:00", 14 * 60 + 57),
        ("2026-01-31 22:00:30", 15 * 60 + 27), ("22:00:30", 15 * 60 + 27),
    ],
)  # fmt: skip
def test_a_time_by_the_clock_is_one_of_the_runs_night(text: str, wall: float) -> None:
    """The whole second counts; without seconds it begins with the minute."""
    assert leads(text) == pytest.approx(wall, abs=1.0)
    assert leads(text) >= wall


def test_a_time_that_could_be_both_counts_from_the_start_with_seconds_alone() -> None:
    assert leads("2:30:00") == 9000.0
    clock = (4 * 60 + 44) * 60 + 57  # from 21:45:03 to 02:30
    assert leads("2:30") == pytest.approx(clock, abs=1.0)


def test_a_time_that_only_one_of_them_can_be_is_that_one() -> None:
    short = course_of(night(1.0))  # 21:45:03 to 22:45:03
    assert leads("0:30", short) == 1800.0
    assert leads("22:00:03", short) == pytest.approx(900.0, abs=1.0)


def test_before_it_has_begun_a_step_back_is_one_from_the_end() -> None:
    assert leads("-30m", here_s=None) == 36_000.0 - 1800.0
    assert leads("+30m", here_s=None) == 1800.0


def progress_at(epoch: int, iteration: int | None = None) -> float:
    """Where that step of the epoch is told; without one, the first that is told of it."""
    times = Schedule(FINISHED.records).times
    return next(
        place for record, place in zip(FINISHED.records, times, strict=True)
        if isinstance(record.event, ev.Progress) and record.event.epoch == epoch
        and iteration in (None, record.event.iteration)
    )  # fmt: skip


@pytest.mark.parametrize("text", ["epoch 2", "Epoch2", "第 2 轮", "第２轮", "2轮"])
def test_an_epoch_leads_to_its_beginning(text: str) -> None:
    assert leads(text, RUN) == progress_at(2)


def test_a_step_is_one_of_the_whole_run_and_may_be_one_of_an_epoch() -> None:
    last = max(
        r.event.iteration for r in FINISHED.records
        if isinstance(r.event, ev.Progress) and r.event.epoch == 2
        and r.event.iteration < STEPS
    )  # fmt: skip
    expected = progress_at(2, last)
    for text in (f"step {STEPS + last}", f"epoch 2 step {last}", f"epoch 2, step {last:,}",
                 f"第 {STEPS + last} 步", f"第2轮第{last}步"):  # fmt: skip
        assert leads(text, RUN) == expected, text
    assert leads("step 1", RUN) <= leads("step 2", RUN) <= expected


def test_of_a_script_that_tells_no_number_of_steps_there_are_epochs_and_steps() -> None:
    course = course_of(foreign())
    first, last = course.epochs
    assert first >= 1
    assert leads(f"epoch {last}", course) >= leads(f"epoch {first}", course)
    assert leads(f"epoch {last} step 1", course) >= leads(f"epoch {last}", course)


def test_an_epoch_that_was_only_told_of_at_its_end_began_with_the_end_of_the_one_before() -> None:
    journal = Journal().add(ev.RunStarted(run_id="r", name="r", engine="foreign"))
    for epoch in (1, 2, 3):
        journal.add(ev.EpochEnded(epoch=epoch, train_mse=1.0, vali_mse=1.0), 100.0)
    course = course_of(journal)
    assert [course.epoch(number) for number in (1, 2, 3, 4)] == [0.0, 100.0, 200.0, None]


def test_what_came_again_after_a_restart_lies_where_it_was_first() -> None:
    journal = stopped()
    once = leads("epoch 1", course_of(journal))
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 36_000.0)
    train(journal, 1, 0, 200)
    assert leads("epoch 1", course_of(journal)) == once


def test_a_time_when_nobody_supervised_the_run_is_where_it_goes_on() -> None:
    journal = stopped()
    before = journal.seconds
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 36_000.0)
    journal.add(ev.Alert(level="info", message="x"), 10.0)
    course = course_of(journal)
    for hours in (1, 5, 9):
        assert course.at_wall(START + timedelta(seconds=before, hours=hours)) == before
    assert course.at_wall(journal.wall) == course.total_s


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("noon", "expected 2:30:00 from the start, 14:05 by the clock, epoch 3, step 1200, 50%"),
        ("", "expected 2:30:00"), ("12345", "expected 2:30:00"), ("101%", "expected 2:30:00"),
        ("epoch", "expected 2:30:00"), ("step x", "expected 2:30:00"), ("2:75", "expected 2:30:00"),
        ("24:61", "expected 2:30:00"),
        ("14:05", "up to 10:00:00 from the start, or 01-31 21:45:03 to 02-01 07:45:03"),
        ("14:05:00", "up to 10:00:00 from the start"),
        ("02-05 22:00", "01-31 21:45:03 to 02-01 07:45:03 by the clock"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_says_what_would_be_right(text: str, right: str) -> None:
    with pytest.raises(NoSuchPlace) as told:
        leads(text)
    assert f"found “{text}”" in str(told.value)
    assert right in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("epoch 9", "expected an epoch of the run: 1 to 3"),
        ("epoch 0", "expected an epoch of the run: 1 to 3"),
        ("step 999999", f"expected a step of the run: 1 to {3 * STEPS:,}"),
        ("step 0", "expected a step of the run: 1 to"),
        ("epoch 2 step 5000", f"expected a step of that epoch: 1 to {STEPS:,}"),
    ],
)
def test_an_epoch_or_a_step_that_there_is_not_says_which_there_are(text: str, right: str) -> None:
    with pytest.raises(NoSuchPlace, match=right):
        leads(text, RUN)


@pytest.mark.parametrize("text", ["epoch 1", "step 1", "epoch 1 step 1"])
def test_a_run_that_has_come_to_no_epoch_has_times_alone(text: str) -> None:
    with pytest.raises(NoSuchPlace, match="expected a time of the run: up to 10:00:00"):
        leads(text)


@given(st.text(max_size=20))
def test_whatever_is_typed_leads_into_the_run_or_is_refused(text: str) -> None:
    with contextlib.suppress(NoSuchPlace):
        assert 0.0 <= leads(text) <= NIGHT.total_s


@given(st.floats(0.0, 36_000.0))
def test_the_time_in_the_title_leads_back_to_its_second(seconds: float) -> None:
    assert leads(clock_text(seconds)) == pytest.approx(seconds, abs=1.0)


@given(st.integers(0, 36_000))
def test_a_moment_by_the_clock_leads_to_the_second_in_which_it_passes(second: int) -> None:
    at = START + timedelta(seconds=second)
    assert leads(f"{at.astimezone(ZONE):%m-%d %H:%M:%S}") == pytest.approx(second, abs=1.0)


def test_no_text_is_left_in_english() -> None:
    for field in msgspec.structs.fields(ReplayWords):
        assert not getattr(ZH, field.name).isascii()


# --- on the screen ---------------------------------------------------------------------------


def app_of(at_s: float, *, lang: Lang = "en", ascii_only: bool = False) -> ReplayDashboard:
    replay = Replay(FINISHED.records, monotonic=lambda: 100.0, at_s=at_s)
    look = Look(lang=lang, zone=ZONE, ascii_only=ascii_only, limits=lambda _: Limits())
    return ReplayDashboard(replay, look, refresh_s=REFRESH_S)


def screen(app: ReplayDashboard) -> str:
    return "\n".join(rows_of(app))


async def typed(pilot: Pilot[None], text: str) -> None:
    """Open the line, and answer."""
    await pilot.press("g")
    pilot.app.screen.query_one(Prompt).suggest(text)
    await pilot.press("enter")


async def test_a_place_that_is_typed_is_gone_to_in_both_directions() -> None:
    app = app_of(1500.0)
    async with running(app) as pilot:
        # Without a pause: what comes after the key is meant for the line.
        await pilot.press("g", "5", "0", "%", "enter")
        half = clock_text(app.replay.schedule.total_s / 2)
        await until(pilot, lambda: f"{half} of" in screen(app))
        await typed(pilot, "epoch 1")
        await until(pilot, lambda: app.replay.position_s < 100.0)
        await until(pilot, lambda: "epoch 1 of 3" in screen(app))
        assert app.focused is None or not isinstance(app.focused, Input)


async def test_a_wrong_place_stays_to_be_mended_and_esc_leaves_the_replay_where_it_is() -> None:
    app = app_of(1500.0)
    async with running(app, (120, 40)) as pilot:
        await typed(pilot, "epoch 9")
        await until(pilot, lambda: "expected an epoch of the run: 1 to 3" in screen(app))
        await pilot.press("backspace", "2", "enter")
        await until(pilot, lambda: not isinstance(app.screen, GoToScreen))
        second = app.replay.position_s
        assert second == RUN.epoch(2)
        await pilot.press("g", "9", "escape")
        await until(pilot, lambda: not isinstance(app.screen, GoToScreen))
        assert app.replay.position_s == second


async def test_keys_that_come_all_at_once_are_taken_in_their_order() -> None:
    app = app_of(1500.0)
    async with running(app) as pilot:
        await pilot.press("g")
        app.screen.query_one(Prompt).suggest("epoch 9")
        for key, character in (("backspace", "\x7f"), ("2", "2"), ("enter", "\r")):
            app.post_message(Key(key, character))
        await until(pilot, lambda: app.replay.position_s == RUN.epoch(2))


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [
        ("en", {}, (80, 24)),
        ("zh", {"lang": "zh"}, (80, 24)),
        ("ascii", {"ascii_only": True}, (80, 24)),
    ],
)
async def test_the_line_looks_as_it_was_found_good(
    name: str, kind: dict[str, object], size: tuple[int, int]
) -> None:
    app = app_of(1500.0, **kind)  # type: ignore[arg-type]
    async with running(app, size) as pilot:
        await typed(pilot, "epoch 9")
        await until(
            pilot, lambda: app.screen.query_one(Prompt).query_one(".prompt-problem").display
        )
        check_snapshot(f"replay-goto-{name}", rows_of(app))


async def test_on_the_log_the_key_is_the_logs_own_and_the_capital_one_is_the_replays() -> None:
    app = app_of(1500.0)
    async with running(app) as pilot:
        app.go_to("log")
        await until(pilot, lambda: app.run_screen.is_mounted and app.screen is app.run_screen)
        await pilot.press("g")
        assert not isinstance(app.screen, GoToScreen)
        assert app.screen.query_one("#log-prompt", Prompt).asking
        await pilot.press("escape", "G", "9", "0", "s", "enter")
        await until(pilot, lambda: app.replay.position_s == 90.0)


async def test_a_click_on_the_key_opens_the_line_too() -> None:
    app = app_of(1500.0)
    async with running(app, (120, 40)) as pilot:
        await pilot.click("#key-replay_goto")
        await until(pilot, lambda: isinstance(app.screen, GoToScreen))
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("9", "0", "s", "enter")
        await until(pilot, lambda: app.replay.position_s == 90.0)
