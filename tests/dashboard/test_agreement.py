"""The screen, plain text and JSON say the same: everything that one shows stands in the view."""

import json
import re
from datetime import timedelta

import pytest
from sample_journals import STATES, ZONE, FakeRun, Limits
from screen_text import SECONDS_LATER, dashboard, rows_of, running

from timellm_dashboard.jsonl import view_json
from timellm_dashboard.plain import headline_text, page, progress_line
from timellm_dashboard.viewmodel.view import View, view_of

ENDED = ("finished", "failed", "stopped", "imported")


def view(state: str) -> View:
    journal = STATES[state]()
    return view_of(
        journal.records,
        now_t=journal.t + SECONDS_LATER,
        wall_now=journal.wall + timedelta(seconds=SECONDS_LATER),
        supervised=state not in ENDED,
        zone=ZONE,
        limits=lambda _: Limits(),
    )


async def screen(state: str, size: tuple[int, int]) -> str:
    journal = STATES[state]()
    app = dashboard(journal, FakeRun(journal, supervised=state not in ENDED))
    async with running(app, size):
        return "\n".join(rows_of(app))


def essentials(view: View) -> list[str]:
    """What a person must find on every form, however small."""
    head, panel = view.headline, view.checkpoints
    found = [head.word, view.progress.whole.label, panel.safe.word]
    if view.left.seconds is not None:
        found.append(view.left.text)
    if view.gpu.telemetry == "known":
        found += [view.gpu.temperature.text, view.gpu.memory.text]
    if view.loss.raw.value is not None:
        found += [view.loss.raw.text, view.loss.smoothed.text]
    if head.command:
        found.append(head.command)
    for row in view.results.rows:
        found += [row.vali_mse.text, row.test_mse.text, row.test_mae.text]
    for saved in (panel.best, panel.last):
        if saved is not None:
            found.append(saved.parts[0])
    return found


def texts_of(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {text for item in value.values() for text in texts_of(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts_of(item)}
    return set()


@pytest.mark.parametrize(
    ("state", "size"),
    [
        *((state, (80, 24)) for state in sorted(STATES)),
        *((state, (120, 40)) for state in ("paused_thermal", "failed", "foreign")),
        *((state, (200, 50)) for state in ("training", "finished", "imported")),
    ],
    ids=str,
)
async def test_the_screen_shows_the_essentials_of_the_view(
    state: str, size: tuple[int, int]
) -> None:
    shown = await screen(state, size)
    for text in essentials(view(state)):
        assert text in shown, text


@pytest.mark.parametrize("state", sorted(STATES))
def test_the_page_shows_the_essentials_of_the_view(state: str) -> None:
    shown = page(view(state))
    for text in essentials(view(state)):
        assert text in shown, text


@pytest.mark.parametrize("state", sorted(STATES))
def test_json_holds_the_essentials_of_the_view_as_they_are(state: str) -> None:
    texts = texts_of(json.loads(view_json(view(state))))
    for text in essentials(view(state)):
        assert text in texts, text


@pytest.mark.parametrize(
    "state", ["starting", "paused_thermal", "evaluating", "finished", "foreign", "partly_unknown"]
)
async def test_no_number_on_any_form_is_missing_in_json(state: str) -> None:
    """A number that somebody reads anywhere can be read in JSON by a program."""
    document = view(state)
    told = " ".join(texts_of(json.loads(view_json(document))))
    known = set(re.findall(r"\d[\d.,]*", told))
    lines = [headline_text(document), progress_line(document)]
    shown = await screen(state, (200, 50))
    # The axes of the charts are the charts' own, and keys are no numbers.
    without_keys = re.sub(r"\d (?=overview|timeline|log|policies|runs|report)|1-6", "", shown)
    without_axes = re.sub(r"[\d.,]+│|└.*?│", "", without_keys)
    for text in (*lines, without_axes):
        for number in re.findall(r"\d[\d.,]*", text):
            assert number in known or number.rstrip(",.") in known, number
