"""Regular expressions that would never come back: given up, and the screen lives meanwhile."""

import asyncio
from pathlib import Path

import pytest
from sample_journals import STATES, FakeRun
from screen_text import dashboard, rows_of, running, until
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.app import Dashboard
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.search import (
    BadPatternError,
    LineFilter,
    TooSlowError,
    find,
    finder,
    hits_in,
)
from timellm_dashboard.services import Services
from timellm_dashboard.widgets.log import LogPanel
from timellm_dashboard.words.text import Lang

SLOW = "re:(a+)+$"
LINE = "a" * 5000


def read(path: Path, text: str) -> LogFile:
    path.write_text(text)
    log = LogFile(path)
    while log.take(log.scan()):
        pass
    return log


@pytest.mark.parametrize(
    "pattern", [SLOW, "re:(a|aa)+$", "re:(x+x+)+y|(a+a+)+b", r"re:(\w+\s?)*\d$"]
)
def test_a_line_that_takes_too_long_ends_the_search(pattern: str) -> None:
    wanted = finder(pattern)
    with pytest.raises(TooSlowError):
        wanted.matches(f"{LINE}!")
    with pytest.raises(TooSlowError):
        wanted.spans(f"{LINE}!")


def test_what_matches_at_once_is_found_in_the_longest_line() -> None:
    assert finder(SLOW).matches(LINE)
    assert finder(SLOW).spans(f"!{LINE}") == [(1, 5001)]
    assert finder("(a+)+$").spans(f"{LINE}(a+)+$") == [(5000, 5006)], "a text is no pattern"


def test_many_lines_that_are_each_fast_enough_have_a_limit_together(tmp_path: Path) -> None:
    log = read(tmp_path / "engine.log", "iters: 1\n" * 100)
    piece = log.piece(0, forward=True)
    assert piece is not None
    assert hits_in(log, piece, finder("re:^iters")) == list(range(100))
    with pytest.raises(TooSlowError):
        hits_in(log, piece, finder("re:^iters"), piece_s=-1.0)


@pytest.mark.parametrize("pattern", ["re:" + "(" * 900 + ")" * 90, "re:" + "x" * 5000])
def test_a_pattern_that_is_too_large_is_none(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        finder(pattern)


def test_others_run_while_a_line_is_searched(tmp_path: Path) -> None:
    log = read(tmp_path / "engine.log", f"short\n{LINE}!\n")

    async def turns_until_it_is_given_up() -> int:
        turns = 0
        search = asyncio.create_task(find(log, finder(SLOW), 0, forward=True))
        while not search.done():
            await asyncio.sleep(0.001)
            turns += 1
        with pytest.raises(TooSlowError):
            search.result()
        return turns

    assert asyncio.run(turns_until_it_is_given_up()) > 10


def test_a_filter_is_given_up_too(tmp_path: Path) -> None:
    log = read(tmp_path / "engine.log", f"aaa\n{LINE}!\n")
    with pytest.raises(TooSlowError):
        asyncio.run(LineFilter(finder(SLOW)).catch_up(log))


# --- on the screen -------------------------------------------------------------------------------


def app_of(path: Path, *, lang: Lang = "en", ascii_only: bool = False) -> Dashboard:
    journal = STATES["training"]()
    services = Services(log=path)
    return dashboard(journal, FakeRun(journal), lang=lang, ascii_only=ascii_only, services=services)


def text(app: Dashboard) -> str:
    return " ".join(" ".join(row.strip(" ▌") for row in rows_of(app)).split())


async def opened(pilot: Pilot[None], app: Dashboard) -> LogPanel:
    app.go_to("log")
    await until(pilot, lambda: app.screen is app.run_screen)
    panel = app.screen.query_one(LogPanel)
    await until(pilot, lambda: "line 3 of 3" in str(panel.border_title))
    return panel


async def asked(pilot: Pilot[None], app: Dashboard, key: str, pattern: str) -> None:
    await pilot.press(key)
    app.screen.query_one(Input).value = pattern
    await pilot.press("enter")


async def test_a_slow_search_is_given_up_and_said(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text(f"first\n{LINE}!\nlast\n")
    app = app_of(path)
    async with running(app) as pilot:
        panel = await opened(pilot, app)
        await asked(pilot, app, "slash", SLOW)
        await until(pilot, lambda: "“re:(a+)+$” takes too long here, and was given up" in text(app))
        assert "searching" not in str(panel.border_title)
        await pilot.press("home")
        await until(pilot, lambda: "line 1 of 3" in str(panel.border_title))
        await asked(pilot, app, "slash", "re:^l[a-z]st$")
        await until(pilot, lambda: "line 3 of 3" in str(panel.border_title))


@pytest.mark.parametrize("key", ["slash", "ampersand"])
async def test_what_is_searched_anew_takes_the_place_of_a_slow_search(
    tmp_path: Path, key: str
) -> None:
    path = tmp_path / "engine.log"
    path.write_text(f"first\n{LINE}!\nlast\n")
    app = app_of(path, ascii_only=True)
    async with running(app) as pilot:
        panel = await opened(pilot, app)
        await asked(pilot, app, key, SLOW)
        await asked(pilot, app, "slash", "first")
        await until(pilot, lambda: "line 1 of" in str(panel.border_title))
        assert "".join(rows_of(app)).isascii()


async def test_a_slow_filter_shows_all_lines_again(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text(f"first\n{LINE}!\nlast\n")
    app = app_of(path, lang="zh")
    async with running(app) as pilot:
        app.go_to("log")
        await until(pilot, lambda: app.screen is app.run_screen)
        panel = app.screen.query_one(LogPanel)
        await until(pilot, lambda: "共 3 行" in str(panel.border_title))
        await asked(pilot, app, "ampersand", SLOW)
        await until(pilot, lambda: "耗时过长，已放弃" in text(app))
        assert panel._filter is None
        assert "共 3 行" in str(panel.border_title)
        with path.open("a") as file:
            file.write("more\n")
        await until(pilot, lambda: "共 4 行" in str(panel.border_title))
