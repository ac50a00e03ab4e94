"""The governor on a card whose chip is quick: it reads hot at work and cool in rests.

The card is the laptop's of the other nights, but so many degrees of the warmth at full load come
and go with the chip itself, within a second. What is held to the limits is then the hot phase of
the readings, which is what the rule that pauses sees.
"""

import pytest
from laptop_nights import LAPTOP, night

from timellm_policies.simulate import Rehearsal, Strategy

SPAN_W = LAPTOP.load_power_w - LAPTOP.idle_power_w


def quick(chip_c: float, *room_c: float, strategy: Strategy = "duty", **more: float) -> Rehearsal:
    """A night on a card of which `chip_c` degrees between idling and full load are the chip's."""
    chip = chip_c / SPAN_W
    resistance = LAPTOP.resistance_c_per_w - chip
    return night(strategy, *room_c, chip_c_per_w=chip, resistance_c_per_w=resistance, **more)


def assert_held(found: Rehearsal) -> None:
    assert found.pauses == 0
    assert found.highest_settled_c < 85.0, "the hot phase stays below what pauses"
    assert found.above_pause_s < 60.0, "while it settles"
    assert found.max_c < 87.0
    assert found.share_of_bound >= 0.93


@pytest.mark.parametrize("step_s", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("room_c", [24.0, 32.0, 40.0])
@pytest.mark.parametrize("chip_c", [5.0, 10.0])
def test_the_hot_phase_stays_below_what_pauses(chip_c: float, room_c: float, step_s: float) -> None:
    assert_held(quick(chip_c, room_c, step_s=step_s))


@pytest.mark.parametrize("wrong", [0.5, 2.0])
def test_it_does_though_it_is_wrong_about_the_card_by_2(wrong: float) -> None:
    assert_held(quick(10.0, 32.0, step_s=3.0, slow=wrong, warm=wrong))


@pytest.mark.parametrize(
    "trouble",
    [{"noise_c": 0.5}, {"late_s": 5.0}, {"poll_s": 3.0}, {"chip_time_constant_s": 2.0}],
    ids=str,
)
def test_it_does_with_noisy_late_and_rare_readings(trouble: dict[str, float]) -> None:
    assert_held(quick(10.0, 32.0, step_s=3.0, **trouble))


def test_a_chip_that_is_most_of_the_warmth_is_held_where_the_mean_would_be_paused() -> None:
    found = quick(15.0, 40.0, step_s=3.0)
    assert_held(found)
    assert found.mean_c < 78.0


def test_more_is_done_than_with_pauses() -> None:
    paced, paused = (quick(10.0, 32.0, step_s=3.0, strategy=name) for name in ("duty", "pause"))
    assert paced.steps > paused.steps
    assert paused.pauses > 10


def test_short_steps_leave_the_mean_on_the_set_point() -> None:
    found = quick(10.0, 32.0, step_s=0.1)
    assert found.share_of_bound >= 0.98
    assert found.swing_c <= 2.0


@pytest.mark.parametrize("chip_c", [5.0, 10.0])
def test_a_power_limit_has_no_hot_phase(chip_c: float) -> None:
    found = quick(chip_c, 32.0, step_s=3.0, strategy="power")
    assert_held(found)
    assert found.swing_c <= 2.0


@pytest.mark.parametrize("chip_c", [5.0, 10.0])
def test_a_quick_card_that_stays_cool_is_left_alone(chip_c: float) -> None:
    assert quick(chip_c, 10.0, hours=0.5, step_s=3.0).decisions == 0


def test_the_journal_is_not_filled_with_decisions() -> None:
    assert quick(10.0, 32.0, step_s=3.0).decisions <= 60
    assert quick(10.0, 32.0, step_s=3.0, noise_c=0.5).decisions <= 80
