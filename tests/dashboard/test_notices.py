"""Notices stand in rows of their own: they cover nothing that is being read."""

import pytest
from sample_journals import STATES, FakeRun
from screen_text import check_snapshot, dashboard, resized, rows_of, running, until
from textual.geometry import Region
from textual.notifications import SeverityLevel
from textual.widgets._toast import Toast

from timellm_dashboard.actions import SCREEN_ORDER
from timellm_dashboard.app import NOTICE_S, Dashboard
from timellm_dashboard.words.text import Lang

LONG = "stopping once the next checkpoint is on disk, but not before the run goes on: " * 2 + "why"
SIZES = [(80, 24), (120, 40), (200, 50)]


class Lasting(Dashboard):
    """Its notices stay until they are cleared: a busy machine may take seconds for a key."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        super().notify(message, title=title, severity=severity, timeout=3600.0, markup=markup)


def shown(
    state: str = "training",
    *,
    lang: Lang = "en",
    ascii_only: bool = False,
    kind: type[Dashboard] = Lasting,
) -> Dashboard:
    journal = STATES[state]()
    return dashboard(journal, FakeRun(journal), lang=lang, ascii_only=ascii_only, kind=kind)


def toasts(app: Dashboard) -> list[Region]:
    """Where there are notices."""
    return [found.region for found in app.screen.query(Toast) if found.region]


@pytest.mark.parametrize("size", SIZES)
async def test_a_notice_covers_neither_the_body_nor_the_keys(size: tuple[int, int]) -> None:
    app = shown()
    async with running(app, size) as pilot:
        app.notify(LONG, markup=False)
        for screen in SCREEN_ORDER:
            app.go_to(screen)
            await until(pilot, lambda: app.screen is app.run_screen and len(toasts(app)) == 1)
            await pilot.pause(0.05)
            (notice,) = toasts(app)
            body, keys = (app.screen.query_one(name).region for name in ("#body", "#keys"))
            assert body.bottom == notice.y
            assert notice.bottom == keys.y
            assert keys.bottom == size[1]
            rows = rows_of(app)[notice.y : notice.bottom]
            assert " ".join(row.strip(" ▌") for row in rows) == LONG


async def test_the_newest_notice_is_seen_and_gives_its_row_back() -> None:
    app = shown()
    async with running(app) as pilot:
        await until(pilot, lambda: "q leave" in rows_of(app)[-1])
        before = rows_of(app)
        for text in ("the first of two", "the second of two"):
            app.notify(text, markup=False)
            await until(pilot, lambda text=text: text in "\n".join(rows_of(app)))  # type: ignore[misc]
        await until(pilot, lambda: "the first of two" not in "\n".join(rows_of(app)))
        app.clear_notifications()
        await until(pilot, lambda: rows_of(app) == before)


async def test_a_notice_stays_as_long_as_it_takes_to_read() -> None:
    app = shown(kind=Dashboard)
    async with running(app) as pilot:
        for text in ("taken", LONG):
            app.notify(text)
        await until(pilot, lambda: len(app._notifications) == 2)
        short, long = (found.timeout for found in app._notifications)
        assert NOTICE_S < short < NOTICE_S + 1.0
        assert long > short + 5.0


async def test_a_notice_looks_as_it_was_found_good() -> None:
    app = shown("paused_thermal")
    async with running(app) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: bool(toasts(app)))
        await resized(pilot, 80, 24)
        check_snapshot("notice-80x24", rows_of(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not app.run_screen)
        await until(pilot, lambda: "q leaves" in rows_of(app)[-1])


async def test_in_ascii_a_notice_is_ascii() -> None:
    app = shown(ascii_only=True)
    async with running(app) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: bool(toasts(app)))
        await resized(pilot, 80, 24)
        rows = rows_of(app)
        check_snapshot("notice-80x24-ascii", rows)
        assert "".join(rows).isascii()


async def test_a_chinese_notice_lines_up() -> None:
    app = shown(lang="zh")
    async with running(app) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: bool(toasts(app)))
        await resized(pilot, 80, 24)
        check_snapshot("notice-80x24-zh", rows_of(app))
