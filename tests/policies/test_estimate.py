"""How long until cool, how long until hot: judged by what the card did before, or not at all."""

import math

from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.telemetry import GpuSample, TimedSample
from timellm_policies.estimate import cooling_s, heating_s


def read(*temperatures_c: float | None, every_s: float = 1.0) -> list[TimedSample]:
    return [
        TimedSample(
            i * every_s, None if c is None else GpuSample(source="simulated", temperature_c=c)
        )
        for i, c in enumerate(temperatures_c)
    ]


def climb(floor_c: float, top_c: float, constant_s: float, seconds: int) -> list[float]:
    """An exponential approach from `floor_c` towards `top_c`."""
    return [top_c - (top_c - floor_c) * math.exp(-t / constant_s) for t in range(seconds)]


def test_nothing_known_gives_no_estimate() -> None:
    assert cooling_s([], 85.0, 75.0) is None
    assert heating_s([], 75.0, 85.0) is None
    assert cooling_s(read(None, None), 85.0, 75.0) is None
    assert cooling_s(read(*[80.0] * 100), 85.0, 75.0) is None


def test_the_last_time_is_the_best_guess() -> None:
    seen = read(80.0, 86.0, 87.0, 82.0, 78.0, 74.0, 80.0, 85.0)
    assert cooling_s(seen, 85.0, 75.0) == 3.0
    assert heating_s(seen, 75.0, 85.0) == 2.0


def test_of_several_times_the_latest_counts() -> None:
    slow = [86.0, 84.0, 82.0, 80.0, 78.0, 76.0, 74.0]
    assert cooling_s(read(*slow, 86.0, 74.0), 85.0, 75.0) == 1.0


def test_readings_that_failed_are_passed_over() -> None:
    assert cooling_s(read(86.0, None, None, 74.0), 85.0, 75.0) == 3.0


def test_before_the_first_pause_the_climb_tells_how_the_card_will_cool() -> None:
    seen = read(*climb(32.0, 105.0, 90.0, 120))
    estimate_s = cooling_s(seen, 85.0, 75.0)
    assert estimate_s is not None
    exact_s = 90.0 * math.log((85.0 - 32.0) / (75.0 - 32.0))
    assert math.isclose(estimate_s, exact_s, rel_tol=0.1)


def test_too_few_readings_or_too_flat_a_climb_tell_nothing() -> None:
    assert cooling_s(read(*climb(32.0, 105.0, 90.0, 8)), 85.0, 75.0) is None
    assert cooling_s(read(*climb(80.0, 84.0, 90.0, 100)), 85.0, 75.0) is None


def test_a_goal_next_to_where_the_card_idles_is_not_predicted() -> None:
    seen = read(*climb(73.0, 105.0, 90.0, 120))
    assert cooling_s(seen, 85.0, 75.0) is None


@given(
    temperatures_c=st.lists(st.none() | st.floats(-50.0, 200.0), max_size=60),
    low_c=st.floats(0.0, 80.0),
    band_c=st.floats(0.5, 30.0),
    every_s=st.floats(0.05, 60.0),
)
def test_an_estimate_is_a_number_of_seconds_that_can_be_waited_for_or_nothing(
    temperatures_c: list[float | None], low_c: float, band_c: float, every_s: float
) -> None:
    seen = read(*temperatures_c, every_s=every_s)
    for estimate_s in (
        cooling_s(seen, low_c + band_c, low_c),
        heating_s(seen, low_c, low_c + band_c),
    ):
        assert estimate_s is None or (math.isfinite(estimate_s) and estimate_s >= 0.0)
