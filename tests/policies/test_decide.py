"""What holds for every decision, whatever the card does."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import QUICK, WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GovernorSection, ThermalSection
from timellm_ops.contract.telemetry import HostSample
from timellm_policies.limits import limits


@st.composite
def rules(draw: st.DrawFn) -> ThermalSection:
    """Any rule that a config can hold."""
    pause_c = draw(st.floats(60.0, 95.0))
    window = draw(st.integers(1, 6))
    return ThermalSection(
        pause_above_c=pause_c,
        resume_below_c=pause_c - draw(st.floats(0.5, 20.0)),
        window=window,
        samples=draw(st.integers(1, window)),
        min_dwell_s=draw(st.sampled_from([0.0, 5.0, 30.0, 90.0])),
        emergency_c=draw(st.none() | st.floats(1.0, 20.0).map(lambda above: pause_c + above)),
        unknown_after_s=draw(st.floats(2.0, 60.0)),
        unknown_action=draw(st.sampled_from(["pause", "continue", "stop"])),
    )


STRETCHES = st.lists(
    st.tuples(
        st.none() | st.floats(-25.0, 25.0) | st.sampled_from([-25.0, -5.0, 0.5, 4.0]),
        st.integers(1, 40),
    ),
    max_size=12,
)
"""How far from the pausing temperature the card is, and for how many readings."""

CARDS = st.tuples(st.none() | st.floats(70.0, 110.0), st.none() | st.floats(80.0, 120.0))


def watched(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None] = (None, None),
) -> WatchedRun:
    run = WatchedRun(thermal, slowdown_c=card[0], shutdown_c=card[1])
    for offset_c, count in stretches:
        run.sees(*[None if offset_c is None else thermal.pause_above_c + offset_c] * count)
    return run


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_every_decision_gives_a_reason_and_the_number_behind_it(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    for decision in watched(thermal, stretches, card).decisions:
        assert decision.reason
        assert decision.rule in ("thermal", "telemetry")
        if decision.renewed:  # it tells when a hold ends, and measures nothing
            assert (decision.action, decision.until != "") == ("pause", True)
            continue
        assert decision.value is not None
        assert math.isfinite(decision.value)
        assert decision.threshold is not None
        assert decision.unit in ("°C", "s")
        if decision.action == "pause":
            assert decision.until
        if decision.expected_s is not None:
            assert decision.expected_s >= 0.0


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_a_run_is_never_resumed_hot(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run = WatchedRun(thermal, slowdown_c=card[0], shutdown_c=card[1])
    since: dict[str, int] = {}
    seen: list[float | None] = []
    for offset_c, count in stretches:
        for _ in range(count):
            celsius = None if offset_c is None else thermal.pause_above_c + offset_c
            seen.append(celsius)
            for decision in run.sees(celsius):
                if decision.action == "pause" and not decision.renewed:
                    since[decision.rule] = len(seen)
                if decision.action != "resume":
                    continue
                known = [c for c in seen[since[decision.rule] :] if c is not None]
                resume_c = limits(thermal, run.state.sample).resume_below_c
                assert seen[-1] is not None
                assert len(known) >= thermal.samples
                assert all(c < resume_c for c in known[-thermal.samples :])


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_a_run_is_paused_for_heat_only_after_so_many_hot_readings(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run = WatchedRun(thermal, slowdown_c=card[0], shutdown_c=card[1])
    known: list[float] = []
    for offset_c, count in stretches:
        for _ in range(count):
            celsius = None if offset_c is None else thermal.pause_above_c + offset_c
            known += [] if celsius is None else [celsius]
            for decision in run.sees(celsius):
                if actions([decision]) == ["thermal pause"] and not decision.renewed:
                    pause_c = limits(thermal, run.state.sample).pause_above_c
                    hot = [c for c in known[-thermal.window :] if c > pause_c]
                    assert len(hot) >= thermal.samples


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_pauses_and_resumes_alternate_and_are_apart(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run = watched(thermal, stretches, card)
    # Each rule by itself: a card may get too hot while it is still held for having been unknown.
    by_rule = [
        [
            d
            for d in run.decisions
            if d.rule == rule and d.action in ("pause", "resume") and not d.renewed
        ]
        for rule in ("thermal", "telemetry")
    ]
    for moves in by_rule:
        assert all(d.action == "pause" for d in moves[::2])
        assert all(d.action == "resume" for d in moves[1::2])
    danger_c = limits(thermal, run.sample(0.0)).danger_c
    for before, after in (pair for moves in by_rule for pair in pairwise(moves)):
        assert before.t is not None
        assert after.t is not None
        dangerous = [
            reading
            for reading in run.recent
            if before.t < reading.t <= after.t
            and reading.sample is not None
            and (reading.sample.temperature_c or 0.0) >= danger_c
        ]
        may_hurry = actions([after]) == ["thermal pause"] and len(dangerous) >= thermal.samples
        assert after.t - before.t >= thermal.min_dwell_s or may_hurry


@given(
    thermal=rules(),
    where=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60),
    held=st.booleans(),
)
def test_within_the_band_nothing_ever_changes(
    thermal: ThermalSection, where: list[float], held: bool
) -> None:
    run = WatchedRun(thermal)
    if held:
        run.sees(*[thermal.pause_above_c + 0.4] * thermal.window)
        assert run.held_by == ["thermal"]
    width_c = thermal.pause_above_c - thermal.resume_below_c
    inside = [min(thermal.pause_above_c, thermal.resume_below_c + w * width_c) for w in where]
    assert run.sees(*inside, every_s=1.0) == []


@given(thermal=rules(), stretches=STRETCHES)
def test_a_card_that_stays_hot_is_always_paused_in_the_end(
    thermal: ThermalSection, stretches: list[tuple[float | None, int]]
) -> None:
    run = watched(thermal, stretches)
    run.sees(*[thermal.pause_above_c + 0.4] * (thermal.window + 200))
    assert run.state.desired in ("pause", "stop_now")


@given(thermal=rules(), stretches=STRETCHES)
def test_no_pause_is_for_ever_once_the_card_stays_cool(
    thermal: ThermalSection, stretches: list[tuple[float | None, int]]
) -> None:
    run = watched(thermal, stretches)
    run.sees(*[thermal.resume_below_c - 1.0] * (thermal.window + 100))
    assert run.state.desired in ("run", "stop_now")


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_the_same_inputs_give_the_same_answer(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run, again = watched(thermal, stretches, card), watched(thermal, stretches, card)
    assert run.decisions == again.decisions
    assert run.asked() == run.asked()


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_what_is_in_force_is_not_asked_for_again(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run = WatchedRun(thermal, slowdown_c=card[0], shutdown_c=card[1])
    for offset_c, count in stretches:
        for _ in range(count):
            run.sees(None if offset_c is None else thermal.pause_above_c + offset_c)
            assert run.decides() == []
    assert len([d for d in run.decisions if d.action == "stop"]) <= 1


@given(thermal=rules(), stretches=STRETCHES, card=CARDS)
def test_at_most_one_of_the_rules_holds_the_run(
    thermal: ThermalSection,
    stretches: list[tuple[float | None, int]],
    card: tuple[float | None, float | None],
) -> None:
    run = WatchedRun(thermal, slowdown_c=card[0], shutdown_c=card[1])
    for offset_c, count in stretches:
        for _ in range(count):
            run.sees(None if offset_c is None else thermal.pause_above_c + offset_c)
            assert len(run.held_by) <= 1


# --- precedence ----------------------------------------------------------------------------------


def test_a_stop_outranks_a_pause_that_is_due_in_the_same_moment() -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    assert actions(run.sees(98.0)) == ["thermal stop"]


def test_a_stop_of_one_rule_outranks_the_pause_of_another() -> None:
    thermal = ThermalSection(samples=1, window=1, min_dwell_s=31.0, unknown_action="stop")
    run = WatchedRun(thermal)
    run.sees(86.0, *[60.0] * 31)
    assert run.held_by == []
    run.sees(86.0)
    assert run.waits(29.0) == []
    assert actions(run.waits(1.0)) == ["telemetry stop"], "though the dwell before a pause is over"


def test_two_holds_are_lifted_by_the_same_cool_readings() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=3, min_dwell_s=0.0))
    run.happens(ev.PolicyDecision(action="pause", rule="telemetry", reason="no temperature"))
    run.happens(ev.PolicyDecision(action="pause", rule="thermal", reason="hot"))
    assert actions(run.sees(60.0)) == ["thermal resume", "telemetry resume"]


def test_an_alert_comes_along_with_whatever_is_done() -> None:
    run = WatchedRun(QUICK)
    wanted = run.sees(90.0, throttle_reasons=("hw_thermal_slowdown",))
    assert actions(wanted) == ["thermal pause", "health alert"]


@pytest.mark.parametrize("outcome", ["finished", "stopped", "failed"])
def test_nothing_is_decided_about_a_run_that_has_ended(outcome: ev.Outcome) -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    run.happens(ev.RunEnded(outcome=outcome, exit_code=0, reason="over"))
    assert run.sees(90.0, 99.0, None) == []
    assert run.waits(100.0) == []


def test_nothing_is_decided_where_nothing_is_known_of_the_past() -> None:
    run = WatchedRun(QUICK)
    assert run.asked() == ()


# --- health --------------------------------------------------------------------------------------


def test_a_card_that_slows_itself_down_for_heat_is_reported_once() -> None:
    run = WatchedRun()
    (alert,) = run.sees(*[80.0] * 50, throttle_reasons=("sw_power_cap", "hw_thermal_slowdown"))
    assert (alert.rule, alert.action, alert.value) == ("health", "alert", 80.0)
    assert "too hot" in alert.reason
    assert "pause_above_c" in alert.reason


@pytest.mark.parametrize("reasons", [None, (), ("sw_power_cap",), ("sw_thermal_slowdown",)])
def test_a_card_held_back_by_something_else_is_not_reported(
    reasons: tuple[str, ...] | None,
) -> None:
    assert WatchedRun().sees(80.0, throttle_reasons=reasons) == []


def test_a_pace_outranks_a_resume_which_comes_a_moment_later() -> None:
    run = WatchedRun(governor=GovernorSection())
    run.sees(*[84.0] * 120)
    assert run.state.pace.duty < 1.0
    run.host(on_battery=True, battery_pct=10.0)
    run.governor = GovernorSection(enabled=False)
    run.happens(ev.HostTelemetry(sample=HostSample(on_battery=False)))
    assert actions(list(run.asked())) == ["governor pace"]
    run.decides()
    assert actions(list(run.asked())) == ["battery resume"]


# --- when a hold ends ----------------------------------------------------------------------------


@given(
    resume_c=st.integers(40, 84),
    dwell_s=st.sampled_from([0.0, 7.0, 40.0]),
    after=st.integers(0, 20),
)
def test_a_hold_tells_the_end_that_its_rule_goes_by_when_the_keys_change_under_it(
    resume_c: int, dwell_s: float, after: int
) -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=30.0))
    run.sees(90.0, *[86.0] * after)
    (before,) = run.state.holds
    run.thermal = ThermalSection(
        samples=1, window=1, min_dwell_s=dwell_s, resume_below_c=float(resume_c)
    )
    run.sees(86.0)
    (told,) = run.state.holds
    assert told.until == f"resumes below {resume_c} °C"
    assert told.least_s == (dwell_s or None)
    assert (told.rule, told.reason, told.since_t) == (before.rule, before.reason, before.since_t)
    assert run.decides() == [], "once"
    run.sees(*[float(resume_c)] * 60)
    assert run.held_by == ["thermal"]
    run.sees(resume_c - 1.0)
    assert run.held_by == []


def test_a_new_end_of_one_hold_does_not_keep_another_from_ending() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=0.0))
    run.sees(90.0)
    run.host(on_battery=True, battery_pct=10.0)
    run.thermal = ThermalSection(samples=1, window=1, min_dwell_s=0.0, resume_below_c=60.0)
    made = run.host(on_battery=False)
    assert sorted(actions(made)) == ["battery resume", "thermal pause"]
    assert run.held_by == ["thermal"]
    assert run.state.holds[0].until == "resumes below 60 °C"
