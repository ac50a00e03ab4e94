"""The overview in its rarer states, and answers of the help, on larger screens too."""

from typing import Any

import msgspec
import pytest
from rare_journals import RARE
from rich.cells import cell_len
from sample_facts import facts
from sample_journals import (
    STATES,
    FakeRun,
    Journal,
    in_second_epoch,
)
from screen_text import check_snapshot, dashboard, resized, rows_of, running, until
from textual.pilot import Pilot

from timellm_dashboard.app import Dashboard
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.services import Services
from timellm_dashboard.words.text import Lang

LARGER = ((120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported", "refused", "stopped_for_hardware")
NARROW_ELSEWHERE = (
    "first_steps", "imported", "partly_unknown", "paused_by_user", "simulated", "stopped",
    "stopping", "without_gpu",
)  # fmt: skip


async def at_sizes(name: str, journal: Journal, sizes: tuple[tuple[int, int], ...]) -> None:
    app = dashboard(journal, FakeRun(journal, supervised=name not in ENDED))
    async with running(app, sizes[0]) as pilot:
        for width, height in sizes:
            if (width, height) != sizes[0]:
                await resized(pilot, width, height)
            rows = rows_of(app)
            check_snapshot(f"{name}-{width}x{height}", rows)
            assert {cell_len(row) for row in rows} == {width}


@pytest.mark.parametrize("state", NARROW_ELSEWHERE)
async def test_the_other_states_look_good_on_larger_screens(state: str) -> None:
    await at_sizes(state, STATES[state](), LARGER)


@pytest.mark.parametrize("state", sorted(RARE))
async def test_a_rare_state_looks_as_it_was_found_good(state: str) -> None:
    await at_sizes(state, RARE[state](), ((80, 24), *LARGER))


# --- the answers of the help ---------------------------------------------------------------------


async def opened(pilot: Pilot[None], app: Dashboard) -> HelpScreen:
    await pilot.press("question_mark")
    await until(pilot, lambda: isinstance(app.screen, HelpScreen))
    found = app.screen
    assert isinstance(found, HelpScreen)
    await until(pilot, lambda: "question_weights" in found._anchors)
    return found


@pytest.mark.parametrize(
    ("lang", "kind", "topics"),
    [
        ("en", {}, ("paths", "weights", "heads", "loss", "heat", "checkpoints")),
        ("zh", {"lang": "zh"}, ("paths", "checkpoints")),
    ],
)
async def test_an_answer_looks_good_on_larger_screens(
    lang: Lang, kind: dict[str, Any], topics: tuple[str, ...]
) -> None:
    journal = in_second_epoch()
    services = Services(facts=lambda now, _: msgspec.structs.replace(facts("training"), state=now))
    app = dashboard(journal, FakeRun(journal), services=services, **kind)
    async with running(app, LARGER[0]) as pilot:
        help_ = await opened(pilot, app)
        for width, height in LARGER if lang == "en" else LARGER[:1]:
            if (width, height) != LARGER[0]:
                await resized(pilot, width, height)
            for topic in topics:
                help_._go_to(help_._anchors[f"question_{topic}"])
                await pilot.pause(0.05)
                rows = rows_of(app)
                name = f"help-{topic}-{width}x{height}{'' if lang == 'en' else '-zh'}"
                check_snapshot(name, rows)
                assert {cell_len(row) for row in rows} == {width}
