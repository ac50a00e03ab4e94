"""What a supervisor would have to do is offered where there is one, and nothing is expected of one
that has gone."""

from datetime import timedelta

import pytest
from sample_journals import STATES, ZONE, Journal, stopping

from timellm_dashboard.actions import ACTIONS, offered
from timellm_dashboard.viewmodel.view import View, view_of
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
