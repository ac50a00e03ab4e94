"""Steps a second in a window that may reach over an epoch's end."""

import pytest
from supervision import steps_a_second

from timellm_ops.contract import events as ev


def told(*places: tuple[float, int, int]) -> list[ev.Progress]:
    return [ev.Progress(t=t, epoch=epoch, iteration=step) for t, epoch, step in places]


def test_within_an_epoch_steps_are_counted_over_their_time() -> None:
    assert steps_a_second(told((0, 1, 8), (10, 1, 20), (14, 1, 40), (99, 1, 50)), 5, 20) == 5.0


def test_what_lies_between_two_epochs_is_left_out() -> None:
    over_the_end = told((0, 1, 20), (10, 1, 40), (70, 2, 1), (80, 2, 21), (200, 3, 2))
    assert steps_a_second(over_the_end, 0, 300) == 2.0


@pytest.mark.parametrize("places", [[], [(1.0, 1, 5)], [(1.0, 1, 5), (9.0, 2, 3)]])
def test_a_window_in_which_nothing_can_be_measured_is_said_so(
    places: list[tuple[float, int, int]],
) -> None:
    with pytest.raises(SystemExit, match="give more --seconds"):
        steps_a_second(told(*places), 0.0, 10.0)
