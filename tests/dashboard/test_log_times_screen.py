"""The times of the log's lines on the screen: told, gone to, and shared with the timeline."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from sample_journals import STATES, FakeRun
from screen_text import check_snapshot, dashboard, rows_of, running, until
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.app import Dashboard
from timellm_dashboard.log.times import LogTimes
from timellm_dashboard.services import Services
from timellm_dashboard.widgets.timedlog import TimedLog
from timellm_dashboard.widgets.timeline import TimelinePanel

LINES = 1000


def begin(state: str = "finished") -> datetime:
    return next(r.event.at for r in STATES[state]().records if r.event.at is not None)


def times_of(log: Path, first: datetime, every_s: float = 1.0) -> LogTimes:
    """A line every second; of the last ten nobody knows."""
    ends, at = [], 0
    for line in log.read_bytes().splitlines(keepends=True):
        at += len(line)
        ends.append(at)
    ends = ends[:-10]
    return LogTimes(ends, [first.timestamp() + n * every_s for n in range(len(ends))])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "engine.log"
    path.write_text("".join(f"line {n}\n" for n in range(1, LINES + 1)))
    return path


def app_of(
    log: Path,
    times: Callable[[], LogTimes] | None,
    state: str = "finished",
    **kind: object,
) -> Dashboard:
    journal = STATES[state]()
    source = FakeRun(journal, supervised=False)
    services = Services(log=log, log_times=times)
    return dashboard(journal, source, services=services, **kind)  # type: ignore[arg-type]


def title(app: Dashboard) -> str:
    return str(app.run_screen.query_one(TimedLog).border_title)


def cursor_line(app: Dashboard) -> str:
    return next(row for row in rows_of(app) if row.startswith(" > ")).strip(" >")


async def opened(pilot: Pilot[None], app: Dashboard) -> None:
    app.go_to("log")
    await until(pilot, lambda: bool(app.run_screen.query(TimedLog)))
    await until(pilot, lambda: f"of {LINES:,}" in title(app) or "共" in title(app))


async def typed(pilot: Pilot[None], app: Dashboard, answer: str) -> None:
    await pilot.press("g")
    app.screen.query_one(Input).value = answer
    await pilot.press("enter")


async def test_following_asks_for_no_times_and_reading_further_up_tells_them(log: Path) -> None:
    asked = []

    def times() -> LogTimes:
        asked.append(threading.current_thread() is threading.main_thread())
        return times_of(log, begin())

    app = app_of(log, times)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.pause(0.3)
        assert asked == []
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: ":" in title(app))
        line = int(title(app).split("line ")[1].split(" ")[0])
        told = (begin() + timedelta(seconds=line - 1)).strftime(":%M:%S")
        assert told in title(app)
        assert asked == [False]
        check_snapshot("log-times-80x24", rows_of(app))


@pytest.mark.parametrize(
    ("answer", "line"),
    [("200", "line 200"), ("999999", "line 1000"), ("0", "line 1"), ("10%", "line 101"),
     ("100%", "line 1000"), ("-100s", "line 890"), ("+1h", "line 1000")],
)  # fmt: skip
async def test_a_line_a_share_or_a_step_of_time_leads_there(
    log: Path, answer: str, line: str
) -> None:
    app = app_of(log, lambda: times_of(log, begin()))
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, answer)
        await until(pilot, lambda: cursor_line(app) == line)
        assert "f follows" in title(app) or "this is all" in title(app)


async def test_steps_of_time_count_from_the_line_of_the_cursor(log: Path) -> None:
    app = app_of(log, lambda: times_of(log, begin()))
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "500")
        await until(pilot, lambda: cursor_line(app) == "line 500" and ":" in title(app))
        await typed(pilot, app, "-1m")
        await until(pilot, lambda: cursor_line(app) == "line 440")
        await typed(pilot, app, "+2m")
        await until(pilot, lambda: cursor_line(app) == "line 560")


async def test_a_time_leads_to_the_line_that_was_newest(log: Path) -> None:
    first = begin()
    app = app_of(log, lambda: times_of(log, first, every_s=30.0))
    there = first + timedelta(seconds=30 * 299 + 12)
    async with running(app) as pilot:
        await opened(pilot, app)
        clock = there.astimezone(app._look.zone)
        await typed(pilot, app, f"{clock:%H:%M:%S}")
        await until(pilot, lambda: cursor_line(app) == "line 300")
        told = (first + timedelta(seconds=30 * 299)).astimezone(app._look.zone)
        assert f"{told:%H:%M:%S}" in title(app)
        before = (first - timedelta(hours=1)).astimezone(app._look.zone)
        await typed(pilot, app, f"{before:%m-%d %H:%M}")
        await until(pilot, lambda: cursor_line(app) == "line 1")
        assert "before the first line" in "\n".join(rows_of(app))


async def test_more_than_a_day_is_told_with_its_days(log: Path) -> None:
    app = app_of(log, lambda: times_of(log, begin(), every_s=600.0))
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "500")
        told = (begin() + timedelta(seconds=600 * 499)).astimezone(app._look.zone)
        await until(pilot, lambda: f"{told:%m-%d %H:%M:%S}" in title(app))


async def test_a_column_tells_the_time_of_every_line(log: Path) -> None:
    with log.open("a") as file:
        file.write("".join(f"a long one {'x' * 70}|{n}\n" for n in range(3)))
    times = times_of(log, begin())
    app = app_of(log, lambda: times)
    async with running(app) as pilot:
        app.go_to("log")
        await until(pilot, lambda: bool(app.run_screen.query(TimedLog)))
        await until(pilot, lambda: "of 1,003" in title(app))
        await pilot.press("T")

        def told(line: int) -> str:
            at = (begin() + timedelta(seconds=line - 1)).astimezone(app._look.zone)
            return f"{at:%H:%M:%S}   line {line}"

        await until(pilot, lambda: any(told(990) in row for row in rows_of(app)))
        assert "following" in title(app) or "this is all" in title(app)
        await pilot.press("w", "up", "up")
        await until(pilot, lambda: any(set(row.strip()) == set("x|2") for row in rows_of(app)))
        check_snapshot("log-times-column-80x24", rows_of(app))
        await typed(pilot, app, "500")
        await until(pilot, lambda: any(told(499) in row for row in rows_of(app)))
        await pilot.press("T")
        await until(pilot, lambda: not any(told(499) in row for row in rows_of(app)))


async def test_a_column_goes_on_with_the_log_and_when_the_run_has_ended(log: Path) -> None:
    asked: list[int] = []

    def times() -> LogTimes:
        asked.append(1)
        return times_of(log, begin())

    app = app_of(log, times)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("T")
        await until(pilot, lambda: len(asked) == 1)
        await pilot.pause(0.3)
        assert len(asked) == 1
        with log.open("a") as file:
            file.write("one more\n")
        await until(pilot, lambda: len(asked) == 2)


async def test_with_a_filter_a_time_leads_to_the_next_line_that_is_shown(log: Path) -> None:
    app = app_of(log, lambda: times_of(log, begin()))
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("ampersand")
        app.screen.query_one(Input).value = "re:00$"
        await pilot.press("enter")
        await until(pilot, lambda: "10 with" in title(app))
        await typed(pilot, app, "250")
        await until(pilot, lambda: cursor_line(app) == "line 300")
        told = (begin() + timedelta(seconds=299)).astimezone(app._look.zone)
        await until(pilot, lambda: f"{told:%H:%M:%S}" in title(app))


async def test_what_leads_nowhere_is_said_and_can_be_mended(log: Path) -> None:
    app = app_of(log, lambda: times_of(log, begin()))
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "25:00")
        await until(pilot, lambda: "found “25:00”; expected a time" in "\n".join(rows_of(app)))
        check_snapshot("log-goto-bad-80x24", rows_of(app))
        app.screen.query_one(Input).value = "70"
        await pilot.press("enter")
        await until(pilot, lambda: cursor_line(app) == "line 70")
        await typed(pilot, app, "")
        await until(pilot, lambda: not app.screen.query_one("#log-prompt").display)
        assert cursor_line(app) == "line 70"


def _gone() -> LogTimes:
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (None, "Nobody has recorded when these lines"),
        (LogTimes, "Nobody has recorded when these lines"),
        (_gone, "The times of the lines cannot be read: the disk is gone"),
    ],
)
async def test_without_times_a_line_can_be_gone_to_and_a_time_is_said_to_be_unknown(
    log: Path, times: Callable[[], LogTimes] | None, said: str
) -> None:
    app = app_of(log, times)
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "02:13")
        await until(pilot, lambda: said in "\n".join(rows_of(app)))
        assert cursor_line(app) == "line 1000"
        await typed(pilot, app, "12")
        await until(pilot, lambda: cursor_line(app) == "line 12")
        await pilot.press("enter")
        told = "Nobody has recorded when this line was printed"
        await until(pilot, lambda: told in "\n".join(rows_of(app)))
        assert app.run_screen.screen_id == "log"


async def test_while_times_are_looked_up_that_is_said_and_esc_ends_it(log: Path) -> None:
    may_go = threading.Event()

    def slow() -> LogTimes:
        may_go.wait(10)
        return times_of(log, begin())

    app = app_of(log, slow)
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "-5m")
        await until(pilot, lambda: "looking up the times" in title(app))
        await pilot.press("escape")
        await until(pilot, lambda: "looking up the times" not in title(app))
        may_go.set()
        await pilot.pause(0.2)
        assert cursor_line(app) == "line 1000"


async def test_enter_leads_to_the_same_moment_on_the_timeline_and_back(log: Path) -> None:
    first = begin()
    app = app_of(log, lambda: times_of(log, first))
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "90")
        await until(pilot, lambda: ":" in title(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.run_screen.screen_id == "timeline")
        panel = app.run_screen.query_one(TimelinePanel)
        assert panel.moment is not None
        assert abs((panel.moment - first).total_seconds() - 89) <= 2.0
        await pilot.press("home", "right")
        await until(pilot, lambda: bool(panel._drawn))
        expected = panel.moment
        assert expected is not None
        await pilot.press("enter")
        await until(pilot, lambda: app.run_screen.screen_id == "log")
        line = int((expected - first).total_seconds()) + 1
        await until(pilot, lambda: cursor_line(app) == f"line {line}")


async def test_enter_leads_to_a_log_that_was_not_seen_before(log: Path) -> None:
    first = begin()
    app = app_of(log, lambda: times_of(log, first))
    async with running(app) as pilot:
        app.go_to("timeline")
        await until(pilot, lambda: bool(app.run_screen.query(TimelinePanel)))
        panel = app.run_screen.query_one(TimelinePanel)
        await until(pilot, lambda: bool(panel._drawn))
        await pilot.press("enter")
        await until(pilot, lambda: app.run_screen.screen_id == "log")
        await until(pilot, lambda: cursor_line(app) == "line 1000")
        assert app.run_screen.query_one(TimedLog).follows
        await pilot.press("2", "left", "left", "left")
        await until(pilot, lambda: panel.moment is not None)
        moment = panel.moment
        assert moment is not None
        await pilot.press("enter")
        line = min(LINES, int((moment - first).total_seconds()) + 1)
        await until(pilot, lambda: cursor_line(app) == f"line {line}")


async def test_enter_leads_to_a_moment_in_a_log_that_was_not_seen_before(log: Path) -> None:
    first = begin()
    app = app_of(log, lambda: times_of(log, first))
    async with running(app) as pilot:
        app.go_to("timeline")
        await until(pilot, lambda: bool(app.run_screen.query(TimelinePanel)))
        panel = app.run_screen.query_one(TimelinePanel)
        await until(pilot, lambda: bool(panel._drawn))
        panel.show_moment(first + timedelta(seconds=400))
        await pilot.press("enter")
        await until(pilot, lambda: app.run_screen.screen_id == "log")
        await until(pilot, lambda: any(row.startswith(" > line 40") for row in rows_of(app)))


async def test_following_leads_to_the_present_of_the_timeline(log: Path) -> None:
    app = app_of(log, None)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: app.run_screen.screen_id == "timeline")
        assert app.run_screen.query_one(TimelinePanel).moment is None


@pytest.mark.parametrize("kind", [{"lang": "zh"}, {"ascii_only": True}])
async def test_it_is_said_in_chinese_and_in_ascii(log: Path, kind: dict[str, object]) -> None:
    app = app_of(log, lambda: times_of(log, begin()), **kind)
    async with running(app) as pilot:
        await opened(pilot, app)
        await typed(pilot, app, "500")
        await until(pilot, lambda: cursor_line(app) == "line 500" and ":" in title(app))
        await pilot.press("g")
        await pilot.pause(0.1)
        rows = rows_of(app)
        name = "ascii" if "ascii_only" in kind else "zh"
        check_snapshot(f"log-goto-80x24-{name}", rows)
        assert {cell_len(row) for row in rows} == {80}
        assert name == "zh" or "".join(rows).isascii()


def test_the_place_of_a_clock_time_is_the_inverse_of_the_time_of_a_place() -> None:
    for state in STATES:
        journal = STATES[state]()
        app = dashboard(journal, FakeRun(journal, supervised=False))
        app.recorder.take(journal.records)
        trace = app.recorder.history.trace
        for n in range(101):
            x = trace.extent_s * n / 100
            at = trace.at(x)
            place = None if at is None else trace.place(at)
            assert (at is None) == (place is None)
            if at is not None and place is not None:
                assert place == pytest.approx(x, abs=2.5) or trace.at(place) == at
        if trace.extent_s and trace.at(0.0) is not None:
            assert trace.place(datetime(1999, 1, 1, tzinfo=UTC)) == 0.0
            assert trace.place(datetime(2999, 1, 1, tzinfo=UTC)) == trace.extent_s
