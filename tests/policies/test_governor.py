"""The governor's decisions one by one: when it acts, on what, and what it says."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_run import WatchedRun, actions, governed, ramp, steady

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GovernorSection, PolicySection, ThermalSection
from timellm_ops.contract.telemetry import PowerLimits
from timellm_policies.governor import set_point_c
from timellm_policies.governor_status import governor_status
from timellm_policies.readings import Temperature
from timellm_policies.situation import RuleStatus, Situation
from timellm_policies.trend import trend, trend_at

LIMITS = PowerLimits(limit_w=115.0, lowest_w=60.0, highest_w=130.0)


def test_it_is_on_unless_told_otherwise_and_works_by_rests() -> None:
    section = GovernorSection()
    assert (section.enabled, section.actuator) == (True, "duty")
    assert actions(ramp(governed(enabled=False), 70.0, 0.2, 60)) == []


def test_a_card_on_its_way_above_the_set_point_is_paced_before_it_is_there() -> None:
    run = governed()
    decision = ramp(run, 70.0, 0.2, 50)[0]
    assert (decision.action, decision.rule, decision.unit) == ("pace", "governor", "")
    assert decision.value is not None
    assert decision.value < 1.0
    assert run.state.sample is not None
    assert run.state.sample.temperature_c is not None
    assert run.state.sample.temperature_c < 82.0
    assert "rising 12 °C a minute, to be held at 82 °C" in decision.reason
    assert decision.reason.endswith("% of the time after 100 %")


def test_a_card_that_settles_below_the_set_point_is_not_paced() -> None:
    run = governed()
    assert run.sees(*[80.0 - 50.0 * math.exp(-t / 90.0) for t in range(900)]) == []


def test_a_hot_card_is_slowed_down_and_a_cool_one_let_go_until_full_pace() -> None:
    run = governed()
    steady(run, 84.0, 300)
    assert run.state.pace.duty < 0.95
    steady(run, 79.0, 1800)
    assert run.state.pace.duty == 1.0
    assert steady(run, 79.0, 120) == []


def test_on_the_set_point_nothing_is_decided_though_readings_flicker() -> None:
    run = governed()
    ramp(run, 70.0, 0.2, 50)
    steady(run, 82.0, 120)
    before = len(run.decisions)
    run.sees(*[82.0, 82.0, 83.0, 82.0, 81.0] * 60)
    assert len(run.decisions) == before


@given(st.lists(st.floats(20.0, 120.0), min_size=1, max_size=12), st.floats(0.05, 0.9))
@settings(max_examples=30)
def test_the_pace_stays_within_its_bounds_and_moves_in_small_steps(
    temperatures_c: list[float], lowest_duty: float
) -> None:
    run = WatchedRun(
        thermal=ThermalSection(pause_above_c=140.0, resume_below_c=130.0),
        governor=GovernorSection(lowest_duty=lowest_duty, set_point_c=82.0),
    )
    paces = [1.0]
    for celsius in temperatures_c:
        for decision in steady(run, celsius, 40):
            assert decision.action == "pace"
            assert decision.value is not None
            paces.append(decision.value)
    assert all(lowest_duty <= pace <= 1.0 for pace in paces)
    assert all(0.0 < abs(after - before) <= 0.11 for before, after in pairwise(paces))
    times = [decision.t for decision in run.decisions]
    assert all(b - a >= 10.0 for a, b in pairwise(times))  # type: ignore[operator]


@given(st.lists(st.floats(70.0, 84.0), min_size=40, max_size=120))
def test_the_same_readings_give_the_same_decisions(temperatures_c: list[float]) -> None:
    once, again = governed(), governed()
    assert once.sees(*temperatures_c) == again.sees(*temperatures_c)
    assert once.asked() == ()


def test_no_pace_is_decided_while_the_run_stands_or_stops() -> None:
    run = governed()
    run.happens(ev.Command(who="cli", what="pause"))
    assert steady(run, 84.0, 60) == []
    stopping = governed()
    stopping.happens(ev.Command(who="cli", what="stop checkpoint"))
    assert steady(stopping, 84.0, 60) == []


def test_pausing_outranks_the_pace_and_is_handed_over_from_smoothly() -> None:
    run = governed()
    steady(run, 83.5, 300)
    paced = run.state.pace.duty
    assert "thermal pause" in actions(steady(run, 87.0, 10))
    run.happens(ev.Paused())
    assert steady(run, 80.0, 30) == []
    cooled = steady(run, 74.0, 40)
    assert actions(cooled) == ["thermal resume"]
    run.happens(ev.Resumed())
    assert run.state.pace.duty <= paced
    moves = ramp(run, 74.0, 0.1, 90)
    assert all(abs((d.value or 0.0) - paced) < 0.1 for d in moves)


def test_what_was_read_during_a_pause_is_not_held_against_the_pace() -> None:
    run = governed()
    steady(run, 83.5, 300)
    paced = run.state.pace.duty
    run.happens(ev.Command(who="cli", what="pause"), ev.Paused())
    steady(run, 40.0, 200)
    run.happens(ev.Command(who="cli", what="resume"), ev.Resumed())
    assert steady(run, 82.0, 60) == []
    assert run.state.pace.duty == paced


def test_nothing_is_decided_on_a_temperature_that_nobody_knows() -> None:
    run = governed()
    ramp(run, 70.0, 0.2, 30)
    assert run.sees(*[None] * 25) == []
    assert run.waits(4.0) == []


def test_nothing_is_decided_on_readings_that_are_late() -> None:
    first = governed()
    while not first.decisions:
        first.sees(70.0 + 0.2 * len(first.recent))
    late = governed()
    for number in range(len(first.recent) - 1):
        late.sees(70.0 + 0.2 * number)
    late.recent = first.recent
    late.t = first.t
    assert actions(list(late.asked())) == ["governor pace"]
    late.t += 11.0
    assert late.asked() == ()


def test_a_new_start_begins_at_full_pace() -> None:
    run = governed()
    steady(run, 84.0, 120)
    assert run.state.pace.duty < 1.0
    run.happens(ev.RunStarted(run_id="r", name="n", engine="timellm", gpu="simulated"))
    assert run.state.pace.duty == 1.0


# --- the set point -------------------------------------------------------------------------------


def test_the_set_point_stays_below_what_pauses_on_this_card() -> None:
    run = WatchedRun(slowdown_c=80.0)
    run.sees(40.0)
    thermal = ThermalSection()
    assert set_point_c(GovernorSection(), thermal, run.state) == 72.0
    assert set_point_c(GovernorSection(set_point_c=83.0), thermal, run.state) == 72.0
    assert set_point_c(GovernorSection(set_point_c=70.0), thermal, run.state) == 70.0
    assert set_point_c(GovernorSection(set_point_c=83.0), thermal, WatchedRun().state) == 83.0


# --- the power limit -----------------------------------------------------------------------------


def test_the_power_limit_begins_at_what_is_drawn_and_is_told_in_watts() -> None:
    run = governed("power", limits=LIMITS)
    temperatures = [70.0 + 0.2 * t for t in range(50)]
    while not run.decisions:
        run.sees(temperatures.pop(0), power_w=100.0)
    (decision,) = run.decisions
    assert decision.unit == "W"
    assert decision.value is not None
    assert 85.0 < decision.value < 100.0, "a limit of 110 W would hold nothing back"
    assert decision.reason.endswith("W after 115 W")
    assert run.state.pace.power_limit_w == decision.value
    assert run.state.pace.duty == 1.0


def test_a_limit_that_somebody_has_set_is_never_raised() -> None:
    found = PowerLimits(limit_w=90.0, lowest_w=60.0, highest_w=130.0)
    run = governed("power", limits=found)
    steady(run, 84.0, 120)
    steady(run, 78.0, 1800)
    assert run.state.pace.power_limit_w == 90.0
    assert all((d.value or 0.0) <= 90.0 for d in run.decisions)


def test_the_limit_is_never_set_below_what_the_card_and_the_config_allow() -> None:
    for lowest_w, reached_w in ((None, 60.0), (80.0, 80.0)):
        run = governed("power", limits=LIMITS, lowest_power_w=lowest_w)
        steady(run, 84.5, 3600)
        assert run.state.pace.power_limit_w == reached_w


def test_a_refused_limit_falls_back_to_rests() -> None:
    run = governed("power", limits=LIMITS)
    steady(run, 84.0, 30)
    run.happens(ev.PowerLimitRefused(limit_w=110.0, reason="this user may not ask"))
    moves = steady(run, 84.0, 120)
    assert moves
    assert all(move.unit == "" for move in moves)
    notices = [notice.message for notice in run.state.notices]
    assert notices == ["the power limit cannot be set to 110 W: this user may not ask"]


def test_where_the_driver_tells_of_no_limit_it_is_said_once_if_asked_for_by_name() -> None:
    for actuator, said in (("power", 1), ("auto", 0)):
        run = governed(actuator)
        steady(run, 84.0, 200)
        assert [d.action for d in run.decisions].count("alert") == said
        assert run.state.pace.duty < 1.0


def test_a_script_of_somebody_else_is_paced_too() -> None:
    foreign = ev.RunStarted(run_id="r", name="n", engine="foreign", gpu="simulated")
    resting = governed()
    resting.happens(foreign)
    assert {d.unit for d in steady(resting, 84.0, 120)} == {""}
    limited = governed("auto", limits=LIMITS)
    limited.happens(foreign)
    assert {d.unit for d in steady(limited, 84.0, 120)} == {"W"}


# --- switched off under a run, and how it stands -------------------------------------------------


@pytest.mark.parametrize("actuator", ["duty", "power"])
@pytest.mark.parametrize("of", ["governor", "thermal"])
def test_a_rule_that_is_switched_off_under_a_run_lets_go_of_its_pace(
    actuator: str, of: str
) -> None:
    run = governed(actuator, limits=LIMITS)
    assert steady(run, 84.0, 120)
    setattr(run, of, msgspec.structs.replace(getattr(run, of), enabled=False))
    (decision,) = steady(run, 84.0, 60)
    assert (decision.action, decision.value, decision.unit) == ("pace", 1.0, "")
    assert (run.state.pace.duty, run.state.pace.power_limit_w) == (1.0, None)


def status(run: WatchedRun) -> RuleStatus:
    policy = PolicySection(thermal=run.thermal, governor=run.governor)
    now = Situation(policy=policy, state=run.state, recent=run.recent, now_t=run.t)
    return governor_status(now)


def test_its_status_tells_the_set_point_and_the_pace_in_force() -> None:
    resting = governed()
    assert status(resting).standing == "unknown"
    resting.sees(60.0)
    told = status(resting)
    assert (told.standing, told.value, told.threshold, told.unit) == ("watching", 60.0, 82.0, "°C")
    assert told.next == "rests between steps to hold 82 °C; at full pace"
    steady(resting, 84.0, 120)
    assert f"computing {100.0 * resting.state.pace.duty:g} % of the time" in status(resting).next
    limited = governed("auto", limits=LIMITS)
    steady(limited, 84.0, 120)
    limit_w = limited.state.pace.power_limit_w
    assert status(limited).next == (
        f"lowers the power limit to hold 82 °C; the limit is {limit_w:g} W"
    )
    assert status(governed(enabled=False)).standing == "off"


# --- lines through readings ----------------------------------------------------------------------


@given(st.floats(-0.5, 0.5), st.floats(20.0, 90.0), st.integers(5, 40))
def test_a_straight_line_is_found_without_error(slope: float, first_c: float, count: int) -> None:
    readings = [Temperature(100.0 + t, first_c + slope * t) for t in range(count)]
    line = trend(readings)
    assert line is not None
    assert math.isclose(line.per_s, slope, abs_tol=1e-6)
    assert math.isclose(line.celsius, readings[-1].celsius, abs_tol=1e-6)
    assert line.error_ahead_c < 1e-6
    at = trend_at(readings, 99.0)
    assert at is not None
    assert math.isclose(at.celsius, first_c, abs_tol=1e-6)


def test_few_readings_make_no_line() -> None:
    assert trend([Temperature(float(t), 80.0) for t in range(4)]) is None
    assert trend([Temperature(1.0, 80.0)] * 9) is None
