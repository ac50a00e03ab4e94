"""What a supervisor would have to do is offered where there is one, and nothing is expected of one
that has gone."""

from datetime import timedelta

import pytest
from sample_journals import STATES, ZONE, Journal, stopping

from timellm_dashboard.actions import ACTIONS, offered
from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.rules import hold_rows
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev

ASKING = {found.id for found in ACTIONS if found.needs_supervisor}


def view(journal: Journal, *, supervised: bool = True) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + 2.0,
        wall_now=journal.wall + timedelta(seconds=2.0),
        supervised=supervised,
        zone=ZONE,
    )


@pytest.mark.parametrize(
    ("state", "supervised", "asks"),
    [
        ("training", True, True),
        ("paused_thermal", True, True),
        ("training", False, False),
        ("finished", True, False),
        ("imported", False, False),
    ],
)
def test_requests_are_offered_where_somebody_can_grant_them(
    state: str, supervised: bool, asks: bool
) -> None:
    seen = view(STATES[state](), supervised=supervised)
    found = {action.id for action in offered(seen, "policies")}
    assert "policies_change" in ASKING
    assert found & ASKING == (ASKING if asks else set())
    assert {"leave", "help", "next_screen"} <= found


def test_a_pause_that_nobody_can_lift_has_no_expected_end() -> None:
    (watched,) = view(STATES["paused_thermal"]()).rules.holds
    (alone,) = view(STATES["paused_thermal"](), supervised=False).rules.holds
    assert watched.expected
    assert not alone.expected
    assert alone.until == watched.until


@pytest.mark.parametrize("mode", ["after_checkpoint", "now"])
def test_of_a_run_that_is_told_to_stop_it_is_not_said_what_s_would_do(mode: str) -> None:
    journal = stopping()
    if mode == "now":
        journal.add(ev.Command(who="cli", what="stop now"), 1.0)
    reason = view(journal).checkpoints.safe.reason
    assert reason.startswith("200 steps at risk")
    assert ("until the next save" in reason) == (mode == "after_checkpoint")
    assert "s stops" not in reason


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("state", ["training", "first_steps", "paused_thermal"])
@pytest.mark.parametrize("only", ["read", "replay", ""])
def test_who_may_ask_nothing_is_told_of_no_key_that_asks(only: str, state: str, lang: Lang) -> None:
    journal, keys = STATES[state](), dict.fromkeys(ASKING, "KEY")
    recorder = Recorder()
    recorder.take(journal.records)
    replay = "REPLAY 60x" if only == "replay" else ""
    moment = Moment(t=journal.t, wall=journal.wall, replay=replay)
    seen = recorder.view(moment, Look(lang=lang, keys=keys, read_only=only == "read"))
    told = [seen.checkpoints.safe.reason, " ".join(map(text_of, hold_rows(seen, 80)))]
    asked = 0 if only else 2 if state == "paused_thermal" else 1
    assert sum("KEY" in text for text in told) == asked


def test_a_run_without_a_clock_is_offered_no_key_of_the_timeline() -> None:
    def own(state: str) -> list[str]:
        seen = view(STATES[state](), supervised=False)
        return [found.id for found in offered(seen, "timeline") if found.on == "timeline"]

    assert not own("imported")
    assert "timeline_left" in own("finished")
