"""The runs screen: the list in its states, marks, sorting, comparing, and opening another run."""

import gc
import threading
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache

import msgspec
import pytest
from rich.cells import cell_len
from sample_journals import (
    ZONE,
    FakeRun,
    Journal,
    Limits,
    failed,
    finished,
    imported,
    in_second_epoch,
    paused_thermal,
    starting,
    stopped,
)  # fmt: skip
from screen_text import REFRESH_S, SECONDS_LATER, check_snapshot, rows_of, running, until
from textual.pilot import Pilot

from timellm_dashboard.app import Dashboard
from timellm_dashboard.runs.compared import ComparedRun
from timellm_dashboard.runs.runlist import Order, RunRow, row_of
from timellm_dashboard.screens.report import ReportScreen
from timellm_dashboard.services import OpenedRun, Services
from timellm_dashboard.viewmodel.headline import state_seen
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.widgets.runs import RunsPanel
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, PauseRun, Reply
from timellm_ops.contract.events import JournalRecord

SIZES = ((80, 24), (120, 40), (200, 50))
SHOWN = "20260131-214503-etth1-7f3a"  # as the sample journals have it
OTHER = "20260130-220011-etth1-lr5e-4-02c1"
MAKERS: dict[str, Callable[[], Journal]] = {
    SHOWN: in_second_epoch,
    OTHER: finished,
    "20260129-233158-etth1-qwen-b00c": failed,
    "20260128-081500-etth1-7f00": stopped,
    "20260127-190330-weather-hot-9a21": paused_thermal,
    "20260126-120000-upstream-4e4e": imported,
    "20260125-101010-first-try-0001": starting,
}
SUPERVISED = (SHOWN, "20260127-190330-weather-hot-9a21")
CONFIG = {
    "run": {"name": "etth1", "seed": 2021},
    "data": {"dataset": "ETTh1", "pred_len": 96},
    "train": {"learning_rate": 0.0004, "epochs": 3},
}


@cache
def journal_of(run_id: str) -> Journal:
    """The journal of a run, with its own id in it; made once, and read by all."""
    made = MAKERS[run_id]()
    first = made.records[0]
    event = msgspec.structs.replace(first.event, run_id=run_id)
    made.records[0] = JournalRecord(seq=first.seq, event=event)
    if run_id == OTHER:
        made.records = [_lower(record) for record in made.records]
    return made


def _lower(record: JournalRecord) -> JournalRecord:
    """Losses that differ from the other run's."""
    if not isinstance(record.event, ev.Progress) or record.event.loss is None:
        return record
    event = msgspec.structs.replace(record.event, loss=0.9 * record.event.loss)
    return JournalRecord(seq=record.seq, event=event)


@cache
def recorded(run_id: str) -> Recorder:
    recorder = Recorder()
    recorder.take(journal_of(run_id).records)
    return recorder


@cache
def rows(count: int = len(MAKERS)) -> tuple[RunRow, ...]:
    return tuple(map(row, sorted(MAKERS)[-count:]))


def row(run_id: str) -> RunRow:
    state = recorded(run_id).state
    return row_of(run_id, state, state_seen(state, supervised=run_id in SUPERVISED))


def compared(run_ids: Sequence[str]) -> tuple[ComparedRun, ...]:
    found = []
    for place, run_id in enumerate(run_ids):
        config = {
            **CONFIG,
            "train": {"learning_rate": round(0.0004 + 0.0001 * place, 4), "epochs": 3},
        }
        recorder = recorded(run_id)
        found.append(
            ComparedRun(
                run_id=run_id,
                state=recorder.state,
                history=recorder.history,
                supervised=run_id in SUPERVISED,
                config=config,
            )
        )
    return tuple(found)


def services(**kind: object) -> Services:
    """A folder of runs that never changes."""
    listed = rows()
    known: dict[str, object] = {
        "runs": lambda: listed, "runs_folder": "~/night/runs", "compared": compared, **kind,
    }  # fmt: skip
    return Services(**known)  # type: ignore[arg-type]


def app_of(
    given: Services,
    shown: str = SHOWN,
    *,
    source: FakeRun | None = None,
    supervised: bool = True,
    refresh_s: float = REFRESH_S,
    **look: object,
) -> Dashboard:
    journal = journal_of(shown)
    return Dashboard(
        source or FakeRun(journal, supervised=supervised),
        Look(zone=ZONE, limits=lambda _: Limits(), **look),  # type: ignore[arg-type]
        now=lambda: journal.wall + timedelta(seconds=SECONDS_LATER),
        monotonic=lambda: journal.t + SECONDS_LATER,
        refresh_s=refresh_s,
        services=given,
    )


def screen(app: Dashboard) -> str:
    return "\n".join(rows_of(app))


async def at_runs(app: Dashboard, pilot: Pilot[None], text: str) -> None:
    await pilot.press("5")
    await until(pilot, lambda: text in screen(app))


async def at_all_sizes(app: Dashboard, pilot: Pilot[None], name: str) -> None:
    """Compare what is seen with what was found good, on a small, a usual and a large screen."""
    for width, height in SIZES:
        await pilot.resize_terminal(width, height)
        await until(pilot, lambda: (len(rows_of(app)[0]), app.size.height) == (width, height))  # noqa: B023
        await pilot.pause(0.1)
        check_snapshot(f"{name}-{width}x{height}", rows_of(app))


async def to_comparison(app: Dashboard, pilot: Pilot[None], text: str = "0.3697") -> None:
    await at_runs(app, pilot, "qwen")
    await pilot.press("x", "down", "space", "c")
    await until(pilot, lambda: text in screen(app) and "qwen" not in screen(app))


async def test_the_list_looks_as_it_was_found_good() -> None:
    app = app_of(services())
    async with running(app) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "space")
        await until(pilot, lambda: "1 marked" in screen(app))
        await at_all_sizes(app, pilot, "runs")


async def test_the_comparison_looks_as_it_was_found_good() -> None:
    app = app_of(services())
    async with running(app) as pilot:
        await to_comparison(app, pilot)
        await at_all_sizes(app, pilot, "runs-compared")


async def test_chinese_looks_good_on_a_small_screen() -> None:
    app = app_of(services(), lang="zh")
    async with running(app) as pilot:
        await at_runs(app, pilot, "qwen")
        check_snapshot("runs-80x24-zh", rows_of(app))
        assert {cell_len(row) for row in rows_of(app)} == {80}
        await to_comparison(app, pilot)
        check_snapshot("runs-compared-80x24-zh", rows_of(app))
        assert {cell_len(row) for row in rows_of(app)} == {80}


async def test_ascii_looks_good_on_a_small_screen() -> None:
    app = app_of(services(), ascii_only=True)
    async with running(app) as pilot:
        await at_runs(app, pilot, "qwen")
        check_snapshot("runs-80x24-ascii", rows_of(app))
        assert screen(app).isascii()
        await to_comparison(app, pilot)
        check_snapshot("runs-compared-80x24-ascii", rows_of(app))
        assert screen(app).isascii()


async def test_the_shown_run_is_in_the_list_as_it_is_above_it() -> None:
    app = app_of(services())
    late = app._monotonic
    app._monotonic = lambda: late() + 600.0
    async with running(app) as pilot:
        await at_runs(app, pilot, "qwen")
        (row,) = (row for row in rows_of(app) if SHOWN in row and "MSE" not in row and "❯" in row)
        assert "SILENT" in row
        assert "SILENT" in rows_of(app)[1]


async def test_a_folder_without_runs_says_how_to_make_one() -> None:
    app = app_of(services(runs=tuple))
    async with running(app) as pilot:
        await at_runs(app, pilot, "no runs yet")
        await at_all_sizes(app, pilot, "runs-empty")


async def test_while_the_journals_are_read_the_screen_says_so() -> None:
    may_go_on = threading.Event()

    def slow() -> tuple[RunRow, ...]:
        may_go_on.wait(30)
        return rows(1)

    app = app_of(services(runs=slow))
    async with running(app) as pilot:
        await at_runs(app, pilot, "reading the journals")
        await at_all_sizes(app, pilot, "runs-loading")
        may_go_on.set()
        await until(pilot, lambda: "1 in ~/night/runs" in screen(app))


async def test_a_folder_that_cannot_be_read_any_more_leaves_the_old_list() -> None:
    readings = 0

    def breaks() -> tuple[RunRow, ...]:
        nonlocal readings
        readings += 1
        if readings > 1:
            raise PermissionError(13, "Permission denied", "night/runs")
        return rows()

    app = app_of(services(runs=breaks), supervised=False)
    async with running(app) as pilot:
        await at_runs(app, pilot, "Permission denied")
        assert "etth1-lr5e-4" in screen(app)
        await at_all_sizes(app, pilot, "runs-degraded")


async def test_the_list_beside_a_finished_run() -> None:
    app = app_of(services(), OTHER, supervised=False)
    async with running(app) as pilot:
        await at_runs(app, pilot, "qwen")
        await at_all_sizes(app, pilot, "runs-finished")


async def test_where_there_is_no_list_the_screen_says_so() -> None:
    app = app_of(Services())
    async with running(app) as pilot:
        await at_runs(app, pilot, "a replay shows one run")
        await pilot.press("enter", "space", "c")
        assert app.is_running


def order_on(app: Dashboard) -> list[str]:
    """The runs as they stand on the screen, by the end of their ids."""
    shown = "\n".join(rows_of(app)[6:])
    found = [(shown.index(run_id[:21]), run_id[-4:]) for run_id in MAKERS if run_id[:21] in shown]
    return [end for _, end in sorted(found)]


async def test_the_newest_is_first_and_columns_sort() -> None:
    app = app_of(services())
    newest_first = ["7f3a", "02c1", "b00c", "7f00", "9a21", "4e4e", "0001"]
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        assert order_on(app) == newest_first
        await pilot.press("r")
        await until(pilot, lambda: order_on(app) == newest_first[::-1])
        await pilot.press(">", ">", ">", ">")
        await until(pilot, lambda: "test MSE ▼" in screen(app))
        # imported 0.028, finished 0.3697, the rest 0.4012 with the newest first, none last
        assert order_on(app) == ["4e4e", "02c1", "7f3a", "b00c", "7f00", "9a21", "0001"]
        await pilot.press("<")
        await until(pilot, lambda: "vali ▼" in screen(app))


async def test_marks_stay_with_their_runs_and_the_cursor_with_its_own() -> None:
    app = app_of(services())
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "space", "r")
        await until(pilot, lambda: order_on(app)[0] == "0001")
        (row,) = [row for row in rows_of(app) if "lr5e-4" in row and "FINISHED" in row]
        assert "❯✓" in row
        await pilot.press("space")
        await until(pilot, lambda: "marked" not in screen(app))


@pytest.mark.parametrize(("size", "below"), [((120, 40), True), ((120, 34), False)])
async def test_the_chosen_run_stands_below_where_the_list_leaves_room(
    size: tuple[int, int], below: bool
) -> None:
    app = app_of(services())
    async with running(app, size) as pilot:
        await at_runs(app, pilot, "qwen")
        await until(pilot, lambda: ("peak temperature" in screen(app)) == below)
        assert all(run in screen(app) for run in ("7f3a", "0001"))


async def test_a_click_chooses_and_the_wheel_moves() -> None:
    app = app_of(services())
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.click("#runs-list", offset=(8, 4))
        await until(pilot, lambda: any("❯" in row and "qwen" in row for row in rows_of(app)))


async def test_one_run_alone_cannot_be_compared() -> None:
    app = app_of(services(runs=lambda: rows(1)))
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "1 in ")
        await pilot.press("c")
        await until(pilot, lambda: "mark two or more runs" in screen(app))


async def test_without_marks_the_chosen_run_is_compared_with_the_shown_one() -> None:
    app = app_of(services())
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "c")
        await until(pilot, lambda: "what this says" in screen(app))
        assert f"A  {OTHER}" in screen(app)
        assert f"B  {SHOWN}" in screen(app)
        await pilot.press("escape")
        await until(pilot, lambda: "qwen" in screen(app))


async def test_a_comparison_that_does_not_fit_can_be_scrolled() -> None:
    app = app_of(services())
    async with running(app) as pilot:
        await to_comparison(app, pilot)
        assert "config keys that differ" not in screen(app)
        await pilot.press("end")
        await until(pilot, lambda: "config keys that differ" in screen(app))
        assert "0.0005" in screen(app)
        await pilot.press("home")
        await until(pilot, lambda: f"A  {SHOWN}" in screen(app))


async def test_a_run_that_is_gone_when_it_is_compared_is_named() -> None:
    def gone(run_ids: Sequence[str]) -> tuple[ComparedRun, ...]:
        raise LookupError(f'no run "{run_ids[0]}"')

    app = app_of(services(compared=gone))
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "c")
        await until(pilot, lambda: f'no run "{OTHER}"' in screen(app))


def opener(opened: dict[str, FakeRun]) -> Callable[[str], OpenedRun]:
    def open_run(run_id: str) -> OpenedRun:
        opened[run_id] = FakeRun(journal_of(run_id), supervised=run_id in SUPERVISED)
        return OpenedRun(run_id=run_id, source=opened[run_id], services=services(open_run=open_run))

    return open_run


async def test_enter_opens_another_run_on_all_screens() -> None:
    opened: dict[str, FakeRun] = {}
    app = app_of(services(open_run=opener(opened)))
    async with running(app, (120, 40)) as pilot:
        before = {id(screen) for screen in app._screens.values()}
        await pilot.press("6", "5")
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "FINISHED" in screen(app))
        assert app.run_screen.screen_id == "overview"
        assert app.recorder.state.run_id == OTHER
        assert OTHER in screen(app)
        await pilot.press("6")
        await until(pilot, lambda: app.run_screen.screen_id == "report")
        assert isinstance(app.run_screen, ReportScreen)
        assert not before & {id(screen) for screen in app._screens.values()}
        assert not before & {id(screen) for screen in app.screen_stack}
        await at_runs(app, pilot, "qwen")
        assert any("◉" in row and "lr5e-4" in row for row in rows_of(app))
        await pilot.press("end", "home", "enter")
        await until(pilot, lambda: "TRAINING" in screen(app))
        assert list(opened) == [OTHER, SHOWN]


async def test_opening_a_run_leaves_the_list_as_it_stood() -> None:
    app = app_of(services(open_run=opener({})))
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        keys = "greater_than_sign greater_than_sign r home space down down space enter"
        await pilot.press(*keys.split())
        await until(pilot, lambda: app.run_screen.screen_id == "overview")
        opened = app.recorder.state.run_id
        await at_runs(app, pilot, "2 marked")
        listed = app.screen.query_one(RunsPanel)
        assert listed.order == Order("epoch", reverse=True)
        assert listed.cursor == opened
        marks = [row[2:6] for row in rows_of(app) if row[3] == "✓"]
        assert marks == [" ✓  ", "❯✓◉ "]


async def test_coming_back_to_the_list_reads_it_anew_at_once() -> None:
    """Between two turns of the app, which are a minute apart here."""
    listed = [rows(3)]
    app = app_of(services(runs=lambda: listed[-1]), refresh_s=60.0)
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "3 in ~/night/runs")
        await pilot.press("1")
        await until(pilot, lambda: app.screen is app._screens["overview"])
        listed.append(rows(5))
        await at_runs(app, pilot, "5 in ~/night/runs")
        await pilot.press("down", "c")
        await until(pilot, lambda: "what this says" in screen(app))
        listed.append(rows(6))
        await pilot.press("escape")
        await until(pilot, lambda: "6 in ~/night/runs" in screen(app))


async def test_leaving_before_a_reading_has_begun_gives_it_up_in_silence() -> None:
    app = app_of(services())
    async with running(app) as pilot:
        await to_comparison(app, pilot)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            app.run_screen.act("runs_back")
            app.run_screen.act("runs_mark")
            app.run_screen.act("runs_compare")
            assert {work.group for work in app.workers} >= {"runs", "compare"}
            app.workers.cancel_all()
            await until(pilot, lambda: not app.workers)
            gc.collect()
        assert not [found for found in said if "never awaited" in str(found.message)]


async def test_a_request_never_reaches_a_run_that_is_not_shown() -> None:
    opened: dict[str, FakeRun] = {}
    first = FakeRun(journal_of(SHOWN))
    app = app_of(services(open_run=opener(opened)), source=first)
    hot = "20260127-190330-weather-hot-9a21"
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "down", "down", "down", "enter")
        await until(pilot, lambda: "PAUSED" in screen(app))
        first.waiting.append(
            JournalRecord(seq=9_999, event=ev.Progress(iteration=9, epoch=3, loss=1.0))
        )
        await pilot.press("p")
        await until(pilot, lambda: bool(opened[hot].requests))
        assert app.recorder.state.epoch == 2
    assert first.requests == []
    assert opened[hot].requests == [PauseRun(who="dashboard")]


async def test_a_run_that_cannot_be_opened_leaves_the_shown_one() -> None:
    def gone(run_id: str) -> OpenedRun:
        raise LookupError(f'no run "{run_id}"')

    app = app_of(services(open_run=gone))
    async with running(app, (120, 40)) as pilot:
        await at_runs(app, pilot, "qwen")
        await pilot.press("down", "enter")
        await until(pilot, lambda: f'no run "{OTHER}"' in screen(app))
        assert app.recorder.state.run_id == SHOWN


# --- a dashboard that may only look --------------------------------------------------------------


class Refusing(FakeRun):
    def send(self, request: AnyRequest) -> Reply:
        raise AssertionError(f"asked for {request}")


async def test_read_only_offers_and_sends_nothing() -> None:
    source = Refusing(journal_of(SHOWN))
    app = app_of(services(), source=source, read_only=True)
    async with running(app, (120, 40)) as pilot:
        assert "read only" in rows_of(app)[0]
        for label in ("p pause", "s stop after save", "S stop now"):
            assert label not in screen(app)
        for key in ("p", "s", "S", "o"):
            await pilot.press(key)
            await until(pilot, lambda: "this view is read only" in screen(app))
            assert app.screen is app.run_screen
        app._request(PauseRun(who="dashboard"))
        await pilot.pause(0.1)
        await pilot.press("question_mark")
        await until(pilot, lambda: "what the screen says" in screen(app))
        assert "hold the engine between two steps" not in screen(app)
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: "light or dark" in screen(app))
        assert "stop after save" not in screen(app)


@pytest.mark.parametrize(("lang", "text"), [("en", "read only"), ("zh", "只读")])
async def test_read_only_is_said_on_a_small_screen(lang: str, text: str) -> None:
    app = app_of(services(), read_only=True, lang=lang)
    async with running(app) as pilot:
        assert text in rows_of(app)[0]
        await pilot.press("ctrl+c")
        await until(pilot, lambda: text in "".join(rows_of(app)[1:]))
