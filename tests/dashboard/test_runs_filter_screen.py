"""Choosing runs on the runs screen: a line to type in, and the list of those that are meant."""

import threading
from collections.abc import Mapping

import pytest
from screen_text import check_snapshot, rows_of, running, until
from test_runs_screen import OTHER, SHOWN, app_of, rows, services
from textual.pilot import Pilot

from timellm_dashboard.app import Dashboard
from timellm_dashboard.runs.runfilter import ConfigKeys
from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.screens.runs import RunsScreen
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.widgets.runs import RunsPanel

CONFIGS: Mapping[str, ConfigKeys] = {
    row.run_id: {"train.batch_size": 4 if row.run_id in (SHOWN, OTHER) else 28} for row in rows()
}


def screen(app: Dashboard) -> str:
    return "\n".join(rows_of(app))


def title(app: Dashboard) -> str:
    return str(app.run_screen.query_one(RunsPanel).border_title)


async def begun(pilot: Pilot[None], app: Dashboard) -> None:
    app.go_to("runs")
    await until(pilot, lambda: "7 in ~/night/runs" in title(app) or "7 个" in title(app))


async def answered(pilot: Pilot[None], text: str) -> None:
    """Answer in the line that is open."""
    prompt = pilot.app.screen.query_one(Prompt)
    assert prompt.asking
    prompt.suggest(text)
    await pilot.press("enter")


async def filtered(pilot: Pilot[None], text: str) -> None:
    """Open the line, and answer."""
    await pilot.press("slash")
    await answered(pilot, text)


async def test_only_the_runs_that_are_meant_are_listed_until_esc_shows_all() -> None:
    app = app_of(services(run_configs=lambda: CONFIGS))
    async with running(app) as pilot:
        await begun(pilot, app)
        panel = app.run_screen.query_one(RunsPanel)
        await pilot.press("space")
        await filtered(pilot, "train.batch_size=4 mse<0.4")
        await until(pilot, lambda: "1 of 7 in ~/night/runs" in title(app))
        assert "with “train.batch_size=4 mse<0.4”" in title(app)
        assert panel.cursor == OTHER
        assert panel.marked == (SHOWN,)  # a mark stays on a run that is not listed
        assert SHOWN not in screen(app).split("\n", 3)[3]
        await pilot.press("escape")
        await until(pilot, lambda: "7 in ~/night/runs" in title(app))
        assert panel.cursor == OTHER


async def test_the_last_row_shows_the_keys_of_the_line_while_there_is_one() -> None:
    app = app_of(services(run_configs=lambda: CONFIGS))
    async with running(app) as pilot:
        await begun(pilot, app)
        await pilot.press("slash")
        await until(pilot, lambda: "Enter take it" in rows_of(app)[-1])
        assert "Esc leave as it is" in rows_of(app)[-1]
        assert "q leave" not in rows_of(app)[-1]
        await pilot.press("escape")
        await until(pilot, lambda: "q leave" in rows_of(app)[-1])
        assert "Enter open" in rows_of(app)[-1]


async def test_what_is_no_filter_stays_to_be_mended_and_what_none_has_is_said() -> None:
    app = app_of(services(run_configs=lambda: CONFIGS))
    async with running(app) as pilot:
        await begun(pilot, app)
        await filtered(pilot, "batch_size=4")
        await until(pilot, lambda: "expected “train.batch_size”" in screen(app))
        check_snapshot("runs-filter-80x24", rows_of(app))
        await answered(pilot, "weather state=finished")
        await until(pilot, lambda: "No run has “weather state=finished”" in screen(app))
        assert isinstance(app.focused, RunsPanel)


@pytest.mark.parametrize("kind", ["zh", "ascii"])
async def test_the_list_looks_good_in_chinese_and_in_ascii(kind: str) -> None:
    look = {"lang": "zh"} if kind == "zh" else {"ascii_only": True}
    app = app_of(services(run_configs=lambda: CONFIGS), **look)  # type: ignore[arg-type]
    async with running(app) as pilot:
        await begun(pilot, app)
        await filtered(pilot, "train.batch_size=4")
        await until(pilot, lambda: "train.batch_size=4" in title(app))
        await until(pilot, lambda: screen(app).count("20260130") == 1)
        check_snapshot(f"runs-filter-80x24-{kind}", rows_of(app))


async def test_while_the_configs_are_read_the_screen_says_so() -> None:
    may_go = threading.Event()

    def configs() -> Mapping[str, ConfigKeys]:
        may_go.wait(10.0)
        return CONFIGS

    app = app_of(services(run_configs=configs))
    async with running(app) as pilot:
        await begun(pilot, app)
        await filtered(pilot, "train.batch_size=28")
        await until(pilot, lambda: "reading the configs of all runs" in screen(app))
        may_go.set()
        await until(pilot, lambda: "5 of 7" in title(app))


async def test_a_folder_that_cannot_be_read_is_not_asked_without_a_pause() -> None:
    asked = 0

    def once() -> tuple[RunRow, ...]:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise OSError(5, "Input/output error")
        return rows()

    app = app_of(services(runs=once, run_configs=lambda: CONFIGS), refresh_s=3_600.0)
    async with running(app) as pilot:
        await begun(pilot, app)
        await filtered(pilot, "train.batch_size=4")
        await until(pilot, lambda: "Input/output error" in screen(app))
        await pilot.pause(0.05)
        assert asked == 2


async def test_the_filter_stays_when_another_run_is_opened() -> None:
    app = app_of(services())
    async with running(app) as pilot:
        await begun(pilot, app)
        await filtered(pilot, "state=finished")
        await until(pilot, lambda: "1 of 7" in title(app))
        other = RunsScreen(services())
        assert isinstance(app.run_screen, RunsScreen)
        other.take_over(app.run_screen.standing)
        assert other.standing.filter.text == "state=finished"
        assert other.standing.rows is not None
        assert len(other.standing.rows) == 7
