"""The dashboard in a test: run without a terminal, and read as rows of characters."""

import difflib
import io
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from sample_journals import RUN_ID, ZONE, FakeRun, Journal, Limits
from textual.pilot import Pilot

from timellm_dashboard.app import Dashboard
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.words.text import Lang

SNAPSHOTS = Path(__file__).parent / "snapshots"
PICTURES = os.environ.get("TIMELLM_SNAPSHOT_PICTURES", "")
SECONDS_LATER = 2.0
_drawn: deque[str] = deque(maxlen=1)

REFRESH_S = 0.1
"""Between two looks at a journal: long enough for the process to rest in between, which a key that
is pressed waits for, up to a second."""


def dashboard(
    journal: Journal,
    source: FakeRun,
    *,
    lang: Lang = "en",
    ascii_only: bool = False,
    rules: RulesOf | None = None,
    services: Services | None = None,
    refresh_s: float = REFRESH_S,
    kind: type[Dashboard] = Dashboard,
) -> Dashboard:
    """The dashboard of `source`, two seconds after the last record of `journal`."""
    return kind(
        source,
        Look(
            lang=lang,
            zone=ZONE,
            ascii_only=ascii_only,
            limits=lambda _: Limits(),
            rules=rules,
            run_id=RUN_ID,
        ),
        now=lambda: journal.wall + timedelta(seconds=SECONDS_LATER),
        monotonic=lambda: journal.t + SECONDS_LATER,
        refresh_s=refresh_s,
        services=services,
    )


@asynccontextmanager
async def running(app: Dashboard, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """`app` on a screen of `size`, with the journal read and shown."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.loaded)
        await pilot.pause(0.05)
        yield pilot


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait until `true()`; give up, and fail, after many turns."""
    for _ in range(1_000):
        await pilot.pause(0.01)
        if true():
            return
    raise AssertionError("it never became true")


async def resized(pilot: Pilot[None], width: int, height: int) -> None:
    """Wait until the screen, at another size, is drawn for it."""
    await pilot.resize_terminal(width, height)
    await pilot.pause(0.15)


def rows_of(app: Dashboard) -> list[str]:
    """The characters on the screen, row by row."""
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, record=True,
        legacy_windows=False, safe_box=False,
    )  # fmt: skip
    console.print(
        app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    )
    if PICTURES:
        _drawn.append(console.export_svg(title=f"{width}x{height}", clear=False))
    return console.export_text().splitlines()[:height]


def check_snapshot(name: str, rows: list[str]) -> None:
    """Compare with the stored screen. `TIMELLM_UPDATE_SNAPSHOTS=1` stores this one instead.

    `TIMELLM_SNAPSHOT_PICTURES=FOLDER` puts it there as a picture as well, in its colours.
    """
    if PICTURES and _drawn:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        (Path(PICTURES) / f"{name}.svg").write_text(_drawn[-1], encoding="utf-8")
    path = SNAPSHOTS / f"{name}.txt"
    text = "\n".join(row.rstrip() for row in rows) + "\n"
    if os.environ.get("TIMELLM_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    stored = path.read_text(encoding="utf-8") if path.exists() else ""
    changes = difflib.unified_diff(stored.splitlines(), text.splitlines(), "stored", "now")
    assert stored == text, "\n".join(changes)
