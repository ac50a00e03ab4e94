"""How much the governor corrects at a time, and how long it waits for that: small and unhurried
near the set point, quick away from it, and never for what is long past."""

import pytest
from watched_run import WatchedRun, governed, ramp, steady

from timellm_ops.contract import events as ev

GAIN = 1.0 / (55.0 * (90.0 + 20.0))
"""Share of full pace a degree and second, of the defaults; the set point is 82 °C."""


def paced(duty: float = 0.8, celsius: float = 82.0, seconds: int = 60) -> WatchedRun:
    """A run that was given this pace just now, after some time at this temperature."""
    run = governed()
    steady(run, celsius, seconds)
    run.happens(ev.PolicyDecision(action="pace", rule="governor", reason="before", value=duty))
    return run


def first(run: WatchedRun, celsius: float, within_s: int = 400) -> tuple[float, float]:
    """After how many seconds the pace is changed, and to what, on a card that stays so warm."""
    began = run.t
    for _ in range(within_s):
        for made in steady(run, celsius, 1):
            assert made.value is not None
            return run.t - began, made.value
    return 0.0, run.state.pace.duty


@pytest.mark.parametrize("celsius", [81.0, 83.0])
def test_a_small_correction_near_the_set_point_waits_for_a_minute(celsius: float) -> None:
    after_s, duty = first(paced(celsius=celsius), celsius)
    assert 60.0 <= after_s <= 65.0
    assert duty == pytest.approx(0.8 + GAIN * (82.0 - celsius) * after_s, abs=0.0026)


def test_a_large_one_near_the_set_point_does_not() -> None:
    after_s, duty = first(paced(celsius=79.6), 79.6)
    assert 30.0 < after_s < 60.0
    assert 0.815 <= duty < 0.825


def test_a_small_one_away_from_the_set_point_does_not() -> None:
    after_s, duty = first(paced(celsius=79.0), 79.0)
    assert after_s < 30.0
    assert 0.8 < duty < 0.815


def test_the_unhurried_correction_is_for_the_distance_and_not_for_the_movement() -> None:
    """A card that creeps towards the set point: its movement is within what noise may be."""
    run = paced(celsius=80.0)
    made = ramp(run, 80.0, 1.4 / 60.0, 64)
    assert [decision.value for decision in made] == [0.815]


def test_what_stays_within_a_quarter_of_a_degree_is_on_the_set_point() -> None:
    assert first(paced(celsius=81.8), 81.8) == (0.0, 0.8)
    after_s, duty = first(paced(celsius=81.5), 81.5)
    assert 60.0 <= after_s < 75.0
    assert duty == 0.805


@pytest.mark.parametrize("cool_s", [300, 1500])
def test_what_full_pace_could_not_use_up_is_not_owed_to_it_later(cool_s: int) -> None:
    short, long = governed(), governed()
    assert steady(short, 77.0, 40) == steady(long, 77.0, cool_s) == []
    began = short.t, long.t
    after, later = ramp(short, 77.0, 0.2, 40), ramp(long, 77.0, 0.2, 40)
    assert [d.value for d in after] == [d.value for d in later]
    assert [(d.t or 0.0) - began[0] for d in after] == [(d.t or 0.0) - began[1] for d in later]
    assert after


def test_what_is_longer_ago_than_five_minutes_is_not_made_up_for() -> None:
    short, long = (paced(seconds=60) for _ in range(2))
    assert steady(short, 82.0, 400) == steady(long, 82.0, 1600) == []
    after, later = steady(short, 80.5, 200), steady(long, 80.5, 200)
    assert [d.value for d in after] == [d.value for d in later]
    assert after
