"""Every key and button, pressed in front of a run that remembers what it was asked for."""

import threading
from collections.abc import Callable

import pytest
from sample_journals import (
    STEPS,
    FakeRun,
    Journal,
    finished,
    in_second_epoch,
    paused_by_user,
    paused_thermal,
    save_last,
)
from screen_text import dashboard, rows_of, running, until
from textual.command import CommandPalette

from timellm_dashboard.actions import ACTIONS
from timellm_dashboard.app import Dashboard
from timellm_dashboard.screens.confirm import OverrideScreen, StopNowScreen
from timellm_dashboard.screens.help import HelpScreen
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, PauseRun, Reply, ResumeRun, StopRun
from timellm_ops.contract.events import JournalRecord


def screen(app: Dashboard) -> str:
    return "\n".join(rows_of(app))


def app_of(journal: Journal, **kind: object) -> tuple[Dashboard, FakeRun]:
    source = FakeRun(journal, **kind)  # type: ignore[arg-type]
    return dashboard(journal, source), source


async def test_p_pauses_a_run() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        assert "p pause" in screen(app)
        await pilot.press("p")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [PauseRun(who="dashboard")]


async def test_p_resumes_a_run_that_a_person_has_paused() -> None:
    app, source = app_of(paused_by_user())
    async with running(app) as pilot:
        assert "p resume" in screen(app)
        await pilot.press("p")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [ResumeRun(who="dashboard")]


async def test_s_stops_after_the_next_checkpoint_without_asking() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [StopRun(who="dashboard", mode="after_checkpoint")]


async def test_capital_s_asks_saying_what_would_be_lost() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, StopNowScreen))
        assert "asked to save at its next step" in screen(app)
        assert "only then 200 steps" in screen(app)
        await pilot.press("y")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [StopRun(who="dashboard", mode="now")]


@pytest.mark.parametrize("key", ["n", "escape", "q"])
async def test_any_answer_but_yes_keeps_the_run(key: str) -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("S", "enter", key)
        await until(pilot, lambda: app.screen is app.run_screen)
        assert app.is_running
    assert source.requests == []


async def test_when_nothing_would_be_lost_the_question_says_so() -> None:
    app, _ = app_of(save_last(in_second_epoch(), 2, 1_200))
    async with running(app) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, StopNowScreen))
        assert "even then no" in screen(app)
        assert "200 steps" not in screen(app)


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_the_question_can_be_answered_by_mouse(answer: str) -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, StopNowScreen))
        await pilot.click(f"#confirm-{answer}")
        await until(pilot, lambda: app.screen is app.run_screen)
        if answer == "yes":
            await until(pilot, lambda: bool(source.requests))
    assert len(source.requests) == (answer == "yes")


async def test_o_asks_and_then_lets_a_run_go_on_that_a_rule_has_paused() -> None:
    app, source = app_of(paused_thermal())
    async with running(app, (120, 40)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OverrideScreen))
        assert "thermal: 86 °C > 85 °C in 3 of the last 5 readings" in screen(app)
        assert "They may stop it" in screen(app)
        await pilot.press("y")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [ResumeRun(who="dashboard", for_s=1800.0)]


async def test_o_has_nothing_to_do_where_no_rule_holds_the_run() -> None:
    app, source = app_of(paused_by_user())
    async with running(app, (120, 40)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: "no rule holds the run" in screen(app))
    assert source.requests == []


@pytest.mark.parametrize("key", ["q", "d"])
async def test_q_and_d_leave_and_ask_for_nothing(key: str) -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running)
    assert source.requests == []
    assert app.recorder.state.outcome is None
    assert app.recorder.state.step == STEPS + 1_200


async def test_ctrl_c_ends_nothing_and_says_what_does() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app, (120, 40)) as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await until(pilot, lambda: "q leaves, and the run goes on" in screen(app))
        assert app.is_running
    assert source.requests == []


async def test_the_supervisors_answer_becomes_a_notice() -> None:
    app, _ = app_of(in_second_epoch(), reply=Reply(ok=False, message="no [b]supervisor[/b] here"))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "no [b]supervisor[/b] here" in screen(app))


async def test_a_supervisor_that_does_not_answer_holds_nothing_up() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    class Slow(FakeRun):
        def send(self, request: AnyRequest) -> Reply:
            asked.set()
            may_answer.wait(30)
            return super().send(request)

    journal = in_second_epoch()
    source = Slow(journal)
    app = dashboard(journal, source)
    async with running(app) as pilot:
        await pilot.press("p")
        await until(pilot, asked.is_set)
        source.waiting.append(
            JournalRecord(seq=9_999, event=ev.Progress(iteration=1_240, epoch=2, loss=0.3))
        )
        await until(pilot, lambda: "step 1,240" in screen(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        may_answer.set()
        await until(pilot, lambda: bool(source.requests))


async def test_numbers_brackets_and_clicks_go_from_screen_to_screen() -> None:
    app, _ = app_of(in_second_epoch())

    def here(name: str) -> Callable[[], bool]:
        return lambda: app.run_screen.screen_id == name and "TRAINING" in screen(app)

    async with running(app, (120, 40)) as pilot:
        keys = [
            "2",
            "timeline",
            "3",
            "log",
            "4",
            "policies",
            "5",
            "runs",
            "6",
            "report",
            "]",
            "overview",
            "[",
            "report",
            "1",
            "overview",
        ]
        for key, name in zip(keys[::2], keys[1::2], strict=True):
            await pilot.press(key)
            await until(pilot, here(name))
        await pilot.click("#tabs #key-go_log")
        await until(pilot, here("log"))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "q")
    assert not app.is_running


async def test_help_shows_every_key_and_closes() -> None:
    app, _ = app_of(in_second_epoch())
    async with running(app, (120, 70)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "what the screen says" in screen(app))
        for action in ACTIONS:
            if action.on not in (None, "overview") or action.id == "supervise":
                continue  # the last is for a run that nobody supervises
            assert f"{action.shown_keys:<4}{action.label.en} — " in screen(app)
        assert "now: 0.4488 (smoothed 0.3438)" in screen(app)
        await pilot.press("q")
        await until(pilot, lambda: app.screen is app.run_screen)
        assert app.is_running


async def test_the_palette_offers_the_registry_and_nothing_else() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app, (120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await until(pilot, lambda: "stop after save" in screen(app))
        assert "Screenshot" not in screen(app)
        await pilot.press(*"after")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [StopRun(who="dashboard", mode="after_checkpoint")]


async def test_l_switches_the_language_of_everything() -> None:
    app, _ = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("l")
        await until(pilot, lambda: "训练中" in screen(app))
        assert "可以安全停止" in screen(app)
        assert "暂停" in rows_of(app)[-1]
        await pilot.press("l")
        await until(pilot, lambda: "TRAINING" in screen(app))


async def test_t_switches_between_dark_and_light() -> None:
    app, _ = app_of(in_second_epoch())
    async with running(app) as pilot:
        dark = app.current_theme.dark
        await pilot.press("t")
        await until(pilot, lambda: app.current_theme.dark is not dark)


@pytest.mark.parametrize("action", ["pause", "stop", "stop_now", "leave", "help", "next_screen"])
async def test_the_last_row_works_by_mouse(action: str) -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.click(f"#key-{action}")
        done = {
            "pause": lambda: source.requests == [PauseRun(who="dashboard")],
            "stop": lambda: source.requests == [StopRun(who="dashboard", mode="after_checkpoint")],
            "stop_now": lambda: isinstance(app.screen, StopNowScreen),
            "leave": lambda: not app.is_running,
            "help": lambda: isinstance(app.screen, HelpScreen),
            "next_screen": lambda: app.run_screen.screen_id == "timeline",
        }
        await until(pilot, done[action])


async def test_after_the_end_q_leaves_and_nothing_can_be_asked() -> None:
    app, source = app_of(finished(), supervised=False)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("p", "s", "S")
        await until(pilot, lambda: "the run has ended" in screen(app))
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert source.requests == []
    assert app.recorder.state.outcome == "finished"


async def test_what_happens_is_shown_as_it_happens() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        pause = ev.PolicyDecision(action="pause", rule="thermal", reason="90 °C > 85 °C")
        source.waiting.append(JournalRecord(seq=9_998, event=pause))
        await until(pilot, lambda: "PAUSING · thermal: 90 °C > 85 °C" in screen(app))
        source.waiting.append(JournalRecord(seq=9_999, event=ev.Paused()))
        await until(pilot, lambda: "PAUSED · thermal: 90 °C > 85 °C" in screen(app))
        source.is_supervised = False
        await until(pilot, lambda: "UNSUPERVISED" in screen(app))


async def test_older_events_can_be_read_while_new_ones_come() -> None:
    app, source = app_of(in_second_epoch())
    async with running(app) as pilot:
        await pilot.press("home")
        await until(pilot, lambda: "run started" in screen(app))
        source.waiting.append(
            JournalRecord(seq=9_999, event=ev.Alert(level="info", message="something new"))
        )
        await until(pilot, lambda: app.recorder.state.notices != ())
        await pilot.pause(0.1)
        assert "run started" in screen(app)
        assert "something new" not in screen(app)
        await pilot.press("end")
        await until(pilot, lambda: "something new" in screen(app))


async def test_before_the_journal_is_read_the_screen_says_so() -> None:
    reading, may_go_on = threading.Event(), threading.Event()

    class Slow(FakeRun):
        def poll(self) -> list[JournalRecord]:
            reading.set()
            may_go_on.wait(30)
            return super().poll()

    journal = in_second_epoch()
    app = dashboard(journal, Slow(journal))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, reading.is_set)
        await until(pilot, lambda: "LOADING" in screen(app))
        may_go_on.set()
        await until(pilot, lambda: "TRAINING" in screen(app))


async def test_a_journal_that_cannot_be_read_is_a_notice_and_no_crash() -> None:
    class Broken(FakeRun):
        broken = True

        def poll(self) -> list[JournalRecord]:
            if self.broken:
                raise PermissionError(13, "Permission denied")
            return super().poll()

    journal = in_second_epoch()
    source = Broken(journal)
    app = dashboard(journal, source)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Permission denied" in screen(app))
        source.broken = False
        await until(pilot, lambda: "TRAINING" in screen(app))


async def test_without_colours_nothing_is_said_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, _ = app_of(in_second_epoch())
    async with running(app):
        colours = {
            colour.triplet
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            for colour in ((segment.style.color,) if segment.style else ())
            if colour is not None and colour.triplet is not None
        }
        assert app.no_color
        assert all(c.red == c.green == c.blue for c in colours)
