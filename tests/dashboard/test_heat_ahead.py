"""What heat will still cost: bounds that hold for any card, and whole runs on the thermal model."""

import math
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from made_runs import told_of
from msgspec.structs import replace
from rehearsed_runs import Planned, rehearsed
from sample_journals import Limits
from test_card_model import CARDS

from timellm_dashboard.folds.cardmodel import CardModel
from timellm_dashboard.folds.pausecycles import pauses_within
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.heatahead import fades_s, paced_s, pauses_ahead, settled_pace
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeleft import time_left
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GovernorSection, PolicySection, SimulatedGpuSection

PACES = st.floats(0.2, 1.0)
SECONDS = st.floats(0.0, 50_000.0)
ONE_S = st.floats(1.0, 2_000.0)

# --- a pace that goes to where it settles --------------------------------------------------------


@given(work_s=SECONDS, pace=PACES, settled=PACES, slowly_s=ONE_S)
def test_work_takes_as_long_as_at_one_of_the_two_paces_or_in_between(
    work_s: float, pace: float, settled: float, slowly_s: float
) -> None:
    seconds = paced_s(work_s, pace, settled, slowly_s)
    fast, slow = max(pace, settled), min(pace, settled)
    assert work_s / fast - 1e-6 <= seconds <= work_s / slow + 1e-6


def test_a_record_of_no_pace_at_all_makes_no_time_endless() -> None:
    assert 200.0 <= paced_s(100.0, 0.0, 0.5, 60.0) < 1_000.0


@given(pace=PACES, settled=PACES, slowly_s=ONE_S, seconds=SECONDS)
def test_it_is_the_time_in_which_that_pace_does_that_work(
    pace: float, settled: float, slowly_s: float, seconds: float
) -> None:
    faded_s = slowly_s * -math.expm1(-seconds / slowly_s)
    work_s = settled * seconds + (pace - settled) * faded_s
    assert paced_s(work_s, pace, settled, slowly_s) == pytest.approx(seconds, rel=1e-6, abs=1e-6)


@given(work_s=SECONDS, more_s=SECONDS, pace=PACES, settled=PACES, slowly_s=ONE_S)
def test_more_work_never_takes_less_time(
    work_s: float, more_s: float, pace: float, settled: float, slowly_s: float
) -> None:
    longer_s = paced_s(work_s + more_s, pace, settled, slowly_s)
    assert longer_s >= paced_s(work_s, pace, settled, slowly_s) - 1e-6


@given(card=CARDS, held_c=st.floats(40.0, 100.0), cooler_c=st.floats(0.0, 40.0))
def test_a_cooler_card_is_never_worked_more(
    card: CardModel, held_c: float, cooler_c: float
) -> None:
    settled = settled_pace(card, held_c, 0.2)
    assert 0.2 <= settled_pace(card, held_c - cooler_c, 0.2) <= settled <= 1.0
    assert fades_s(card, held_c) > 0.0


# --- pauses --------------------------------------------------------------------------------------


@given(moving_s=SECONDS, more_s=SECONDS, first_s=st.floats(-100.0, 900.0), doubt_s=ONE_S)
def test_pauses_to_come_are_never_fewer_in_more_time(
    moving_s: float, more_s: float, first_s: float, doubt_s: float
) -> None:
    count = pauses_within(moving_s, first_s, 300.0, doubt_s)
    assert 0.0 <= count <= pauses_within(moving_s + more_s, first_s, 300.0, doubt_s) + 1e-9


@given(moving_s=SECONDS, first_s=st.floats(0.0, 900.0), doubt_s=st.floats(1.0, 300.0))
def test_they_are_at_most_one_off_from_where_each_comes_when_it_is_due(
    moving_s: float, first_s: float, doubt_s: float
) -> None:
    due = 0 if moving_s < first_s else 1 + int((moving_s - first_s) / 300.0)
    assert abs(pauses_within(moving_s, first_s, 300.0, doubt_s) - due) <= 1.0


def test_one_that_is_not_due_yet_is_not_counted_where_they_come_evenly() -> None:
    assert pauses_within(100.0, 150.0, 300.0, 60.0) == 0.0
    assert pauses_within(200.0, 150.0, 300.0, 60.0) == 1.0
    assert pauses_within(150.0, 150.0, 300.0, 60.0) == 0.5


@given(card=CARDS, moving_s=SECONDS, pace=PACES)
def test_a_card_that_stays_below_the_limit_is_never_paused(
    card: CardModel, moving_s: float, pace: float
) -> None:
    assume(card.settles_c(pace) < Limits.pause_above_c)
    assert pauses_ahead(card, moving_s, pace, Limits()) is None


@given(card=CARDS, moving_s=SECONDS, pace=PACES, held=st.booleans())
def test_each_pause_lasts_as_long_as_pauses_must(
    card: CardModel, moving_s: float, pace: float, held: bool
) -> None:
    ahead = pauses_ahead(card, moving_s, pace, Limits(), held=held)
    if ahead is not None:
        assert math.isfinite(ahead.count)
        assert ahead.count >= 0.0
        assert ahead.each_s >= Limits.least_pause_s


@given(card=CARDS, moving_s=SECONDS, pace=PACES, moved_s=st.floats(0.0, 60.0))
def test_what_may_not_be_paused_yet_is_never_paused_more_often(
    card: CardModel, moving_s: float, pace: float, moved_s: float
) -> None:
    free = pauses_ahead(card, moving_s, pace, Limits())
    bound = pauses_ahead(card, moving_s, pace, Limits(), moved_s=moved_s)
    if free is not None:
        assert bound is not None
        assert bound.count <= free.count + 0.5
        assert bound.each_s == free.each_s
        if moving_s <= Limits.least_pause_s - moved_s:
            assert bound.count <= 0.5


def test_the_pause_that_holds_it_is_not_counted_again() -> None:
    card = CardModel(rest_c=32.5, rise_c=60.0, time_constant_s=90.0, now_c=86.0)
    moving = pauses_ahead(card, 30.0, 1.0, Limits())
    held = pauses_ahead(card, 30.0, 1.0, Limits(), held=True)
    assert moving is not None
    assert held is not None
    assert (moving.count, held.count) == (1.0, 0.0)


# --- whole runs ----------------------------------------------------------------------------------


def errors(planned: Planned, *, seen: bool = True, after_s: float = 0.0) -> list[float]:
    """From 3 % of the run on, and not before second `after_s`, how far off the time left was;
    `seen`: the limits are known."""
    events = rehearsed(planned)
    whole_s = events[-1].t
    assert whole_s is not None
    limits = Limits(held_c=82.0 if planned.policy.governor.enabled else None)
    look = Look(limits=lambda _: limits) if seen else Look()
    found = []
    for one in told_of(events):
        t, at = one.event.t, one.event.at
        assert t is not None
        assert at is not None
        if (
            isinstance(one.event, ev.Progress)
            and t >= max(after_s, 0.03 * whole_s)
            and one.state.step > 1
        ):
            left = time_left(one.state, one.history, Moment(t=t, wall=at), look)
            assert left.seconds is not None
            found.append(abs(left.seconds - (whole_s - t)) / (whole_s - t))
    return found


HOT = SimulatedGpuSection(whole_degrees=True, resistance_c_per_w=0.6)
WARM = SimulatedGpuSection(whole_degrees=True, resistance_c_per_w=0.5)
QUICK = replace(HOT, ambient_c=32.0, resistance_c_per_w=0.5, chip_c_per_w=0.1)
"""As hot as that one, ten degrees of it with the chip itself."""
UNPACED = PolicySection(governor=GovernorSection(enabled=False))


@pytest.mark.parametrize(
    "planned",
    [
        Planned(card=HOT, steps=200),
        Planned(card=replace(HOT, ambient_c=32.0, noise_c=0.5), steps=400),
        Planned(card=HOT, steps=200, policy=UNPACED),
        Planned(card=replace(HOT, ambient_c=32.0), steps=500, policy=UNPACED),
        Planned(card=WARM, steps=200, jump_c=12.0),
        Planned(card=WARM, steps=200, jump_c=12.0, policy=UNPACED),
        Planned(card=QUICK, steps=200),
        Planned(card=QUICK, step_s=3.0, steps=25, told_every=2),
    ],
    ids=[
        "paced",
        "paced_noisy_in_a_warm_room",
        "paused",
        "paused_often",
        "paced_jump",
        "paused_jump",
        "paced_quick_chip",
        "paced_quick_chip_and_long_steps",
    ],
)
def test_a_run_that_gets_hot_is_told_right_before_it_is(planned: Planned) -> None:
    found, blind = errors(planned), errors(planned, seen=False)
    assert median(found) < 0.05
    assert median(found) < 0.5 * median(blind)


@pytest.mark.parametrize("policy", [PolicySection(), UNPACED], ids=["governed", "not_governed"])
@pytest.mark.parametrize("resistance", [0.4, 0.5])
def test_one_that_stays_cool_is_told_as_right_as_without_a_thermometer(
    policy: PolicySection, resistance: float
) -> None:
    card = SimulatedGpuSection(whole_degrees=True, resistance_c_per_w=resistance)
    found = errors(Planned(card=card, steps=200, policy=policy))
    assert median(found) < 0.01
    assert max(found) < 0.05


@pytest.mark.parametrize("steps", [600, 900])
def test_a_card_that_has_less_to_do_is_not_said_to_be_paused_again(steps: int) -> None:
    """Other work on the machine makes steps wait, and the card with them."""
    planned = Planned(
        card=replace(HOT, ambient_c=32.0), steps=steps, policy=UNPACED, waits_s=0.8, epochs=3
    )
    events = rehearsed(planned)
    paused = [event.t for event in events if isinstance(event, ev.Paused)]
    changed = next(e.t for e in events if isinstance(e, ev.EpochStarted) and e.epoch == 2)
    assert changed is not None
    assert paused
    assert max(t or 0.0 for t in paused) < changed
    assert median(errors(planned, after_s=changed + 30.0)) < 0.05


def test_pauses_that_came_again_and_again_say_more_than_how_the_card_warms() -> None:
    planned = Planned(card=QUICK, steps=900, policy=UNPACED, evaluation_s=40.0)
    assert sum(isinstance(event, ev.Paused) for event in rehearsed(planned)) > 10
    assert median(errors(planned)) < 0.03


@pytest.mark.parametrize("steps", [140, 160, 200, 220])
def test_a_card_that_is_hot_again_before_it_may_be_paused_is_paused_when_it_may(steps: int) -> None:
    card = replace(HOT, time_constant_s=15.0)
    planned = Planned(card=card, steps=steps, policy=UNPACED, epochs=2)
    first_t = next(e.t for e in rehearsed(planned) if isinstance(e, ev.Paused))
    assert first_t is not None
    assert median(errors(planned, after_s=first_t)) < 0.025


def test_a_pause_before_the_governor_had_found_its_pace_is_not_expected_again() -> None:
    card = replace(HOT, time_constant_s=45.0)
    planned = Planned(card=card, steps=200, begins_warm_s=100.0)
    assert sum(isinstance(event, ev.Paused) for event in rehearsed(planned)) == 1
    assert median(errors(planned, seen=False)) > 0.5
    assert median(errors(planned)) < 0.06
