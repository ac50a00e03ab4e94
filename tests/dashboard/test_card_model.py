"""The card as its readings tell of it: right where it is told, and told only where it shows."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_dashboard.folds.cardmodel import CardModel, card_model, heated_of_late


def readings(
    rest_c: float,
    rise_c: float,
    tau_s: float,
    loads: Sequence[tuple[float, float]],
    seconds: int,
    begins_c: float | None = None,
    jump_c: float = 0.0,
    chip_s: float = 4.0,
) -> list[tuple[float, float]]:
    """What a thermometer of whole degrees tells, a reading a second; `jump_c` of the whole rise is
    the chip's own, with the time constant `chip_s`."""
    celsius, chip_c = rest_c if begins_c is None else begins_c, 0.0
    rise_c -= jump_c
    told = []
    for second in range(seconds):
        told.append((float(second), float(round(celsius + chip_c))))
        load = max((entry for entry in loads if entry[0] <= second), default=(0.0, 0.0))[1]
        goal_c = rest_c + rise_c * load
        celsius = goal_c + (celsius - goal_c) * math.exp(-1.0 / tau_s)
        chip_c = jump_c * load + (chip_c - jump_c * load) * math.exp(-1.0 / chip_s)
    return told


@settings(max_examples=60, deadline=None)
@given(
    rest_c=st.floats(25.0, 44.0),
    rise_c=st.floats(25.0, 80.0),
    tau_s=st.floats(20.0, 200.0),
    paced=st.floats(0.5, 1.0),
    times=st.floats(0.5, 4.0),
)
def test_a_card_that_warms_is_known_before_it_is_warm_and_what_is_known_is_right(
    rest_c: float, rise_c: float, tau_s: float, paced: float, times: float
) -> None:
    loads = ((0.0, 1.0), (tau_s, paced))
    told = readings(rest_c, rise_c, tau_s, loads, round(times * tau_s))
    card = card_model(told, loads, float(round(rest_c)))
    if card is None:
        assert times < 2.5
        return
    settles_c = rest_c + rise_c * paced
    assert card.settles_c(paced) == pytest.approx(settles_c, abs=0.15 * rise_c + 1.0)
    assert card.now_c == pytest.approx(told[-1][1], abs=1.5)


@pytest.mark.parametrize("tau_s", [45.0, 90.0, 130.0])
@pytest.mark.parametrize("rise_c", [45.0, 58.0, 70.0])
def test_it_is_known_within_seven_tenths_of_its_time_constant(tau_s: float, rise_c: float) -> None:
    """Much later, and a short run would be half over."""
    loads = ((0.0, 1.0),)
    card = card_model(readings(33.4, rise_c, tau_s, loads, round(0.7 * tau_s)), loads, 33.0)
    assert card is not None
    assert card.settles_c(1.0) == pytest.approx(33.4 + rise_c, abs=0.15 * rise_c)


@settings(max_examples=40, deadline=None)
@given(
    rise_c=st.floats(40.0, 80.0),
    jump_c=st.floats(6.0, 25.0),
    tau_s=st.floats(40.0, 200.0),
    paced=st.floats(0.5, 1.0),
)
def test_a_chip_that_is_warm_at_once_is_told_apart_from_what_cools_it(
    rise_c: float, jump_c: float, tau_s: float, paced: float
) -> None:
    loads = ((0.0, 1.0), (tau_s, paced))
    told = readings(32.0, rise_c, tau_s, loads, round(2.5 * tau_s), jump_c=jump_c)
    card = card_model(told, loads, 32.0)
    assert card is not None
    assert card.settles_c(paced) == pytest.approx(32.0 + rise_c * paced, abs=0.15 * rise_c + 1.0)
    assert card.jump_c == pytest.approx(jump_c, abs=0.4 * jump_c + 4.0)  # a part of the rise alone


@settings(max_examples=40, deadline=None)
@given(
    rise_c=st.floats(50.0, 80.0),
    jump_c=st.floats(8.0, 16.0),
    tau_s=st.floats(40.0, 120.0),
    chip_s=st.floats(0.8, 2.0),
)
def test_so_is_one_that_is_warm_in_a_second(
    rise_c: float, jump_c: float, tau_s: float, chip_s: float
) -> None:
    loads = ((0.0, 1.0), (tau_s, 0.7))
    told = readings(32.0, rise_c, tau_s, loads, round(2.5 * tau_s), jump_c=jump_c, chip_s=chip_s)
    card = card_model(told, loads, 32.0)
    assert card is not None
    assert card.jump_c > 0.0
    assert card.settles_c(0.7) == pytest.approx(32.0 + rise_c * 0.7, abs=0.1 * rise_c)


@given(tau_s=st.floats(20.0, 200.0), begins_c=st.floats(50.0, 80.0))
@settings(max_examples=30, deadline=None)
def test_one_that_begins_warm_is_known_as_well(tau_s: float, begins_c: float) -> None:
    """Its rest is not: it was never seen."""
    loads = ((0.0, 1.0),)
    told = readings(35.0, 65.0, tau_s, loads, round(3 * tau_s), begins_c)
    card = card_model(told, loads, begins_c)
    assert card is not None
    assert card.rest_c == 45.0
    assert card.settles_c(1.0) == pytest.approx(100.0, abs=6.0)


@pytest.mark.parametrize(
    "told",
    [
        [],
        [(float(second), 80.0) for second in range(300)],
        [(float(second), 60.0 + (second * 7919 % 40)) for second in range(300)],
        [(float(second), float(round(40.0 + 0.1 * second))) for second in range(300)],
        readings(30.0, 50.0, 90.0, ((0.0, 1.0),), 30),
        readings(30.0, 50.0, 90.0, ((0.0, 0.0),), 300, 70.0),
    ],
    ids=["nothing", "flat", "wild", "line", "too_short", "only_cooling"],
)
def test_where_nothing_shows_nothing_is_known(told: list[tuple[float, float]]) -> None:
    cooling = bool(told) and told[0][1] == 70.0
    assert card_model(told, ((0.0, 0.0 if cooling else 1.0),), 30.0) is None


def test_a_load_before_the_first_that_is_known_is_none() -> None:
    loads = ((60.0, 1.0),)
    told = readings(30.0, 50.0, 60.0, loads, 240)
    card = card_model(told, loads, 30.0)
    assert card is not None
    assert card.settles_c(1.0) == pytest.approx(80.0, abs=2.0)


CARDS = st.builds(
    CardModel,
    rest_c=st.floats(20.0, 45.0),
    rise_c=st.floats(20.0, 80.0),
    jump_c=st.floats(0.0, 20.0),
    time_constant_s=st.floats(15.0, 300.0),
    now_c=st.floats(20.0, 90.0),
)


@given(card=CARDS, load=st.floats(0.0, 1.0), share=st.floats(0.01, 0.99))
def test_a_passage_takes_as_long_as_it_takes_to_get_there(
    card: CardModel, load: float, share: float
) -> None:
    goal_c = card.settles_c(load)
    to_c = card.now_c + share * (goal_c - card.now_c)
    passage_s = card.passage_s(card.now_c, to_c, load)
    assert passage_s >= 0.0
    assert card.after(card.now_c, passage_s, load) == pytest.approx(to_c, abs=1e-6)


@given(card=CARDS, load=st.floats(0.0, 1.0))
def test_beyond_where_it_settles_it_never_gets(card: CardModel, load: float) -> None:
    goal_c = card.settles_c(load)
    beyond_c = goal_c + math.copysign(1.0, goal_c - card.now_c)
    assert card.passage_s(card.now_c, beyond_c, load) == math.inf


def test_what_it_has_passed_already_takes_no_time() -> None:
    card = CardModel(rest_c=30.0, rise_c=60.0, time_constant_s=90.0, now_c=70.0)
    assert card.passage_s(70.0, 60.0, 1.0) == 0.0
    assert card.passage_s(70.0, 80.0, 0.0) == 0.0


# --- the same card at other work -----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    rise_c=st.floats(40.0, 80.0),
    jump_c=st.sampled_from([0.0, 10.0]),
    tau_s=st.floats(20.0, 200.0),
    share=st.floats(0.4, 1.2),
)
def test_work_that_heats_it_less_or_more_is_known_after_two_time_constants(
    rise_c: float, jump_c: float, tau_s: float, share: float
) -> None:
    """`share`: of the heat that the work had made when the card became known."""
    seconds = round(2.0 * tau_s)
    loads = ((0.0, 1.0), (float(seconds), share))
    told = readings(32.0, rise_c, tau_s, loads, 2 * seconds + 5, jump_c=jump_c)
    card = CardModel(rest_c=32.0, rise_c=rise_c, jump_c=jump_c, time_constant_s=tau_s, now_c=0.0)
    late = heated_of_late(card, told, ((0.0, 1.0),))
    assert late is not None
    assert late.settles_c(1.0) == pytest.approx(32.0 + rise_c * share, abs=3.0 + 0.5 * jump_c)
    assert late.now_c == pytest.approx(told[-1][1], abs=1.0)


@given(tau_s=st.floats(20.0, 200.0), seconds=st.integers(0, 400))
def test_it_is_not_known_from_less_than_that_nor_while_the_card_rests(
    tau_s: float, seconds: int
) -> None:
    card = CardModel(rest_c=32.0, rise_c=50.0, time_constant_s=tau_s, now_c=0.0)
    assert heated_of_late(card, [], ((0.0, 1.0),)) is None
    if seconds < 2.0 * tau_s:
        told = readings(32.0, 50.0, tau_s, ((0.0, 1.0),), seconds)
        assert heated_of_late(card, told, ((0.0, 1.0),)) is None
    rests = ((0.0, 1.0), (3.0 * tau_s, 0.0))
    told = readings(32.0, 50.0, tau_s, rests, round(5.2 * tau_s))
    assert heated_of_late(card, told, rests) is None
