"""The hot phase of readings: found where a chip is quick, and nowhere else."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_run import WatchedRun, governed

from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records
from timellm_policies.hotphase import NONE, hot_phase
from timellm_policies.readings import Temperature


def readings(
    celsius: Callable[[float], float], seconds: int = 120, every_s: float = 1.0
) -> list[Temperature]:
    return [
        Temperature(500.0 + i * every_s, float(round(celsius(i * every_s))))
        for i in range(round(seconds / every_s))
    ]


def test_a_card_that_stands_still_or_moves_evenly_has_none() -> None:
    assert hot_phase(readings(lambda _: 82.0)).over_c == 0.0
    assert hot_phase(readings(lambda t: 40.0 + 0.4 * t)).over_c == 0.0


@given(
    tau_s=st.floats(30.0, 300.0),
    way_c=st.floats(-60.0, 60.0),
    began_s=st.floats(0.0, 300.0),
    every_s=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
)
@settings(max_examples=40)
def test_nor_has_one_that_warms_or_cools_as_a_whole(
    tau_s: float, way_c: float, began_s: float, every_s: float
) -> None:
    def celsius(t: float) -> float:
        return 80.0 - way_c * math.exp(-(t + began_s) / tau_s)

    assert hot_phase(readings(celsius, every_s=every_s)).over_c == 0.0


@pytest.mark.parametrize("every_s", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_nor_has_a_noisy_thermometer(seed: int, every_s: float) -> None:
    noise = random.Random(seed)
    found = hot_phase(readings(lambda _: 82.4 + noise.gauss(0.0, 0.5), every_s=every_s))
    assert found.over_c <= 0.25


@given(
    hot_c=st.floats(5.0, 20.0),
    duty=st.floats(0.3, 0.85),
    period_s=st.floats(2.3, 7.0),
    per_s=st.floats(-0.1, 0.1),
)
@settings(max_examples=40)
def test_work_and_rests_show_as_what_work_is_above_the_mean(
    hot_c: float, duty: float, period_s: float, per_s: float
) -> None:
    def celsius(t: float) -> float:
        working = t % period_s < duty * period_s
        return 70.0 + per_s * t + (hot_c if working else 0.0)

    found = hot_phase(readings(celsius, every_s=0.7))
    assert found.above_c == pytest.approx(hot_c * (1.0 - duty), abs=0.15 * hot_c + 1.0)
    assert found.over_c <= found.above_c


def test_more_than_the_newest_half_minute_counts_and_a_new_swing_tells_soon() -> None:
    def swings(t: float) -> float:
        return 76.0 + (8.0 if t % 4.0 < 2.0 else 0.0)

    began = hot_phase(readings(lambda t: 80.0 if t < 90.0 else swings(t)))
    over = hot_phase(readings(lambda t: swings(t) if t < 90.0 else 80.0))
    assert began.over_c > 1.5
    assert over.over_c > 1.5


def test_few_readings_tell_nothing() -> None:
    assert hot_phase([]) == NONE
    assert hot_phase(readings(lambda t: 70.0 + 10.0 * (t % 2.0), seconds=4)) == NONE


def test_the_readings_of_a_real_quick_chip_have_one() -> None:
    journal = Path(__file__).parents[1] / "fixtures" / "journals" / "paused_by_a_real_card.jsonl"
    events = [record.event for record in read_records(journal)]
    resumed_t = max(e.t or 0.0 for e in events if isinstance(e, ev.Resumed))
    told = [
        Temperature(e.t, e.sample.temperature_c)
        for e in events
        if isinstance(e, ev.Telemetry) and e.t is not None and e.sample.temperature_c is not None
    ]
    paced = [r for r in told if resumed_t < r.t < told[-1].t - 2.0]
    found = hot_phase(paced)
    assert 2.5 < found.above_c < 5.0
    assert found.over_c > 1.0


# --- what the governor makes of it ---------------------------------------------------------------


def swinging(run: WatchedRun, mean_c: float, seconds: int) -> list[ev.PolicyDecision]:
    """Four degrees up and down every few seconds."""
    return run.sees(
        *[mean_c + (4.0 if second % 5 < 2 else -8.0 / 3.0) for second in range(seconds)]
    )


def test_a_mean_on_the_set_point_is_too_hot_where_the_chip_swings() -> None:
    run = governed()
    made = swinging(run, 82.0, 240)
    assert made
    assert run.state.pace.duty < 0.95
    assert made[0].reason.startswith("81.2 °C, up to 85.5 °C at work, to be held at 82 °C: ")
    assert "a minute" not in made[0].reason, "no swing is told as a trend"


def test_with_room_up_to_what_pauses_it_is_the_mean_that_is_held() -> None:
    run = governed(set_point_c=72.0)
    assert swinging(run, 72.0, 400) == []
    assert run.state.pace.duty == 1.0
