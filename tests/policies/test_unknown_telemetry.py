"""The unknown-telemetry rule: unknown is not cool, and no GPU is not unknown."""

from watched_run import QUICK, WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import ThermalSection


def test_a_run_is_paused_after_thirty_seconds_without_a_reading() -> None:
    run = WatchedRun()
    run.sees(60.0)
    assert run.waits(29.0) == []
    (decision,) = run.waits(1.0)
    assert (decision.rule, decision.action) == ("telemetry", "pause")
    assert decision.reason == "no temperature for 30 s"
    assert (decision.value, decision.threshold, decision.unit) == (30.0, 30.0, "s")
    assert decision.until == "resumes when the temperature is known and below 75 °C"


def test_readings_that_fail_are_no_readings_and_the_reason_says_why_they_fail() -> None:
    run = WatchedRun()
    run.sees(60.0)
    (decision,) = run.sees(*[None] * 40)
    assert decision.reason == "no temperature for 30 s (the driver did not answer in time)"


def test_a_card_that_tells_everything_but_its_temperature_is_unknown() -> None:
    run = WatchedRun()
    for _ in range(29):
        run.t += 1.0
        run.happens(ev.Telemetry(sample=run.sample(None, power_w=80.0)))
        assert run.decides() == []
    run.t += 1.0
    assert actions(run.decides()) == ["telemetry pause"]


def test_a_gpu_that_has_never_answered_is_waited_for_as_long() -> None:
    run = WatchedRun()
    assert run.waits(29.0) == []
    assert actions(run.waits(1.0)) == ["telemetry pause"]


def test_the_run_goes_on_once_the_temperature_is_known_and_cool() -> None:
    run = WatchedRun(ThermalSection(samples=2, window=2, min_dwell_s=0.0))
    run.waits(30.0)
    assert run.held_by == ["telemetry"]
    assert run.sees(60.0, None, 60.0) == []
    assert actions(run.sees(60.0)) == ["telemetry resume"]


def test_readings_from_before_the_silence_do_not_count() -> None:
    run = WatchedRun(ThermalSection(samples=3, window=5, min_dwell_s=0.0))
    run.sees(60.0, 60.0, 60.0)
    run.waits(30.0)
    assert run.sees(60.0, 60.0) == []
    assert actions(run.sees(60.0)) == ["telemetry resume"]


def test_it_does_not_go_on_while_the_card_turns_out_to_be_hot() -> None:
    run = WatchedRun(QUICK)
    run.waits(30.0)
    assert run.sees(*[90.0] * 100) == []
    assert run.held_by == ["telemetry"]
    assert run.sees(80.0, 75.0) == []
    assert actions(run.sees(74.0)) == ["telemetry resume"]


def test_a_dropout_during_a_thermal_pause_adds_no_second_hold_and_lifts_nothing() -> None:
    run = WatchedRun(QUICK)
    run.sees(90.0)
    assert run.sees(*[None] * 100) == []
    assert run.held_by == ["thermal"]


def test_a_machine_without_a_gpu_goes_on() -> None:
    run = WatchedRun(gpu="nvml")
    run.happens(ev.TelemetryLost(reason="no NVIDIA GPU or driver here", permanent=True))
    assert run.waits(3600.0, every_s=10.0) == []


def test_a_run_told_to_look_at_no_gpu_goes_on() -> None:
    assert WatchedRun(gpu="none").waits(3600.0, every_s=10.0) == []


def test_a_sleeping_gpu_is_left_asleep_and_the_run_goes_on() -> None:
    run = WatchedRun()
    run.happens(ev.TelemetryLost(reason="the GPU sleeps; not woken", asleep=True))
    assert run.waits(3600.0, every_s=10.0) == []


def test_a_gpu_that_woke_has_its_thirty_seconds_to_answer() -> None:
    run = WatchedRun()
    run.happens(ev.TelemetryLost(reason="the GPU sleeps; not woken", asleep=True))
    run.waits(600.0)
    run.happens(ev.TelemetryLost(reason="the driver did not answer in time"))
    assert run.waits(29.0) == []
    assert actions(run.waits(1.0)) == ["telemetry pause"]


def test_a_hold_is_lifted_when_it_turns_out_that_there_is_no_gpu() -> None:
    run = WatchedRun()
    run.waits(30.0)
    run.happens(ev.TelemetryLost(reason="no driver", permanent=True))
    assert actions(run.waits(30.0)) == ["telemetry resume"]
    assert run.waits(600.0) == []


def test_a_new_supervisor_gives_the_gpu_its_thirty_seconds_again() -> None:
    run = WatchedRun()
    run.sees(60.0)
    run.t += 500.0
    run.happens(ev.Adopted(supervisor_pid=99, engine_pid=7))
    run.recent = []
    assert run.waits(29.0) == []
    assert actions(run.waits(1.0)) == ["telemetry pause"]


def test_pauses_for_want_of_readings_are_as_far_apart_as_others() -> None:
    run = WatchedRun(ThermalSection(samples=1, window=1, min_dwell_s=60.0, unknown_after_s=5.0))
    run.waits(65.0)
    assert actions(run.sees(60.0)) == ["telemetry resume"]
    assert run.waits(59.0) == []
    assert actions(run.waits(1.0)) == ["telemetry pause"]


def test_the_run_may_be_told_to_stop_instead() -> None:
    run = WatchedRun(ThermalSection(unknown_action="stop"))
    (decision,) = run.waits(60.0)
    assert (decision.action, decision.rule) == ("stop", "telemetry")
    assert "unknown_action" in decision.reason
    assert run.state.stopping_for_hardware


def test_or_to_go_on_which_is_said_once() -> None:
    run = WatchedRun(ThermalSection(unknown_action="continue"))
    (decision,) = run.waits(600.0)
    assert (decision.action, decision.rule) == ("alert", "telemetry")
    assert run.state.desired == "run"
