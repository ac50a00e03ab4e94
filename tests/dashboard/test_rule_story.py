"""What a rule has seen and done, and which rule a person meets first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_journals import STATES, ZONE, FakeRun, Journal, Limits, in_second_epoch
from screen_text import dashboard, rows_of, running, until
from test_policies_screen import UNDER
from test_timeline_screen import eventful, silent

from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.rulestory import draw_rule_story
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.widgets.rules import RulesPanel
from timellm_ops.contract import events as ev


def story(
    journal: Journal, rule: str, width: int = 110, height: int = 30, **kind: Any
) -> list[str]:
    recorder = Recorder()
    recorder.take(journal.records)
    look = Look(zone=ZONE, limits=lambda _: Limits(), rules=UNDER, **kind)
    view = recorder.view(Moment(t=journal.t + 2.0, wall=journal.wall), look)
    (row,) = (found for found in view.rules.rows if found.rule == rule)
    drawn = draw_rule_story(view, recorder.seen, look, row, width, height)
    return [text_of(found) for found in drawn]


def test_it_tells_why_a_rule_holds_the_run_and_how_often_it_has() -> None:
    text = "\n".join(story(STATES["paused_thermal"](), "thermal"))
    assert text.startswith("‖ holding · resumes below 75 °C\n  86 °C > 85 °C in 3 of the last 5")
    assert "paused the run 1 time, 22 s in all" in text
    assert "22:14:16 thermal: pause" in text
    assert "85 pauses" in text


def test_a_rule_that_has_prolonged_a_persons_pause_has_begun_none() -> None:
    journal = STATES["paused_by_user"]()
    journal.add(ev.PolicyDecision(action="pause", rule="battery", reason="on battery"), 5.0)
    journal.add(ev.Command(who="cli", what="resume"))
    text = "\n".join(story(journal.add(ev.Alert(level="info", message="x"), 60.0), "battery"))
    assert "kept the run paused for 1 min 02 s; somebody else had paused it" in text
    assert "0 times" not in text


def test_a_rule_that_has_done_nothing_says_so() -> None:
    for rule in ("thermal", "disk"):
        text = "\n".join(story(in_second_epoch(), rule))
        assert "It has not acted in this run." in text
        assert ("temp °C" in text) == (rule == "thermal")


def test_only_its_own_deeds_are_told_the_newest_first() -> None:
    told = [row for row in story(eventful(), "governor") if row[:1] == "≈"]
    assert len(told) >= 2
    assert told == sorted(told, key=lambda row: row.split()[1], reverse=True)
    assert not any("thermal" in row for row in story(eventful(), "governor"))
    assert any("silent for 3 min" in row for row in story(silent(), "health"))


@given(
    st.sampled_from(sorted(set(STATES) - {"imported"})), st.integers(60, 140), st.integers(1, 30),
    st.sampled_from(["thermal", "governor", "health", "battery"]),
    st.sampled_from([{}, {"lang": "zh"}, {"ascii_only": True}]),
)  # fmt: skip
def test_it_keeps_to_its_room(
    state: str, width: int, height: int, rule: str, kind: dict[str, Any]
) -> None:
    drawn = story(STATES[state](), rule, width, height, **kind)
    assert len(drawn) <= height
    assert all(cell_len(row) <= width for row in drawn)
    assert "ascii_only" not in kind or "".join(drawn).isascii()


@pytest.mark.parametrize(
    ("state", "name"),
    [("paused_thermal", "thermal"), ("telemetry_unknown", "telemetry"), ("silent", "health")],
)
async def test_a_person_meets_the_rule_that_acts_and_keeps_the_one_that_they_choose(
    state: str, name: str
) -> None:
    journal = silent() if state == "silent" else STATES[state]()
    source = FakeRun(journal)
    app = dashboard(journal, source, rules=UNDER, refresh_s=0.05)
    async with running(app, (200, 50)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: f"{name}: what it has seen and done" in "".join(rows_of(app)))
        assert f"{name}: its keys" in "".join(rows_of(app))
        await pilot.press("end")
        await until(pilot, lambda: "schedule: what it has seen" in "".join(rows_of(app)))
        source.waiting.extend(Journal().add(ev.Alert(level="info", message="look")).records)
        await pilot.pause(0.2)
        table = app.screen.query_one(RulesPanel)
        assert app.view.rules.rows[table.chosen].rule == "schedule"
