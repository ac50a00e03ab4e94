"""The overview in its rarer states, and answers of the help, on larger screens too."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from sample_facts import facts
from sample_journals import (
    RUN_ID,
    STATES,
    FakeRun,
    Journal,
    foreign,
    in_second_epoch,
    paused_thermal,
    sample,
    save_last,
    started,
)
from screen_text import check_snapshot, dashboard, resized, rows_of, running, until
from textual.pilot import Pilot

from timellm_dashboard.app import Dashboard
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.services import Services
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev

LARGER = ((120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported", "refused", "stopped_for_hardware")
NARROW_ELSEWHERE = (
    "first_steps", "imported", "partly_unknown", "paused_by_user", "simulated", "stopped",
    "stopping", "without_gpu",
)  # fmt: skip


def pausing() -> Journal:
    journal = in_second_epoch()
    why = "86 °C > 85 °C in 3 of the last 5 readings"
    pause = ev.PolicyDecision(
        action="pause", rule="thermal", reason=why, until="resumes below 75 °C", expected_s=200.0
    )
    return journal.add(ev.Telemetry(sample=sample(86.0)), 1.0).add(pause)


def resuming() -> Journal:
    cool = ev.Telemetry(sample=sample(74.0, power_w=22.0, utilization_pct=0.0))
    journal = paused_thermal().add(cool, 120.0)
    why = "74 °C < 75 °C in the last 3 readings"
    return journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason=why))


def restarting() -> Journal:
    journal = in_second_epoch().add(ev.EngineExited(signal=9), 2.0)
    return journal.add(
        ev.EngineRestart(reason="the engine was ended by SIGKILL", attempt=1, wait_s=10.0)
    )


def refused() -> Journal:
    reason = "data.path: found nothing at ETTh1.csv; expected a CSV or Parquet file"
    journal = started().add(ev.EngineFailed(message=reason, kind="input"), 1.0)
    journal.add(ev.EngineExited(code=2), 0.1)
    return journal.add(ev.RunEnded(outcome="refused", exit_code=2, reason=reason))


def stopped_for_hardware() -> Journal:
    why = "97 °C ≥ 97 °C: saving and stopping before the card shuts itself down"
    journal = in_second_epoch().add(ev.Telemetry(sample=sample(97.0)), 1.0)
    journal.add(ev.PolicyDecision(action="stop", rule="thermal", reason=why, value=97.0))
    save_last(journal, 2, 1_200).add(ev.EngineExited(code=0), 1.0)
    return journal.add(
        ev.RunEnded(
            outcome="stopped_for_hardware",
            exit_code=5,
            reason=f"{why}; stopped at step 3200 of 6000; the checkpoint is on disk;"
            f" go on with: timellm-ops run --resume {RUN_ID}",
        )
    )


def stopping_now() -> Journal:
    return in_second_epoch().add(ev.Command(who="dashboard", what="stop now"), 1.0)


def foreign_stopping() -> Journal:
    return foreign().add(ev.Command(who="cli", what="stop checkpoint"), 1.0)


RARE: dict[str, Callable[[], Journal]] = {
    "pausing": pausing,
    "resuming": resuming,
    "restarting": restarting,
    "refused": refused,
    "stopped_for_hardware": stopped_for_hardware,
    "stopping_now": stopping_now,
    "foreign_stopping": foreign_stopping,
}


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
    services = Services(facts=lambda now: msgspec.structs.replace(facts("training"), state=now))
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
