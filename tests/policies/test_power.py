"""The power rule: a mean over some time, never a single reading, and no flapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import PowerSection
from timellm_policies.power import RESUME_SHARE, mean_power_w

PAUSING = PolicySection(power=PowerSection(action="pause", limit_w=90.0, mean_over_s=20.0))
TELLING = PolicySection(power=PowerSection(limit_w=90.0, mean_over_s=20.0))


def draws(run: WatchedRun, *watts: float | None) -> list[ev.PolicyDecision]:
    made: list[ev.PolicyDecision] = []
    for power_w in watts:
        made += run.sees(60.0, power_w=power_w)
    return made


def test_without_a_limit_any_power_is_right() -> None:
    assert draws(WatchedRun(), *[400.0] * 200) == []
    off = PolicySection(power=PowerSection(action="off", limit_w=10.0))
    assert draws(WatchedRun(policy=off), *[400.0] * 200) == []


def test_a_mean_above_the_limit_pauses_and_one_well_below_it_resumes() -> None:
    run = WatchedRun(policy=PAUSING)
    (pause,) = draws(run, *[100.0] * 40)
    assert (pause.action, pause.value, pause.threshold, pause.unit) == ("pause", 100.0, 90.0, "W")
    assert "100 W > 90 W on average over the last 20 s" in pause.reason
    assert "81 W" in pause.until
    assert pause.least_s == PAUSING.power.min_pause_s
    (resume,) = draws(run, *[20.0] * 60)
    assert actions([resume]) == ["power resume"]
    assert resume.t is not None
    assert pause.t is not None
    assert resume.t - pause.t >= PAUSING.power.min_pause_s


def test_a_short_peak_is_none() -> None:
    run = WatchedRun(policy=PAUSING)
    assert draws(run, *[80.0] * 30, *[150.0] * 2, *[80.0] * 30) == []


def test_an_alert_is_given_once_an_hour() -> None:
    run = WatchedRun(policy=TELLING)
    assert actions(draws(run, *[100.0] * 3000)) == ["power alert"]
    assert actions(draws(run, *[100.0] * 1000)) == ["power alert"]


def test_a_hold_is_lifted_where_there_is_nothing_to_read_any_more() -> None:
    run = WatchedRun(policy=PAUSING)
    draws(run, *[100.0] * 40)
    run.happens(ev.TelemetryLost(reason="no driver", permanent=True))
    assert actions(run.waits(60.0)) == ["power resume"]


READINGS = st.lists(st.none() | st.floats(0.0, 300.0), min_size=1, max_size=120)


@given(watts=READINGS)
def test_whatever_is_drawn_pauses_and_resumes_alternate_and_each_has_its_mean(
    watts: list[float | None],
) -> None:
    run = WatchedRun(policy=PAUSING)
    moves = [d for d in draws(run, *watts) if d.rule == "power"]
    expected = ["pause", "resume"] * len(moves)
    assert [d.action for d in moves] == expected[: len(moves)]
    for move in moves:
        assert move.value is not None
        if move.action == "pause":
            assert move.value >= 90.0
        else:
            assert move.value <= RESUME_SHARE * 90.0


@given(watts=READINGS, over_s=st.floats(2.0, 60.0))
def test_a_mean_lies_among_its_readings_or_is_not_told(
    watts: list[float | None], over_s: float
) -> None:
    run = WatchedRun()
    draws(run, *watts)
    mean_w = mean_power_w(run.recent, run.t, over_s)
    known = [w for w in watts if w is not None]
    if mean_w is not None:
        assert min(known) - 1e-9 <= mean_w <= max(known) + 1e-9
        assert len(watts) >= 0.8 * over_s


@pytest.mark.parametrize("gap_s", [1.0, 5.0])
def test_readings_that_cover_too_little_of_the_time_are_no_mean(gap_s: float) -> None:
    run = WatchedRun()
    run.sees(*[60.0] * 3, every_s=gap_s, power_w=100.0)
    assert mean_power_w(run.recent, run.t, 20.0) is None
