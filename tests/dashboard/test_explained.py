"""Every number on the screen answers to `?`, and the help begins where one asks."""

import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from sample_facts import facts
from sample_journals import FakeRun, finished, in_second_epoch
from screen_text import check_snapshot, dashboard, rows_of, running, until
from test_agreement import view

from timellm_dashboard.answers.answer import Table
from timellm_dashboard.answers.questions import answers, find_question
from timellm_dashboard.app import Dashboard
from timellm_dashboard.explain.explain import EXPLANATIONS, explained, part_of
from timellm_dashboard.screens.help import HelpScreen, draw_help
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.view import View
from timellm_ops.contract.state import RunState

NO_NUMBERS = ("lang", "ascii_only", "replay", "keys")
"""How it is shown, the place in a replay, which its own keys explain, and what the keys are."""


def paths(kind: Any, before: str = "") -> Iterator[str]:
    """Every field of the view down to a number or a text, by its path."""
    for field in msgspec.structs.fields(kind):
        path = f"{before}{field.name}"
        inner = structs_in(field.type)
        if inner:
            for struct in inner:
                yield from paths(struct, f"{path}.")
        else:
            yield path


def structs_in(kind: Any) -> list[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in typing.get_args(kind) for found in structs_in(part)]


@pytest.mark.parametrize("path", [p for p in paths(View) if p not in NO_NUMBERS])
def test_every_field_of_the_view_has_an_explanation(path: str) -> None:
    assert explained(path) is not None


def test_no_explanation_is_about_a_field_that_is_not_there() -> None:
    known = set(paths(View))
    for explanation in EXPLANATIONS:
        for own in explanation.covers:
            assert any(p == own or p.startswith(f"{own}.") for p in known), own


def test_the_help_shows_each_explanation_with_the_runs_own_value() -> None:
    shown = draw_help(view("training"), "overview", {}, 90)
    for explanation in EXPLANATIONS:
        assert explanation.id in shown.anchors


@pytest.mark.parametrize("panel", ["loss", "gpu", "epochs", "checkpoints", "progress", "report"])
def test_each_panel_has_a_part_of_the_help(panel: str) -> None:
    assert part_of(panel) in {explanation.id for explanation in EXPLANATIONS}


def screen(app: Dashboard) -> str:
    return "\n".join(rows_of(app))


async def test_the_help_begins_with_what_has_the_focus() -> None:
    journal = in_second_epoch()
    app = dashboard(journal, FakeRun(journal))
    async with running(app) as pilot:
        app.screen.query_one("#gpu").focus()
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until(pilot, lambda: rows_of(app)[1].strip("│ ").startswith("Temperature"))


async def test_without_a_focus_of_its_own_the_help_begins_at_the_top() -> None:
    journal = in_second_epoch()
    app = dashboard(journal, FakeRun(journal))
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "keys" in rows_of(app)[1])


async def test_tab_goes_from_part_to_part() -> None:
    journal = in_second_epoch()
    app = dashboard(journal, FakeRun(journal))
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "keys" in rows_of(app)[1])
        await pilot.press("tab")
        await until(pilot, lambda: "what the screen says" in rows_of(app)[1])
        await pilot.press("shift+tab")
        await until(pilot, lambda: "keys" in rows_of(app)[1])


def with_facts(found: typing.Callable[[RunState, float | None], Any]) -> Dashboard:
    journal = finished()
    app = dashboard(journal, FakeRun(journal, supervised=False))
    app._services = Services(facts=found)
    return app


async def test_the_seventeen_questions_are_answered_in_the_help() -> None:
    app = with_facts(lambda state, _: msgspec.structs.replace(facts("finished"), state=state))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("end")
        await until(pilot, lambda: "17. Does the same model" in screen(app))


def broken(_state: RunState, _step_s: float | None) -> Any:
    raise ValueError("no such config")


@pytest.mark.parametrize("found", [lambda _state, _step_s: None, broken], ids=["none", "broken"])
async def test_without_facts_the_help_says_where_the_answers_are(
    found: typing.Callable[[RunState, float | None], Any],
) -> None:
    app = with_facts(found)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("end")
        await until(pilot, lambda: "timellm-ops explain has them" in screen(app))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("", {}), ("-zh", {"lang": "zh"}), ("-ascii", {"ascii_only": True})],
    ids=["en", "zh", "ascii"],
)
async def test_an_answer_looks_good_on_a_small_screen(name: str, kind: dict[str, Any]) -> None:
    journal = in_second_epoch()
    app = dashboard(journal, FakeRun(journal), **kind)
    app._services = Services(
        facts=lambda state, _: msgspec.structs.replace(facts("training"), state=state)
    )
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        help_ = app.screen
        assert isinstance(help_, HelpScreen)
        await until(pilot, lambda: "question_weights" in help_._anchors)
        help_._go_to(help_._anchors["question_weights"])
        await until(pilot, lambda: "8. " in rows_of(app)[1])
        rows = rows_of(app)
    check_snapshot(f"help-weights-80x24{name}", rows)
    assert {cell_len(row) for row in rows} == {80}
    assert name != "-ascii" or "".join(rows).isascii()


def test_the_train_column_is_said_to_be_the_mse_whatever_the_loss_is() -> None:
    explanation = explained("results.rows.train")
    assert explanation is not None
    assert "train is the mean MSE over its steps" in explanation.body.en
    assert "训练是这一轮各步的平均 MSE" in explanation.body.zh


def test_the_epochs_of_the_loss_answer_are_named_as_the_mse_that_they_are() -> None:
    of = facts("finished", "train.loss=huber")
    for lang, title in (("en", "train MSE"), ("zh", "训练 MSE")):
        found = find_question("loss")
        assert found is not None
        told = next(a for a in answers(of, lang) if a.id == found.id)
        tables = [block for block in told.blocks if isinstance(block, Table)]
        assert any(title in table.rows[0] for table in tables)
