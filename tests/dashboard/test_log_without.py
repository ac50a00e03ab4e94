"""Lines without something: searched for, and kept while all others are left out."""

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sample_journals import FakeRun, in_second_epoch
from screen_text import check_snapshot, dashboard, rows_of, running, until
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.app import Dashboard
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.search import LineFilter, find, finder
from timellm_dashboard.services import Services
from timellm_dashboard.widgets.log import LogPanel

WORDS = st.sampled_from(["iters", "Iters", "speed", "warn ä", "", "not:"])
TEXTS = st.sampled_from(["iters", "Iters", "re:^s", "re:iters|speed", "ä", "nothing", "not:"])


def read(path: Path) -> LogFile:
    log = LogFile(path)
    while log.take(log.scan()):
        pass
    return log


@given(st.lists(WORDS, min_size=1, max_size=12), TEXTS)
def test_what_is_kept_without_a_text_is_what_is_left_out_with_it(
    tmp_path_factory: object, lines: list[str], text: str
) -> None:
    path = tmp_path_factory.mktemp("log") / "engine.log"  # type: ignore[attr-defined]
    path.write_text("".join(f"{line}\n" for line in lines))
    log = read(path)
    kept, left_out = LineFilter(finder(f"not:{text}")), LineFilter(finder(text))
    asyncio.run(kept.catch_up(log))
    asyncio.run(left_out.catch_up(log))
    assert sorted([*kept.lines, *left_out.lines]) == list(range(len(lines)))
    hit = asyncio.run(find(log, finder(f"not:{text}"), len(lines) - 1, forward=True))
    assert hit == (kept.lines[0] if kept.lines else None)


def test_a_bare_not_is_a_text_and_nothing_is_marked_as_found() -> None:
    assert finder("not:").matches("this is not: a prefix")
    assert not finder("not:").without
    assert finder("not:a").spans("b a") == []
    assert not finder("not:LOSS").matches("LOSS")
    assert finder("not:LOSS").matches("loss")
    assert finder("not:re:[0-9]").matches("no digit")


def panel(app: Dashboard) -> LogPanel:
    return app.run_screen.query_one(LogPanel)


async def asked(pilot: Pilot[None], app: Dashboard, key: str, answer: str) -> None:
    await pilot.press(key)
    app.screen.query_one(Input).value = answer
    await pilot.press("enter")


async def test_a_filter_leaves_lines_out_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    steps = "".join(f"\titers: {n}, epoch: 1 | loss: 0.5\n\tspeed: 0.5s\n" for n in range(300))
    path.write_text(f"{steps}UserWarning: hot\n{steps}Saving model ...\n")
    journal = in_second_epoch()
    services = Services(log=path)
    app = dashboard(journal, FakeRun(journal), services=services)
    async with running(app) as pilot:
        app.go_to("log")
        await until(pilot, lambda: bool(app.run_screen.query(LogPanel)))
        await until(pilot, lambda: "of 1,202" in str(panel(app).border_title))
        await pilot.press("ampersand")
        await pilot.pause(0.1)
        assert rows_of(app)[-2].rstrip().endswith("not: before it excludes")
        await pilot.press("escape")
        await asked(pilot, app, "ampersand", "not:re:iters|speed")
        await until(pilot, lambda: "2 without “re:iters|speed”" in str(panel(app).border_title))
        check_snapshot("log-without-80x24", rows_of(app))
        with path.open("a") as file:
            file.write("\titers: 301\nthe end\n")
        await until(pilot, lambda: "3 without" in str(panel(app).border_title))
        await asked(pilot, app, "ampersand", "not:re:.")
        await until(pilot, lambda: "Every line has “re:.”" in "\n".join(rows_of(app)))
        await pilot.press("escape")
        await asked(pilot, app, "slash", "not:re:.")
        await until(pilot, lambda: "every line has “re:.”" in str(panel(app).border_title))
