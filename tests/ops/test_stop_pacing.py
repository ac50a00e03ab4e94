"""Pacing by stops: the share of the time, whatever the turns are."""

import pytest
from driven_core import DrivenCore, kinds, progress
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import PauseRun, ResumeRun, StopRun
from timellm_ops.supervisor.stop_pacing import (
    LONGEST_TURN_S,
    REST_S,
    Account,
    next_account,
)


def stood(account: Account, duty: float, turns_s: list[float], start_t: float = 0.0) -> float:
    """Seconds that were stood over these turns."""
    t, seconds = start_t, 0.0
    account = next_account(account, duty, t)
    for turn_s in turns_s:
        seconds += turn_s if account.resting else 0.0
        t += turn_s
        account = next_account(account, duty, t)
    return seconds


@given(st.floats(0.01, 0.99), st.lists(st.floats(0.001, 0.4), min_size=50, max_size=400))
def test_the_share_holds_to_within_a_rest_and_a_turn(duty: float, turns_s: list[float]) -> None:
    wanted = (1.0 - duty) * sum(turns_s)
    assert abs(stood(Account(), duty, turns_s) - wanted) <= REST_S + 0.4 + 1e-6


@given(st.lists(st.floats(0.01, 1.0), min_size=1), st.floats(0.01, 2.0))
def test_full_speed_is_moving_at_once(duties: list[float], turn_s: float) -> None:
    account, t = Account(), 0.0
    for duty in duties:
        t += turn_s
        account = next_account(account, duty, t)
    account = next_account(account, 1.0, t + turn_s)
    assert not account.resting
    assert account.owed_s == 0.0


def test_a_machine_that_slept_is_not_stopped_for_hours() -> None:
    account = next_account(Account(), 0.5, 0.0)
    slept = next_account(account, 0.5, 8 * 3600.0)
    assert slept.owed_s <= LONGEST_TURN_S
    back = next_account(account, 0.5, -100.0)
    assert back.owed_s == 0.0


@pytest.mark.parametrize("duty", [0.5, 0.9])
def test_a_stop_is_neither_a_flicker_nor_long(duty: float) -> None:
    account, t, lengths, length = Account(), 0.0, [], 0.0
    for _ in range(3000):
        t += 0.2
        account = next_account(account, duty, t)
        if account.resting:
            length += 0.2
        elif length:
            lengths.append(length)
            length = 0.0
    assert min(lengths) >= REST_S - 0.2
    assert max(lengths) <= 2 * REST_S + 0.4


# --- in the core ---------------------------------------------------------------------------------


def paced(duty: float, *, asked_for: bool = True) -> DrivenCore:
    """A foreign engine that trains and is to be paced."""
    core = DrivenCore(foreign=True, pace_by_stops=asked_for)
    core.turn(1.0, ev.EpochStarted(epoch=1, steps=100), progress(5))
    core.note(ev.PolicyDecision(action="pace", rule="governor", reason="warm", value=duty))
    return core


def until_it_rests(core: DrivenCore) -> None:
    while not core.supervision.pacing.resting:
        core.turn(0.2)


def test_an_engine_is_stopped_and_let_go_in_turns_without_a_pause_on_record() -> None:
    core = paced(0.5)
    wanted = kinds(core.turns(20.0, every_s=0.2))
    assert wanted.count("Rest") >= 5
    assert wanted == (["Rest", "Wake"] * len(wanted))[: len(wanted)]
    assert core.run.pauses == 0
    assert core.run.duty == 0.5
    assert [e.duty for e in core.events if isinstance(e, ev.Paced)] == [0.5]


def test_nobody_is_stopped_who_did_not_ask_for_it() -> None:
    core = paced(0.5, asked_for=False)
    assert core.turns(20.0, every_s=0.2) == []
    assert core.run.duty == 1.0


@pytest.mark.parametrize(("allowed", "times"), [(False, 0), (True, 1)])
def test_rests_are_decided_for_a_script_only_where_stops_are_allowed(
    allowed: bool, times: int
) -> None:
    rests = ev.PolicyDecision(action="pace", rule="governor", reason="warm", value=0.5)
    core = DrivenCore(foreign=True, pace_by_stops=allowed, decide=lambda *_: (rests,))
    core.turn(1.0, ev.EpochStarted(epoch=1, steps=100), progress(5))
    core.turns(5.0)
    assert sum(isinstance(event, ev.PolicyDecision) for event in core.events) == times
    assert core.run.pace.duty == (0.5 if allowed else 1.0)


def test_our_own_engine_is_never_stopped() -> None:
    core = DrivenCore(pace_by_stops=True)
    core.trains()
    core.note(ev.PolicyDecision(action="pace", rule="governor", reason="warm", value=0.5))
    assert set(kinds(core.turns(20.0, every_s=0.2))) <= {"run"}


def test_a_pause_during_a_rest_lasts_and_resuming_ends_both() -> None:
    core = paced(0.5)
    until_it_rests(core)
    core.done.clear()
    core.ask(PauseRun(who="test"))
    core.turns(10.0, every_s=0.2)
    assert kinds([effect for _, effect in core.done]) == ["Suspend"]
    core.done.clear()
    core.ask(ResumeRun(who="test"))
    assert kinds([effect for _, effect in core.done]) == ["Continue"]
    core.turns(5.0, every_s=0.2)
    assert "Rest" in kinds([effect for _, effect in core.done])


def test_who_is_told_to_leave_during_a_rest_is_let_go_and_rests_no_more() -> None:
    core = paced(0.5)
    until_it_rests(core)
    core.done.clear()
    core.ask(StopRun(who="test", mode="now"))
    assert kinds([effect for _, effect in core.done]) == ["signal 15", "Wake"]
    core.turns(10.0, every_s=0.2)
    assert "Rest" not in kinds([effect for _, effect in core.done])


def test_back_at_full_speed_it_is_let_go_in_the_same_turn() -> None:
    core = paced(0.5)
    until_it_rests(core)
    core.note(ev.PolicyDecision(action="pace", rule="governor", reason="cool", value=1.0))
    core.done.clear()
    core.turn(0.0)
    assert kinds([effect for _, effect in core.done]) == ["Wake"]
    assert core.run.duty == 1.0
