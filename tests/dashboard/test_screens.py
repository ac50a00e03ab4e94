"""Whole screens, in the states of a run and at three sizes, against stored ones."""

import pytest
from rich.cells import cell_len
from sample_journals import STATES, FakeRun
from screen_text import check_snapshot, dashboard, rows_of, running

SIZES = ((80, 24), (120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported")
SHOWN = (
    "starting", "training", "paused_thermal", "evaluating", "finished", "failed",
    "telemetry_unknown", "foreign",
)  # fmt: skip
OTHERS = sorted(set(STATES) - set(SHOWN))


async def screen(state: str, size: tuple[int, int], lang: str = "en", **kind: bool) -> list[str]:
    journal = STATES[state]()
    source = FakeRun(journal, supervised=state not in ENDED)
    app = dashboard(journal, source, lang=lang, **kind)  # type: ignore[arg-type]
    async with running(app, size):
        return rows_of(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", SHOWN)
async def test_a_state_looks_as_it_was_found_good(state: str, size: tuple[int, int]) -> None:
    check_snapshot(f"{state}-{size[0]}x{size[1]}", await screen(state, size))


@pytest.mark.parametrize("state", OTHERS)
async def test_the_other_states_look_good_on_a_small_screen(state: str) -> None:
    check_snapshot(f"{state}-80x24", await screen(state, (80, 24)))


@pytest.mark.parametrize("state", ["paused_thermal", "training"])
async def test_chinese_looks_good_on_a_small_screen(state: str) -> None:
    rows = await screen(state, (80, 24), "zh")
    check_snapshot(f"{state}-80x24-zh", rows)
    assert {cell_len(row) for row in rows} == {80}


@pytest.mark.parametrize("state", ["starting", "telemetry_unknown", "failed", "foreign"])
async def test_in_ascii_there_is_nothing_but_ascii(state: str) -> None:
    rows = await screen(state, (120, 40), ascii_only=True)
    assert "".join(rows).isascii()


async def test_ascii_looks_good() -> None:
    rows = await screen("paused_thermal", (80, 24), ascii_only=True)
    check_snapshot("paused_thermal-80x24-ascii", rows)


async def test_a_run_that_nobody_supervises_says_so_and_how_to_mend_it() -> None:
    journal = STATES["training"]()
    app = dashboard(journal, FakeRun(journal, supervised=False))
    async with running(app):
        check_snapshot("unsupervised-80x24", rows_of(app))
