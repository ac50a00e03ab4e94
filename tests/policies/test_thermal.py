"""The thermal rule, reading by reading."""

import pytest
from watched_run import QUICK, WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import ThermalSection
from timellm_policies.limits import limits


def test_a_hot_card_pauses_the_run_and_a_cool_one_lets_it_go_on() -> None:
    run = WatchedRun(QUICK)
    assert actions(run.sees(84.0, 85.0)) == []
    assert actions(run.sees(85.1)) == ["thermal pause"]
    assert run.state.desired == "pause"
    assert actions(run.sees(80.0, 75.0)) == []
    assert actions(run.sees(74.9)) == ["thermal resume"]
    assert run.state.desired == "run"


def test_a_pause_says_why_until_when_and_by_how_much() -> None:
    run = WatchedRun(ThermalSection(min_dwell_s=0.0))
    (decision,) = run.sees(86.0, 84.0, 87.0, 86.5)
    assert decision.reason == "86.5 °C > 85 °C in 3 of the last 4 readings"
    assert (decision.value, decision.threshold, decision.unit) == (86.5, 85.0, "°C")
    assert decision.until == "resumes below 75 °C"
    (hold,) = run.state.holds
    assert (hold.reason, hold.until) == (decision.reason, decision.until)


def test_a_resume_says_why_and_what_comes_next() -> None:
    run = WatchedRun(ThermalSection(samples=2, window=2, min_dwell_s=0.0))
    (decision,) = run.sees(90.0, 90.0, 74.0, 73.0)[1:]
    assert decision.reason == "73 °C < 75 °C in the last 2 readings"
    assert (decision.value, decision.threshold, decision.unit) == (73.0, 75.0, "°C")
    assert decision.until == "pauses above 85 °C"


# --- N of M --------------------------------------------------------------------------------------


def test_fewer_hot_readings_than_asked_for_do_nothing() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=5))
    assert run.sees(86.0, 80.0, 86.0, 80.0, 80.0, 80.0, 86.0, 86.0, 80.0, 80.0, 80.0) == []
    assert actions(run.sees(86.0, 86.0, 80.0, 86.0)) == ["thermal pause"]


def test_one_odd_reading_pauses_nothing() -> None:
    run = WatchedRun()
    assert run.sees(*[80.0] * 20, 120.0, *[80.0] * 20) == []


def test_readings_that_failed_are_not_counted_as_cool_ones() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=3))
    assert actions(run.sees(86.0, None, 86.0, None, None, 86.0)) == ["thermal pause"]


def test_a_run_goes_on_only_after_as_many_cool_readings_in_a_row() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=5, min_dwell_s=0.0))
    run.sees(90.0, 90.0, 90.0)
    assert run.sees(70.0, 70.0, 76.0, 70.0, 70.0) == []
    assert actions(run.sees(70.0)) == ["thermal resume"]


def test_cool_readings_from_before_the_pause_do_not_count() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=6, min_dwell_s=0.0))
    run.sees(70.0, 70.0, 70.0, 90.0, 90.0, 90.0)
    assert run.held_by == ["thermal"]
    assert run.sees(70.0, 70.0) == []
    assert actions(run.sees(70.0)) == ["thermal resume"]


def test_a_reader_that_fails_every_other_time_still_lets_a_cool_run_go_on() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=5, min_dwell_s=0.0))
    run.sees(90.0, 90.0, 90.0)
    assert actions(run.sees(70.0, None, 70.0, None, 70.0)) == ["thermal resume"]


def test_a_reader_that_has_just_failed_resumes_nothing() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=3, min_dwell_s=5.0))
    run.sees(90.0)
    assert run.sees(70.0, 70.0, 70.0, 70.0, None, None) == []
    assert actions(run.sees(70.0)) == ["thermal resume"]


def test_old_cool_readings_resume_nothing() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=100.0, unknown_after_s=30.0))
    run.sees(90.0, 70.0)
    assert run.waits(200.0) == []
    assert run.held_by == ["thermal"]


# --- dwell ---------------------------------------------------------------------------------------


def test_a_pause_lasts_its_shortest_time_however_fast_the_card_cools() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=30.0))
    run.sees(86.0)
    assert run.sees(*[60.0] * 29) == []
    assert actions(run.sees(60.0)) == ["thermal resume"]


def test_a_run_that_went_on_is_left_alone_for_its_shortest_time() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=30.0))
    run.sees(86.0, *[60.0] * 30)
    assert run.held_by == []
    assert run.sees(*[86.0] * 29) == []
    assert actions(run.sees(86.0)) == ["thermal pause"]


def test_a_dangerous_temperature_waits_for_no_dwell() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=30.0))
    run.sees(86.0, *[60.0] * 30)
    assert run.sees(87.9) == []
    assert actions(run.sees(88.0)) == ["thermal pause"]


def test_readings_that_led_to_the_last_pause_do_not_lead_to_the_next() -> None:
    run = WatchedRun(ThermalSection(samples=2, window=8, min_dwell_s=0.0))
    run.sees(86.0, 86.0, 70.0, 70.0)
    assert run.held_by == []
    assert run.sees(86.0) == []
    assert actions(run.sees(86.0)) == ["thermal pause"]


# --- the card's own limits -----------------------------------------------------------------------


def test_the_cards_own_slowdown_lowers_the_threshold() -> None:
    run = WatchedRun(QUICK, slowdown_c=83.0)
    assert run.sees(78.0) == []
    (decision,) = run.sees(78.1)
    assert (decision.action, decision.threshold) == ("pause", 78.0)
    assert run.sees(73.0) == []
    assert actions(run.sees(72.9)) == ["thermal resume"], "and the band stays 5 °C wide"


def test_a_slowdown_far_away_changes_nothing() -> None:
    run = WatchedRun(QUICK, slowdown_c=98.0)
    assert run.sees(85.0) == []
    assert actions(run.sees(85.1)) == ["thermal pause"]


def test_a_lower_wish_than_the_cards_own_limit_is_kept() -> None:
    wish = ThermalSection(pause_above_c=70.0, resume_below_c=60.0)
    found = limits(wish, WatchedRun(slowdown_c=95.0, shutdown_c=100.0).sample(50.0))
    assert (found.pause_above_c, found.resume_below_c) == (70.0, 60.0)


def test_pausing_comes_before_an_emergency_even_on_a_card_that_shuts_down_early() -> None:
    found = limits(ThermalSection(), WatchedRun(shutdown_c=86.0).sample(50.0))
    assert found.emergency_c == 83.0
    assert found.pause_above_c == 80.0
    assert found.resume_below_c == 75.0
    assert found.pause_above_c < found.emergency_c


def test_a_dropout_does_not_make_the_cards_limits_forgotten() -> None:
    run = WatchedRun(ThermalSection(samples=2, window=4, min_dwell_s=0.0), slowdown_c=80.0)
    assert actions(run.sees(76.0, None, 76.0)) == ["thermal pause"]


# --- emergency -----------------------------------------------------------------------------------


def test_near_its_own_shutdown_the_card_stops_the_run() -> None:
    run = WatchedRun(shutdown_c=100.0)
    assert run.sees(96.9, 97.0) == []
    (decision,) = run.sees(97.0)
    assert (decision.action, decision.value, decision.threshold) == ("stop", 97.0, 97.0)
    assert "saving and stopping" in decision.reason
    assert run.state.stopping_for_hardware
    assert run.state.desired == "stop_now"
    assert run.sees(98.0, 99.0) == [], "a stop is asked for once"


def test_readings_that_touch_the_emergency_again_and_again_stop_the_run_too() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=5), shutdown_c=100.0)
    assert run.sees(97.0, 80.0, 97.0, 80.0) == []
    assert actions(run.sees(97.0)) == ["thermal stop"]


def test_a_single_wild_reading_stops_nothing() -> None:
    run = WatchedRun(shutdown_c=100.0)
    assert run.sees(*[80.0] * 10, 255.0, *[80.0] * 10) == []


def test_an_emergency_is_stopped_during_a_pause_too() -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    assert actions(run.sees(90.0, 96.0, 97.0)) == ["thermal pause", "thermal stop"]


def test_an_emergency_overrides_a_stop_that_waits_for_a_checkpoint() -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    run.happens(ev.Command(who="cli", what="stop after_checkpoint"))
    assert actions(run.sees(99.0)) == ["thermal stop"]
    assert run.state.stop == "checkpoint"


def test_a_configured_emergency_replaces_the_cards() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, emergency_c=92.0), shutdown_c=100.0)
    assert actions(run.sees(91.9)) == ["thermal pause"]
    assert actions(run.sees(92.0)) == ["thermal stop"]


def test_a_card_that_does_not_tell_its_shutdown_is_only_ever_paused() -> None:
    run = WatchedRun(QUICK)
    assert actions(run.sees(99.0, 110.0, 120.0)) == ["thermal pause"]


# --- when nothing is to be done ------------------------------------------------------------------


def test_a_rule_that_is_off_does_nothing() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, enabled=False), shutdown_c=100.0)
    assert run.sees(99.0, None, 130.0) == []


@pytest.mark.parametrize("what", ["stop checkpoint", "stop now", "stop kill"])
def test_a_run_that_is_being_stopped_is_left_to_it(what: str) -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    run.happens(ev.Command(who="cli", what=what))
    assert run.sees(90.0, 99.0) == []


def test_heat_is_noticed_while_a_user_holds_the_run() -> None:
    run = WatchedRun(QUICK)
    run.happens(ev.Command(who="cli", what="pause"))
    assert actions(run.sees(90.0)) == ["thermal pause"]
    run.happens(ev.Command(who="cli", what="resume"))
    assert run.state.desired == "pause", "the card is hot whatever the user wishes"
    run.sees(70.0)
    assert run.state.desired == "run"


def test_a_hold_of_a_gpu_that_fell_asleep_is_lifted_for_nobody_could_read_it() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=30.0))
    run.sees(90.0)
    run.happens(ev.TelemetryLost(reason="the GPU sleeps", asleep=True))
    assert run.waits(29.0) == []
    (decision,) = run.waits(1.0)
    assert (decision.rule, decision.action) == ("thermal", "resume")
    assert "sleeps" in decision.reason


def test_a_pause_tells_how_long_it_lasts_at_least_and_no_sooner_ends() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=120.0))
    (pause,) = run.sees(86.0)
    assert pause.least_s == 120.0
    (hold,) = run.state.holds
    assert hold.until_at(run.state.t) == "resumes below 75 °C, in 120 s at the earliest"
    assert run.sees(*[60.0] * 119) == []
    assert actions(run.sees(60.0)) == ["thermal resume"]


def test_a_pause_without_a_shortest_time_tells_none() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=0.0))
    assert [pause.least_s for pause in run.sees(86.0)] == [None]
