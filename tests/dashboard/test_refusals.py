"""A key that makes no sense at the moment says so in one line, and opens and asks nothing."""

import threading
from datetime import timedelta

import msgspec
import pytest
from sample_journals import STATES, ZONE, FakeRun, Journal, finished, in_second_epoch, training
from screen_text import check_snapshot, dashboard, rows_of, running, until
from test_policies_screen import UNDER
from test_replay import app_of as replay_of
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.actions import (
    ACTIONS,
    SCREEN_ORDER,
    ScreenId,
    action,
    label_of,
    offered,
    refusal,
)
from timellm_dashboard.app import Dashboard
from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.screens.help import draw_help
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_dashboard.words.refusals import RefusalWords, refusal_words
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, PauseRun, ResumeRun, StopRun
from timellm_ops.supervisor.answers import Terms, answer

REQUESTS: dict[str, AnyRequest] = {
    "pause": PauseRun(),
    "stop": StopRun(mode="after_checkpoint"),
    "stop_now": StopRun(mode="now"),
    "override": ResumeRun(for_s=600.0),
}
ASKING = ("pause", "stop", "stop_now", "override", "policies_change")


def view(state: str, *, supervised: bool = True, replay: str = "", read_only: bool = False) -> View:
    journal = STATES[state]()
    recorder = Recorder()
    recorder.take(journal.records)
    wall = journal.wall + timedelta(seconds=2.0)
    moment = Moment(t=journal.t + 2.0, wall=wall, supervised=supervised, replay=replay)
    return recorder.view(moment, Look(zone=ZONE, read_only=read_only))


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (view("training", supervised=False), "nobody supervises this run"),
        (view("finished"), "has ended"),
        (view("imported", supervised=False), "nobody to ask"),
        (view("training", replay="REPLAY 60x"), "this is a replay"),
        (view("finished", replay="REPLAY 60x"), "this is a replay"),
        (view("training", read_only=True), "read only"),
    ],
)
def test_what_asks_the_supervisor_says_why_nobody_would_hear_it(seen: View, why: str) -> None:
    shown = {found.id for screen in SCREEN_ORDER for found in offered(seen, screen)}
    for asking in ASKING:
        told = refusal(action(asking), seen)
        assert why in told
        assert "\n" not in told
        assert asking not in shown


@pytest.mark.parametrize(
    ("seen", "sensible"),
    [
        (view("training"), False),
        (view("training", supervised=False), True),
        (view("paused_thermal", supervised=False), True),
        (view("finished", supervised=False), False),
        (view("imported", supervised=False), False),
        (view("training", supervised=False, read_only=True), False),
        (view("training", replay="REPLAY 60x"), False),
    ],
)
def test_a_supervisor_is_brought_back_where_one_is_missing(seen: View, sensible: bool) -> None:
    assert (refusal(action("supervise"), seen) == "") == sensible
    assert (action("supervise") in offered(seen, "overview")) == sensible


EARLY = {found.id for found in ACTIONS if found.needs_supervisor or found.needs_record}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("loading", "why"), [(True, "still being read"), (False, "no run to ask")])
def test_before_anything_is_known_of_a_run_nothing_is_offered_that_needs_it(
    loading: bool, why: str, lang: Lang
) -> None:
    recorder = Recorder()
    if loading:  # a part of it has been read: what that says may long be over
        recorder.take(STATES["paused_thermal"]().records)
    moment = Moment(t=5_000.0, wall=in_second_epoch().wall)
    seen = recorder.view(moment, Look(zone=ZONE, lang=lang), loading=loading)
    assert {"pause", "stop", "stop_now", "timeline_left", "report_save"} < EARLY
    for screen_id in SCREEN_ORDER:
        shown = {found.id for found in offered(seen, screen_id)}
        assert not shown & {*EARLY, "supervise"}
        assert {"help", "leave", "next_screen", "language"} <= shown
        help_text = "\n".join(map(text_of, draw_help(seen, screen_id, {}, 90).rows))
        keys = help_text.partition(seen.words.help_numbers)[0]
        for asked in map(action, EARLY):
            assert f"{label_of(asked, seen)} — {asked.help.in_(lang)[:20]}" not in keys
    for asked in (*EARLY, "supervise"):
        assert (why in refusal(action(asked), seen)) == (lang == "en")


@pytest.mark.parametrize("key", ["p", "s", "S", "o", "a"])
async def test_of_a_run_that_has_not_begun_a_key_asks_nothing(key: str) -> None:
    source = FakeRun(Journal())
    app = dashboard(Journal(), source)
    async with running(app, (120, 40)) as pilot:
        assert rows_of(app)[-1].split() == [
            "q",
            "leave",
            "?",
            "help",
            "l",
            "中文",
            "1-6",
            "screens",
        ]
        await pilot.press(key)
        await until(pilot, lambda: "there is no run to ask anything of" in screen(app))
    assert source.requests == []


def test_a_replay_writes_no_report_and_lists_no_other_runs() -> None:
    seen = view("training", replay="REPLAY 60x")
    for name in ("report_save", "runs_open", "runs_compare"):
        assert "this is a replay" in refusal(action(name), seen)
        assert refusal(action(name), view("training")) == ""


def screen(app: Dashboard) -> str:
    return " ".join("\n".join(rows_of(app)).split())


async def on(pilot: Pilot[None], app: Dashboard, name: ScreenId) -> None:
    app.go_to(name)
    await until(pilot, lambda: app.screen is app._screens[name])
    await pilot.pause(0.1)


@pytest.mark.parametrize("key", ["p", "s", "S", "o"])
async def test_without_a_supervisor_a_key_that_asks_it_says_what_to_do(key: str) -> None:
    journal = in_second_epoch()
    source = FakeRun(journal, supervised=False)
    app = dashboard(journal, source)
    async with running(app, (120, 40)) as pilot:
        await pilot.press(key)
        told = "nobody supervises this run, so nobody would hear it; a starts a supervisor"
        await until(pilot, lambda: told in screen(app))
        assert app.screen is app.run_screen
    assert source.requests == []


@pytest.mark.parametrize(("name", "key"), [("policies", "e"), ("policies", "enter")])
@pytest.mark.parametrize("kind", ["alone", "ended", "replay"])
async def test_an_editor_is_not_opened_for_nothing(name: ScreenId, key: str, kind: str) -> None:
    journal: Journal = finished() if kind == "ended" else in_second_epoch()
    source = FakeRun(journal, supervised=kind == "replay")
    if kind == "replay":
        app: Dashboard = replay_of(journal, 600.0)
        app._look = msgspec.structs.replace(app._look, rules=UNDER)
    else:
        app = dashboard(journal, source, rules=UNDER)
    why = {"alone": "nobody supervises", "ended": "has ended", "replay": "this is a replay"}[kind]
    async with running(app, (120, 40)) as pilot:
        await on(pilot, app, name)
        assert "e change" not in rows_of(app)[-1]
        await pilot.press(key)
        await until(pilot, lambda: why in screen(app))
        assert not isinstance(app.focused, Input)
    assert source.requests == []


@pytest.mark.parametrize(
    ("name", "key"), [("overview", "S"), ("overview", "p"), ("report", "w"), ("runs", "c")]
)
async def test_in_a_replay_what_makes_no_sense_says_so_at_once(name: ScreenId, key: str) -> None:
    app = replay_of(in_second_epoch(), 600.0)
    async with running(app, (120, 40)) as pilot:
        await on(pilot, app, name)
        assert f" {key} " not in rows_of(app)[-1]
        await pilot.press(key)
        await until(pilot, lambda: "this is a replay: " in screen(app))
        assert app.screen is app.run_screen


async def test_a_brings_a_supervisor_back_and_asks_only_once_meanwhile() -> None:
    journal = in_second_epoch()
    source = FakeRun(journal, supervised=False)
    asked: list[int] = []
    may_answer = threading.Event()

    def supervise() -> None:
        asked.append(1)
        may_answer.wait(30.0)
        source.is_supervised = True

    app = dashboard(journal, source, services=Services(supervise=supervise))
    async with running(app, (120, 40)) as pilot:
        assert "a supervise again" in rows_of(app)[-1]
        await pilot.press("a", "a")
        await until(pilot, lambda: bool(asked))
        may_answer.set()
        await until(pilot, lambda: "the run is supervised again" in screen(app))
        await until(pilot, lambda: "TRAINING" in screen(app))
        assert "a supervise again" not in rows_of(app)[-1]
        await pilot.press("a")
        await until(pilot, lambda: "nothing to take over" in screen(app))
    assert asked == [1]


async def test_one_that_does_not_come_up_is_told_and_can_be_asked_for_again() -> None:
    journal, tries = in_second_epoch(), []

    def supervise() -> None:
        tries.append(1)
        raise OSError("the supervisor is not up after 30 s")

    source = FakeRun(journal, supervised=False)
    app = dashboard(journal, source, services=Services(supervise=supervise))
    async with running(app, (120, 40)) as pilot:
        for count in (1, 2):
            await pilot.press("a")
            await until(pilot, lambda: len(tries) == count)  # noqa: B023
            await until(pilot, lambda: not app._supervising)
        await until(pilot, lambda: "no supervisor: the supervisor is not up" in screen(app))


async def test_where_it_cannot_be_started_from_here_the_command_is_told() -> None:
    journal = in_second_epoch()
    app = dashboard(journal, FakeRun(journal, supervised=False))
    async with running(app) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "starts a supervisor" in screen(app))
        check_snapshot("unsupervised-asked-80x24", rows_of(app))


@pytest.mark.parametrize(
    ("state", "supervised", "told"),
    [("training", False, "a takes it up again"), ("training", True, "S now")],
)
async def test_ctrl_c_offers_only_what_works(state: str, supervised: bool, told: str) -> None:
    journal = STATES[state]()
    app = dashboard(journal, FakeRun(journal, supervised=supervised))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: told in screen(app))


async def test_ctrl_c_before_a_run_has_begun_speaks_of_no_key_that_does_nothing() -> None:
    app = dashboard(Journal(), FakeRun(Journal()))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "q leaves, and touches no run" in screen(app))


async def test_ctrl_c_in_a_replay_closes_nothing_but_says_how() -> None:
    app = replay_of(training(), 1.0)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "q closes this replay" in screen(app))


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(RefusalWords)])
def test_it_is_said_in_both_languages(name: str) -> None:
    assert getattr(refusal_words("en"), name).isascii()
    assert not getattr(refusal_words("zh"), name).isascii()


@pytest.mark.parametrize(
    ("mode", "vain"),
    [
        ("after_checkpoint", {"stop"}),
        ("checkpoint", {"pause", "stop", "override"}),
        ("now", {"pause", "stop", "stop_now", "override"}),
        ("kill", {"pause", "stop", "stop_now", "override"}),
    ],
)
def test_a_stop_that_would_be_gentler_is_not_offered_and_is_refused(
    mode: str, vain: set[str]
) -> None:
    journal = STATES["paused_thermal"]().add(ev.Command(who="cli", what=f"stop {mode}"), 1.0)
    recorder = Recorder()
    recorder.take(journal.records)
    seen = recorder.view(Moment(t=journal.t, wall=journal.wall), Look(zone=ZONE))
    shown = {found.id for found in offered(seen, "overview")}
    asking = {"pause", "stop", "stop_now", "override"}
    assert asking - shown == vain
    for name in asking:
        assert refusal(action(name), seen) == ("the run is ending already" if name in vain else "")
        reply = answer(recorder.state, REQUESTS[name], Terms(stop_grace_s=20.0)).reply
        assert name not in vain or not reply.ok or reply.message.startswith("already stopping")
