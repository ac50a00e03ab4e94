"""The report screen in each of its states, and its one key."""

from pathlib import Path

import pytest
from rich.cells import cell_len
from sample_journals import STATES, FakeRun, Journal
from screen_text import check_snapshot, dashboard, rows_of, running, until

from timellm_dashboard.app import Dashboard
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report
from timellm_dashboard.screens.report import ReportScreen
from timellm_dashboard.services import Services

SIZES = ((80, 24), (120, 40), (200, 50))
ENDED = ("finished", "failed", "unsupervised")
SHOWN = ("starting", "training", "telemetry_unknown", "unsupervised", "finished", "failed")


class Shelf:
    """Where the screen takes more from, and puts the page."""

    def __init__(self, folder: Path | None = None, *, full: bool = False) -> None:
        self.folder, self.full = folder, full

    def services(self) -> Services:
        save = None if self.folder is None else self.save
        return Services(
            report_extras=lambda: Extras(last_lines=("RuntimeError: CUDA out of memory",)),
            save_report=save,
        )

    def save(self, report: Report) -> Path:
        assert self.folder is not None
        if self.full:
            raise OSError(28, "No space left on device")
        path = self.folder / "report.html"
        path.write_text(report_html(report), encoding="utf-8")
        return path


def journal_of(state: str) -> Journal:
    return STATES["training" if state == "unsupervised" else state]()


def app_of(state: str, shelf: Shelf | None = None, **kind: object) -> Dashboard:
    journal = journal_of(state)
    source = FakeRun(journal, supervised=state not in ENDED)
    app = dashboard(journal, source, **kind)  # type: ignore[arg-type]
    screen = app._screens["report"]
    assert isinstance(screen, ReportScreen)
    screen._services = (shelf or Shelf()).services()
    return app


async def shown(state: str, size: tuple[int, int], **kind: object) -> list[str]:
    app = app_of(state, **kind)
    async with running(app, size) as pilot:
        await pilot.press("6")
        await until(
            pilot, lambda: "Report of" in "".join(rows_of(app)) or "的报告" in "".join(rows_of(app))
        )
        await pilot.pause(0.05)
        return rows_of(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", SHOWN)
async def test_a_state_looks_as_it_was_found_good(state: str, size: tuple[int, int]) -> None:
    check_snapshot(f"report-{state}-{size[0]}x{size[1]}", await shown(state, size))


async def test_chinese_looks_good_on_a_small_screen() -> None:
    rows = await shown("finished", (80, 24), lang="zh")
    check_snapshot("report-finished-80x24-zh", rows)
    assert {cell_len(row) for row in rows} == {80}


async def test_ascii_looks_good() -> None:
    rows = await shown("finished", (80, 24), ascii_only=True)
    check_snapshot("report-finished-80x24-ascii", rows)
    assert "".join(rows).isascii()


async def test_it_can_be_read_to_its_end_and_back() -> None:
    app = app_of("finished")
    async with running(app) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: "outcome" in "".join(rows_of(app)))
        await pilot.press("end")
        await until(pilot, lambda: "timellm-ops predict" in "".join(rows_of(app)))
        await pilot.press("pageup", "home")
        await until(pilot, lambda: "exit code" in "".join(rows_of(app)))


async def test_w_writes_the_page(tmp_path: Path) -> None:
    app = app_of("finished", Shelf(tmp_path))
    async with running(app) as pilot:
        await pilot.press("6", "w")
        await until(pilot, lambda: "the report is in" in "".join(rows_of(app)))
    assert "Report of etth1" in (tmp_path / "report.html").read_text(encoding="utf-8")


async def test_a_page_that_cannot_be_written_is_a_notice(tmp_path: Path) -> None:
    app = app_of("finished", Shelf(tmp_path, full=True))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("6", "w")
        await until(pilot, lambda: "No space left" in "".join(rows_of(app)))


async def test_with_nowhere_to_write_it_says_so() -> None:
    app = app_of("finished")
    async with running(app) as pilot:
        await pilot.press("6", "w")
        await until(pilot, lambda: "nowhere to write" in "".join(rows_of(app)))
