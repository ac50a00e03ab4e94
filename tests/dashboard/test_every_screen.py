"""What the tests of each screen leave out: every screen while the journal is read, before there is
anything, when the engine is silent, at its end; the questions and the help; at three sizes."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sample_journals import STATES, FakeRun, Journal, in_second_epoch, paused_thermal
from screen_text import check_snapshot, dashboard, resized, rows_of, running, until
from test_log_screen import written
from test_policies_screen import UNDER
from test_replay import app_of as replay_of
from test_timeline_screen import silent
from textual.pilot import Pilot

from timellm_dashboard.actions import SCREEN_ORDER, ScreenId
from timellm_dashboard.app import Dashboard
from timellm_dashboard.screens.confirm import OverrideScreen, StopNowScreen
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.services import Services
from timellm_ops.contract.events import JournalRecord

SIZES = ((80, 24), (120, 40), (200, 50))


class SlowRun(FakeRun):
    """A run whose journal is being read as long as nobody lets it go on."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.go_on = threading.Event()

    def poll(self) -> list[JournalRecord]:
        self.go_on.wait(30.0)
        return super().poll()


def app_of(
    journal: Journal, *, source: FakeRun | None = None, supervised: bool = True, log: Path | None
) -> Dashboard:
    source = source or FakeRun(journal, supervised=supervised)
    services = Services(log=log, stop_grace_s=lambda: 20.0)
    return dashboard(journal, source, rules=UNDER, services=services)


async def seen(pilot: Pilot[None], app: Dashboard, screen: ScreenId) -> None:
    app.go_to(screen)
    await until(pilot, lambda: app.screen is app._screens[screen])
    await pilot.pause(0.1)


async def at_every_size(name: str, pilot: Pilot[None], app: Dashboard) -> None:
    for width, height in SIZES:
        await resized(pilot, width, height)
        check_snapshot(f"{name}-{width}x{height}", rows_of(app))


@asynccontextmanager
async def being_read(log: Path) -> AsyncIterator[tuple[Pilot[None], Dashboard]]:
    """A dashboard whose journal is still being read."""
    journal = in_second_epoch()
    source = SlowRun(journal)
    app = app_of(journal, source=source, log=log)
    async with app.run_test(size=SIZES[0], notifications=True) as pilot:
        try:
            await pilot.pause(0.1)
            yield pilot, app
            assert not app.loaded
        finally:
            source.go_on.set()
            await until(pilot, lambda: app.loaded)


async def test_while_the_journal_is_read_every_screen_says_so(tmp_path: Path) -> None:
    log = written(tmp_path / "engine.log")
    async with being_read(log) as (pilot, app):
        for screen in SCREEN_ORDER:
            if screen == "runs":  # of all runs, not of this one: it has a test of its own
                continue
            await seen(pilot, app, screen)
            await at_every_size(f"{screen}-loading", pilot, app)
            text = "\n".join(rows_of(app))
            assert "reading" in text, screen
            keys = rows_of(app)[-1]
            assert "leave" in keys, screen
            for asking in ("pause", "stop", "change", "cursor", "page"):
                assert asking not in keys, screen
            for guess in ("safe to stop", "no GPU", "nothing lost", "nothing has happened", "yet"):
                assert guess not in text, screen


@pytest.mark.parametrize("screen", ["log", "policies"])
async def test_before_there_is_anything(tmp_path: Path, screen: ScreenId) -> None:
    app = app_of(STATES["starting"](), log=tmp_path / "engine.log")
    async with running(app) as pilot:
        await seen(pilot, app, screen)
        await at_every_size(f"{screen}-empty", pilot, app)


@pytest.mark.parametrize("screen", ["overview", "log", "policies", "report"])
async def test_when_the_engine_is_silent(tmp_path: Path, screen: ScreenId) -> None:
    app = app_of(silent(), log=written(tmp_path / "engine.log"))
    async with running(app) as pilot:
        await seen(pilot, app, screen)
        await at_every_size(f"{screen}-silent", pilot, app)


@pytest.mark.parametrize("screen", ["overview", "log", "policies", "timeline"])
async def test_when_nobody_supervises_it(tmp_path: Path, screen: ScreenId) -> None:
    app = app_of(in_second_epoch(), log=written(tmp_path / "engine.log"), supervised=False)
    async with running(app) as pilot:
        await seen(pilot, app, screen)
        await at_every_size(f"{screen}-alone", pilot, app)


async def test_the_log_of_a_finished_run(tmp_path: Path) -> None:
    log = written(tmp_path / "engine.log", "finished")
    app = app_of(STATES["finished"](), log=log, supervised=False)
    async with running(app) as pilot:
        await seen(pilot, app, "log")
        await at_every_size("log-finished", pilot, app)


async def test_the_questions(tmp_path: Path) -> None:
    for name, key, kind in (
        ("stop_now", "S", StopNowScreen),
        ("override", "o", OverrideScreen),
        ("help", "question_mark", HelpScreen),
    ):
        app = app_of(paused_thermal(), log=tmp_path / "engine.log")
        async with running(app) as pilot:
            await pilot.press(key)
            await until(pilot, lambda kind=kind, app=app: isinstance(app.screen, kind))  # type: ignore[misc]
            await pilot.pause(0.1)
            await at_every_size(f"question-{name}", pilot, app)


async def test_a_replay_on_a_large_screen() -> None:
    app = replay_of(STATES["finished"](), 1500.0)
    async with running(app, SIZES[2]):
        check_snapshot("replay-200x50", rows_of(app))
