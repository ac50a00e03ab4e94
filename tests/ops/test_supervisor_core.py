"""The supervisor's core, driven: what happens goes in, what is to be done comes out."""

import signal
from collections.abc import Sequence

import msgspec
import pytest
from driven_core import (
    GRACE_S,
    DrivenCore,
    kinds,
    no_rules,
    progress,
    saved,
    training_started,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, PauseRun, Ping, ResumeRun, StopMode, StopRun
from timellm_ops.contract.config import PolicySection, ThermalSection
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, HostSample, TimedSample
from timellm_ops.probe.protocol import Reading, Unreadable
from timellm_ops.supervisor import core
from timellm_ops.supervisor.effects import Continue, Finish, Suspend, WriteControl
from timellm_ops.supervisor.ladder import HARDWARE_STOP_PATIENCE_S
from timellm_ops.supervisor.outcome import Evidence
from timellm_ops.supervisor.rebuild import recall, take_over
from timellm_ops.supervisor.restart import Patience
from timellm_policies import decide

QUICK = PolicySection(thermal=ThermalSection(samples=1, window=1, min_dwell_s=0.0))
ON_DISK = Evidence(last_on_disk=True)


def degrees(celsius: float, shutdown_c: float | None = None) -> GpuSample:
    return GpuSample(source="simulated", temperature_c=celsius, shutdown_c=shutdown_c)


# --- our engine: control -------------------------------------------------------------------------


def test_a_new_engine_is_told_to_run_and_then_left_alone() -> None:
    driven = DrivenCore()
    assert kinds(driven.turn().effects) == ["run"]
    assert driven.turns(30.0) == []


def test_a_control_that_could_not_be_written_is_asked_for_until_it_is() -> None:
    driven = DrivenCore()
    now, inputs = driven.now, core.Inputs()
    first = core.advance(driven.settings, driven.supervision, inputs, now)
    again = core.advance(driven.settings, first.supervision, inputs, now)
    assert first.effects == again.effects != ()
    (effect,) = again.effects
    assert isinstance(effect, WriteControl)
    written = core.control_written(again.supervision, effect.control, now)
    assert core.advance(driven.settings, written, inputs, now).effects == ()


def test_a_pause_and_a_resume_by_a_user() -> None:
    driven = DrivenCore()
    driven.trains()
    assert driven.ask(PauseRun(who="dashboard")).ok
    assert kinds([effect for _, effect in driven.done]) == ["run", "pause"]
    driven.turn()
    assert driven.run.phase == "paused"
    assert driven.turns(600.0) == []
    assert driven.ask(ResumeRun(who="dashboard")).ok
    driven.turn()
    assert driven.run.phase == "training"
    assert [e.what for e in driven.events if isinstance(e, ev.Command)] == ["pause", "resume"]


def test_controls_are_numbered_upwards_whatever_an_earlier_engine_acknowledged() -> None:
    driven = DrivenCore()
    driven.note(ev.ControlAcknowledged(sequence=41, desired="run"))
    driven.turn()
    driven.ask(PauseRun())
    driven.ask(ResumeRun())
    numbers = [e.control.sequence for _, e in driven.done if isinstance(e, WriteControl)]
    assert numbers == [42, 43, 44]


def test_a_control_that_is_not_acknowledged_yet_does_not_lend_its_number_to_the_next() -> None:
    driven = DrivenCore(obedient=False)
    driven.turn()
    driven.ask(PauseRun())
    driven.ask(ResumeRun())
    numbers = [e.control.sequence for _, e in driven.done if isinstance(e, WriteControl)]
    assert numbers == [1, 2, 3]


def test_a_policy_pauses_a_hot_run_and_resumes_a_cool_one() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    assert kinds(driven.turn(reading=degrees(86.0)).effects) == ["pause"]
    assert driven.turn(reading=degrees(80.0)).effects == ()
    assert driven.run.phase == "paused"
    assert kinds(driven.turn(reading=degrees(70.0)).effects) == ["run"]
    driven.turn()
    assert driven.run.phase == "training"
    decisions = [e for e in driven.events if isinstance(e, ev.PolicyDecision)]
    assert [(d.action, bool(d.reason)) for d in decisions] == [("pause", True), ("resume", True)]


def test_a_users_resume_does_not_set_a_hot_run_going() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    driven.ask(PauseRun())
    driven.turn(reading=degrees(90.0))
    reply = driven.ask(ResumeRun())
    assert reply.ok
    assert "90 °C" in reply.message
    assert driven.run.desired == "pause"
    driven.turn(reading=degrees(60.0))
    assert driven.run.desired == "run"


def test_the_pace_a_policy_wants_is_sent_once() -> None:
    def half(*_: object) -> tuple[ev.PolicyDecision, ...]:
        return (ev.PolicyDecision(action="pace", rule="governor", reason="82 °C", value=0.5),)

    driven = DrivenCore(decide=half)
    driven.trains()
    driven.turns(20.0)
    assert driven.control is not None
    assert driven.control.duty == 0.5
    assert len([e for e in driven.events if isinstance(e, ev.PolicyDecision)]) == 1
    assert driven.run.duty == 0.5, "as the engine has acknowledged"


@pytest.mark.parametrize(("wanted", "told"), [(0.0, 0.01), (-3.0, 0.01), (7.0, 1.0)])
def test_an_impossible_pace_is_brought_into_bounds(wanted: float, told: float) -> None:
    def rule(*_: object) -> tuple[ev.PolicyDecision, ...]:
        return (ev.PolicyDecision(action="pace", rule="governor", reason="x", value=wanted),)

    driven = DrivenCore(decide=rule)
    driven.trains()
    assert driven.control is not None
    assert driven.control.duty == told


def test_a_change_of_pace_alone_is_sent_too() -> None:
    def slower_later(
        policy: PolicySection,
        state: RunState,
        recent: Sequence[TimedSample],
        now_t: float,
        *_: object,
    ) -> tuple[ev.PolicyDecision, ...]:
        if now_t < 1010.0:
            return ()
        return (ev.PolicyDecision(action="pace", rule="governor", reason="82 °C", value=0.7),)

    driven = DrivenCore(decide=slower_later)
    driven.trains()
    driven.turns(20.0)
    controls = [e.control for _, e in driven.done if isinstance(e, WriteControl)]
    assert [(c.desired, c.duty) for c in controls] == [("run", 1.0), ("run", 0.7)]


@pytest.mark.parametrize(("action", "times"), [("pause", 1), ("resume", 0)])
def test_what_is_so_already_is_not_journaled_again(action: ev.Action, times: int) -> None:
    def stubborn(*_: object) -> tuple[ev.PolicyDecision, ...]:
        return (ev.PolicyDecision(action=action, rule="thermal", reason="x"),)

    driven = DrivenCore(decide=stubborn)
    driven.trains()
    driven.turns(20.0)
    assert len([e for e in driven.events if isinstance(e, ev.PolicyDecision)]) == times


@pytest.mark.parametrize(("mode", "heard"), [("after_checkpoint", True), ("checkpoint", False)])
def test_a_stop_that_waits_for_nothing_outranks_every_rule(mode: StopMode, heard: bool) -> None:
    def stubborn(*_: object) -> tuple[ev.PolicyDecision, ...]:
        return (ev.PolicyDecision(action="pause", rule="x", reason="x"),)

    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode=mode))
    driven.decide = stubborn
    driven.turns(5.0)
    assert any(hold.rule == "x" for hold in driven.run.holds) == heard


def test_what_two_rules_say_in_every_turn_is_told_to_a_person_once() -> None:
    def noisy(*_: object) -> tuple[ev.PolicyDecision, ...]:
        return tuple(ev.PolicyDecision(action="alert", rule="x", reason=r) for r in "ab")

    driven = DrivenCore(decide=noisy)
    driven.trains()
    driven.turns(50.0)
    assert [e.reason for e in driven.events if isinstance(e, ev.PolicyDecision)] == ["a", "b"]


def test_policies_are_not_asked_about_an_engine_that_is_not_there() -> None:
    asked: list[RunState] = []

    def rule(
        policy: PolicySection,
        state: RunState,
        recent: Sequence[TimedSample],
        now_t: float,
        *_: object,
    ) -> tuple[ev.PolicyDecision, ...]:
        asked.append(state)
        return ()

    driven = DrivenCore(decide=rule)
    driven.turn()
    assert len(asked) == 1
    driven.exits(code=0)
    assert len(asked) == 1


# --- the watchdog over acknowledgements ----------------------------------------------------------


def test_an_engine_that_does_not_acknowledge_is_reported_once() -> None:
    driven = DrivenCore(obedient=False)
    driven.trains()
    driven.turns(core.ACKNOWLEDGE_WITHIN_S - 1.0)
    assert driven.alerts == []
    driven.turns(600.0)
    (alert,) = driven.alerts
    assert "has not acknowledged 'run' for 61 s" in alert
    assert "stop --now" in alert


def test_each_control_has_its_own_time_to_be_acknowledged() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.turns(500.0)
    driven.obedient = False
    driven.ask(PauseRun())
    driven.turns(core.ACKNOWLEDGE_WITHIN_S)
    assert driven.alerts == []
    driven.turns(1.0)
    assert len(driven.alerts) == 1


def test_whoever_takes_over_gives_the_engine_its_time_anew() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.turns(500.0, every_s=10.0)
    driven.obedient = False
    driven.ask(PauseRun())
    driven.supervision = take_over(recall(driven.journal), driven.control, driven.t + 3600.0)
    driven.turn(3600.0)
    driven.turns(core.ACKNOWLEDGE_WITHIN_S)
    assert driven.alerts == []
    driven.turn(1.0)
    assert len(driven.alerts) == 1


def test_an_engine_that_is_started_again_is_not_expected_to_listen_while_it_loads() -> None:
    driven = DrivenCore(patience=Patience(restarts=1, restart_after_s=1.0))
    driven.trains()
    driven.turn(1.0, exited=ev.EngineExited(signal=9))
    driven.turns(2.0)
    driven.obedient = False
    driven.note(ev.EngineStarted(pid=8))
    driven.ask(PauseRun())
    driven.turns(600.0, every_s=10.0)
    assert driven.alerts == []


def test_an_engine_that_is_still_loading_is_not_expected_to_listen() -> None:
    driven = DrivenCore(obedient=False)
    driven.turns(3600.0, every_s=10.0)
    assert driven.alerts == []
    driven.turn(1.0, training_started())
    driven.turns(core.ACKNOWLEDGE_WITHIN_S)
    assert driven.alerts == []
    driven.turns(1.0)
    assert len(driven.alerts) == 1


def test_slow_steps_are_given_the_time_of_a_few_of_them() -> None:
    driven = DrivenCore(obedient=False)
    driven.turn(1.0, training_started())
    driven.turn(1.0, progress(1, speed_s=60.0))
    driven.turns(60.0 * core.ACKNOWLEDGE_WITHIN_STEPS - 5.0)
    assert driven.alerts == []
    driven.turns(10.0)
    assert len(driven.alerts) == 1


def test_an_engine_that_goes_on_not_listening_is_reported_for_the_next_control_too() -> None:
    driven = DrivenCore(obedient=False)
    driven.trains()
    driven.turns(100.0)
    driven.ask(PauseRun())
    driven.turns(100.0)
    first, second = driven.alerts
    assert "'run'" in first
    assert "'pause'" in second


def test_an_engine_that_acknowledges_late_is_well_again() -> None:
    driven = DrivenCore(obedient=False)
    driven.trains()
    driven.turns(100.0)
    driven.turn(1.0, ev.ControlAcknowledged(sequence=1, desired="run"))
    driven.turns(600.0)
    assert len(driven.alerts) == 1


# --- stopping our engine -------------------------------------------------------------------------


def test_a_stop_asks_the_engine_to_save_and_leave_and_sends_no_signal() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="checkpoint"))
    assert driven.turns(300.0) == []
    assert driven.signals == []
    driven.turn(1.0, saved("last", 1, 6))
    verdict = driven.exits(code=0, evidence=ON_DISK)
    assert (verdict.outcome, verdict.exit_code, driven.exit_code) == ("stopped", 0, 0)


def test_a_stop_after_the_next_checkpoint_is_left_to_the_engine() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="after_checkpoint"))
    assert driven.control is not None
    assert driven.control.desired == "stop_after_checkpoint"
    assert driven.turns(300.0) == []
    driven.turn(1.0, saved("last", 1, 90))
    assert driven.exits(code=0, evidence=ON_DISK).outcome == "stopped"


def test_a_stop_while_paused_goes_through_the_pause() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(PauseRun())
    driven.turn()
    driven.ask(StopRun(mode="checkpoint"))
    assert driven.control is not None
    assert driven.control.desired == "stop_now"


def test_a_patient_stop_waits_while_the_run_is_held_and_goes_on_with_it() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(PauseRun())
    driven.ask(StopRun(mode="after_checkpoint"))
    assert driven.control is not None
    assert driven.control.desired == "pause"
    driven.ask(ResumeRun())
    assert driven.control.desired == "stop_after_checkpoint"


def test_a_stop_now_climbs_from_sigterm_to_sigkill_and_no_further() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="now"))
    asked_t = driven.t
    driven.turns(200.0)
    assert driven.signals == [(asked_t, signal.SIGTERM), (asked_t + GRACE_S, signal.SIGKILL)]


def test_a_kill_is_a_kill_at_once() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="kill"))
    assert driven.signals == [(driven.t, signal.SIGKILL)]
    driven.turns(200.0)
    assert len(driven.signals) == 1


def test_ctrl_c_once_is_stop_twice_is_now_three_times_is_kill() -> None:
    driven = DrivenCore()
    driven.trains()
    assert kinds(driven.interrupt().effects) == ["stop_now"]
    assert driven.turns(120.0) == []
    assert kinds(driven.interrupt().effects) == ["signal 15"]
    driven.turns(3.0)
    assert kinds(driven.interrupt().effects) == ["signal 9"]
    driven.interrupt()
    commands = [e for e in driven.events if isinstance(e, ev.Command)]
    assert [c.what for c in commands] == ["stop checkpoint", "stop now", "stop kill"]
    assert {c.who for c in commands} == {"signal"}


def test_two_interrupts_between_two_turns_count_as_two() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.interrupts = 2
    driven.turn()
    assert driven.run.stop == "now"


def test_ctrl_c_never_makes_a_stop_gentler() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="now"))
    driven.interrupt()
    assert driven.run.stop == "now"


def test_ctrl_c_in_a_patient_stop_makes_it_a_stop_at_the_next_step() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.ask(StopRun(mode="after_checkpoint"))
    driven.interrupt()
    assert driven.run.stop == "checkpoint"


def test_ctrl_c_before_the_engine_is_up_stops_it_as_soon_as_it_is() -> None:
    driven = DrivenCore()
    driven.supervision = core.Supervision()
    driven.interrupt()
    assert driven.run.stop == "checkpoint"
    driven.note(ev.EngineStarted(pid=8))
    assert kinds(driven.turn().effects) == ["stop_now"]


# --- stopping for the hardware's sake ------------------------------------------------------------


def test_an_emergency_lets_the_engine_save_and_ends_it_if_it_does_not() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    assert kinds(driven.turn(reading=degrees(98.0, shutdown_c=100.0)).effects) == ["stop_now"]
    began_t = driven.t
    driven.turns(200.0)
    (term_t, term), (kill_t, kill) = driven.signals
    assert (term, kill) == (signal.SIGTERM, signal.SIGKILL)
    assert term_t == began_t + HARDWARE_STOP_PATIENCE_S + 1.0
    assert kill_t == term_t + GRACE_S
    verdict = driven.exits(signal=9, evidence=ON_DISK)
    assert (verdict.outcome, verdict.exit_code) == ("stopped_for_hardware", 5)
    assert "98 °C ≥ 97 °C" in verdict.reason


def test_an_emergency_gives_the_engine_its_time_also_long_after_a_patient_stop() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    driven.ask(StopRun(mode="after_checkpoint"))
    driven.turns(500.0)
    driven.turn(reading=degrees(98.0, shutdown_c=100.0))
    assert driven.turns(HARDWARE_STOP_PATIENCE_S) == []


def test_an_engine_that_saved_in_an_emergency_ends_with_code_5_and_how_to_go_on() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    driven.turn(reading=degrees(98.0, shutdown_c=100.0))
    driven.turn(1.0, saved("last", 1, 6))
    verdict = driven.exits(code=0, evidence=ON_DISK)
    assert (verdict.outcome, verdict.exit_code) == ("stopped_for_hardware", 5)
    assert "run --resume 20260131-214500-t-0000" in verdict.reason


def test_a_user_may_hasten_an_emergency_stop_and_its_reason_is_still_the_heat() -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    driven.turn(reading=degrees(98.0, shutdown_c=100.0))
    driven.ask(StopRun(mode="kill", who="cli"))
    assert driven.signals[-1][1] == signal.SIGKILL
    verdict = driven.exits(signal=9)
    assert (verdict.outcome, verdict.exit_code) == ("stopped_for_hardware", 5)
    assert "98 °C ≥ 97 °C" in verdict.reason


# --- a foreign engine ----------------------------------------------------------------------------


def test_a_script_is_suspended_and_continued_and_never_sent_a_control() -> None:
    driven = DrivenCore(foreign=True, decide=decide, policy=QUICK)
    assert driven.turn().effects == ()
    assert driven.turn(reading=degrees(90.0)).effects == (Suspend(),)
    assert driven.run.phase == "paused"
    assert driven.turns(60.0) == []
    assert driven.turn(reading=degrees(70.0)).effects == (Continue(),)
    assert driven.run.phase != "paused"
    assert driven.turns(20.0) == []
    assert driven.alerts == []


def test_a_suspension_that_did_not_come_about_is_asked_for_again() -> None:
    driven = DrivenCore(foreign=True)
    inputs = core.Inputs(requests=(PauseRun(),))
    turn = core.advance(driven.settings, driven.supervision, inputs, driven.now)
    again = core.advance(driven.settings, turn.supervision, core.Inputs(), driven.now)
    assert turn.effects == again.effects == (Suspend(),)


def test_a_script_that_is_stopped_is_interrupted_then_terminated_then_killed() -> None:
    driven = DrivenCore(foreign=True)
    driven.ask(StopRun(mode="checkpoint"))
    began_t = driven.t
    driven.turns(100.0)
    assert driven.signals == [
        (began_t, signal.SIGINT),
        (began_t + GRACE_S, signal.SIGTERM),
        (began_t + 2 * GRACE_S, signal.SIGKILL),
    ]


@pytest.mark.parametrize(
    ("mode", "first"), [("checkpoint", "signal 2"), ("now", "signal 15"), ("kill", "signal 9")]
)
def test_a_suspended_script_is_continued_after_the_signal_for_it_takes_none_before(
    mode: StopMode, first: str
) -> None:
    driven = DrivenCore(foreign=True)
    driven.ask(PauseRun())
    assert driven.run.standing
    turn = driven.turn(0.0, ask=StopRun(mode=mode))
    assert kinds(turn.effects) == [first, "Continue"]
    assert not driven.run.standing
    assert driven.turn().effects == (), "and is not suspended again, though the hold is there"


def test_a_script_told_to_stop_after_its_checkpoint_is_interrupted_once_that_is_durable() -> None:
    driven = DrivenCore(foreign=True)
    driven.turn(1.0, ev.EpochStarted(epoch=1), progress(100))
    driven.ask(StopRun(mode="after_checkpoint"))
    driven.turn(1.0, ev.CheckpointWriting(kind="best", epoch=1))
    assert driven.turns(30.0) == [], "the words are printed before the file is written"
    turn = driven.turn(1.0, observed=(saved("best", 1),))
    assert kinds(turn.effects) == ["signal 2"]
    verdict = driven.exits(signal=2)
    assert (verdict.outcome, verdict.exit_code) == ("stopped", 0)
    assert "the best checkpoint is on disk; no step is lost" in verdict.reason


def test_an_epoch_without_improvement_ends_the_wait_if_the_best_is_on_disk() -> None:
    driven = DrivenCore(foreign=True)
    driven.turn(1.0, ev.EpochStarted(epoch=1), progress(100))
    driven.turn(1.0, observed=(saved("best", 1),))
    driven.turn(1.0, ev.EpochStarted(epoch=2), progress(100, 2))
    driven.ask(StopRun(mode="after_checkpoint"))
    ended = ev.EpochEnded(epoch=2, train_mse=0.3, vali_mse=0.5)
    turn = driven.turn(1.0, ended, ev.EarlyStopping(counter=1, patience=3))
    assert kinds(turn.effects) == ["signal 2"]
    assert "epoch 2 brought no improvement" in driven.exits(signal=2).reason


def test_heat_does_not_suspend_a_script_that_is_on_its_way_out() -> None:
    driven = DrivenCore(foreign=True, decide=decide, policy=QUICK)
    driven.turn(1.0, ev.EpochStarted(epoch=1), progress(100))
    driven.ask(StopRun(mode="after_checkpoint"))
    assert kinds(driven.turn(1.0, observed=(saved("best", 1),)).effects) == ["signal 2"]
    for _ in range(5):
        assert driven.turn(reading=degrees(90.0)).effects == ()
    assert not driven.run.standing
    assert driven.run.holds == (), "nor is a hold put on record that nobody would feel"


def test_a_script_whose_checkpoint_becomes_durable_in_a_pause_is_stopped_from_the_pause() -> None:
    driven = DrivenCore(foreign=True)
    driven.turn(1.0, ev.EpochStarted(epoch=1), progress(100))
    driven.ask(StopRun(mode="after_checkpoint"))
    driven.ask(PauseRun())
    assert driven.run.standing
    turn = driven.turn(1.0, observed=(saved("best", 1),))
    assert kinds(turn.effects) == ["signal 2", "Continue"]
    assert driven.turns(GRACE_S - 1.0) == [], "it has its grace, awake"
    assert kinds(driven.turn().effects) == ["signal 15"]


def test_a_script_held_by_heat_waits_with_its_patient_stop_until_it_is_cool() -> None:
    driven = DrivenCore(foreign=True, decide=decide, policy=QUICK)
    driven.turn(reading=degrees(90.0))
    driven.ask(StopRun(mode="after_checkpoint"))
    assert driven.turns(20.0) == []
    assert driven.turn(reading=degrees(70.0)).effects == (Continue(),)


# --- telemetry -----------------------------------------------------------------------------------


def test_a_reading_is_journaled_and_kept_for_the_policies() -> None:
    driven = DrivenCore()
    driven.turn(reading=degrees(60.0))
    assert driven.run.sample == degrees(60.0)
    assert driven.supervision.recent == (TimedSample(driven.t, degrees(60.0)),)


def test_a_problem_is_journaled_when_it_is_new_and_not_again() -> None:
    driven = DrivenCore()
    for reading in [Unreadable(reason="hangs")] * 3 + [Unreadable(reason="crashed")] * 2:
        driven.turn(reading=reading)
    driven.turn(reading=degrees(60.0))
    driven.turn(reading=Unreadable(reason="crashed"))
    lost = [e.reason for e in driven.events if isinstance(e, ev.TelemetryLost)]
    assert lost == ["hangs", "crashed", "crashed"]
    assert [t.sample is None for t in driven.supervision.recent] == [True] * 5 + [False, True]


@pytest.mark.parametrize(
    "reading",
    [
        Unreadable(reason="the GPU sleeps; not woken", asleep=True),
        Unreadable(reason="no NVIDIA GPU or driver here", permanent=True),
    ],
)
def test_a_gpu_that_sleeps_or_is_not_there_does_not_pause_the_run(reading: Unreadable) -> None:
    driven = DrivenCore(decide=decide, policy=QUICK)
    driven.trains()
    for _ in range(120):
        driven.turn(reading=reading)
    assert driven.run.holds == ()
    lost = [e for e in driven.events if isinstance(e, ev.TelemetryLost)]
    assert [(e.asleep, e.permanent) for e in lost] == [(reading.asleep, reading.permanent)]


def test_a_gpu_that_stops_answering_pauses_the_run_after_thirty_seconds() -> None:
    driven = DrivenCore(decide=decide)
    driven.trains()
    driven.turn(reading=degrees(60.0))
    for _ in range(29):
        driven.turn(reading=Unreadable(reason="NVML has not answered for 5 s"))
    assert driven.run.holds == ()
    driven.turn(reading=Unreadable(reason="NVML has not answered for 5 s"))
    assert [hold.rule for hold in driven.run.holds] == ["telemetry"]


def test_only_so_many_readings_are_kept() -> None:
    driven = DrivenCore()
    for _ in range(core.RECENT_SAMPLES + 5):
        driven.turn(reading=degrees(60.0))
    assert len(driven.supervision.recent) == core.RECENT_SAMPLES
    assert driven.supervision.recent[-1].t == driven.t


# --- the end -------------------------------------------------------------------------------------


def test_the_last_turn_takes_in_everything_before_it_judges() -> None:
    driven = DrivenCore()
    driven.trains()
    turn = driven.turn(
        1.0,
        ev.TestEvaluated(mse=0.37, mae=0.39, windows=9),
        ask=Ping(),
        exited=ev.EngineExited(code=0),
    )
    names = [type(event).__name__ for event, _ in turn.records]
    assert names == ["TestEvaluated", "EngineExited", "RunEnded"]
    assert turn.effects == (Finish(exit_code=0),)
    assert turn.replies[0].ok
    assert driven.run.phase == "finished"


def test_after_the_end_a_signal_changes_nothing() -> None:
    driven = DrivenCore()
    driven.trains()
    driven.exits(code=4)
    before = driven.run
    driven.interrupt()
    assert driven.run == before


@pytest.mark.parametrize(
    ("code", "tested", "expected"), [(0, True, 0), (2, False, 2), (3, False, 3), (1, False, 4)]
)
def test_exit_codes_of_engines_that_left_by_themselves(
    code: int, tested: bool, expected: int
) -> None:
    driven = DrivenCore()
    if tested:
        driven.turn(1.0, ev.TestEvaluated(mse=0.37, mae=0.39, windows=9))
    driven.exits(code=code)
    assert driven.exit_code == expected


# --- time ----------------------------------------------------------------------------------------


def test_an_engines_own_times_are_kept_and_missing_ones_are_filled_in() -> None:
    driven = DrivenCore()
    driven.turn(5.0, ev.Paced(t=1003.0, duty=1.0), ev.Paced(duty=1.0))
    assert [event.t for event in driven.events[-2:]] == [1003.0, 1005.0]
    assert all(event.at is not None for event in driven.events)


@given(times=st.lists(st.none() | st.floats(0.0, 5000.0), max_size=30))
def test_time_in_the_journal_never_runs_backwards(times: list[float | None]) -> None:
    """Nor where the engine's words, read after the turn's time was taken, are younger than that."""
    driven = DrivenCore()
    for t in times:
        says = ev.Paced(t=None if t is None else min(t, driven.t + 20.0), duty=1.0)
        driven.turn(1.0, says, reading=degrees(60.0))
    stamps = [event.t for event in driven.events if event.t is not None]
    assert len(stamps) == len(driven.events)
    assert stamps == sorted(stamps)
    assert driven.run.active_s <= max([driven.t, *stamps]) - 1000.0


def test_a_clock_that_began_anew_after_a_reboot_is_believed() -> None:
    driven = DrivenCore()
    driven.turns(10.0)
    driven.t = 5.0
    driven.turn(1.0, ev.Paced(duty=1.0))
    assert driven.events[-1].t == 6.0


# --- properties ----------------------------------------------------------------------------------

READINGS = st.none() | st.builds(
    degrees, st.sampled_from([60.0, 80.0, 86.0, 90.0]), st.none() | st.just(92.0)
)
REQUESTS = st.none() | st.sampled_from(
    [
        Ping(),
        PauseRun(),
        ResumeRun(),
        *(StopRun(mode=m) for m in ("after_checkpoint", "checkpoint", "now", "kill")),
    ]
)
ENGINE_EVENTS: list[ev.Event] = [
    training_started(),
    ev.EpochStarted(epoch=1, steps=100),
    progress(3),
    progress(60),
    ev.EpochEnded(epoch=1, train_mse=0.25, vali_mse=0.5),
    ev.EpochStarted(epoch=2, steps=100),
    progress(20, 2),
    ev.CheckpointWriting(kind="best", epoch=1),
    saved("best", 1),
    saved("last", 1, 60),
    ev.CheckpointFailed(kind="last", message="no space left"),
    ev.EarlyStopping(counter=1, patience=3),
    ev.Paused(),
    ev.Resumed(),
    ev.EngineFailed(message="CUDA out of memory"),
    ev.TestEvaluated(mse=0.5, mae=0.5, windows=9),
]
UNREADABLE = st.builds(Unreadable, reason=st.sampled_from(["hangs", "crashed"]))
TURNS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.25, 1.0, 25.0]),
        st.lists(st.sampled_from(ENGINE_EVENTS), max_size=2),
        REQUESTS,
        READINGS | UNREADABLE,
        st.booleans(),
    ),
    max_size=25,
)
Turns = list[tuple[float, list[ev.Event], AnyRequest | None, Reading | None, bool]]


def driven_through(turns: Turns, *, foreign: bool) -> DrivenCore:
    driven = DrivenCore(foreign=foreign, decide=decide, policy=QUICK)
    for seconds, said, request, reading, interrupted in turns:
        driven.interrupts += interrupted and driven.interrupts < 2
        driven.turn(seconds, *said, ask=request, reading=reading)
    return driven


@given(turns=TURNS, foreign=st.booleans())
@settings(max_examples=60)
def test_whoever_reads_the_journal_knows_what_the_supervisor_knew(
    turns: Turns, foreign: bool
) -> None:
    driven = driven_through(turns, foreign=foreign)
    past = recall(driven.journal)
    assert past.run == driven.run
    assert past.memory == driven.supervision.memory
    assert past.engine_offset == driven.offset
    assert past.recent == tuple(t for t in driven.supervision.recent if t.sample is not None)


@given(turns=TURNS, foreign=st.booleans())
@settings(max_examples=60)
def test_a_supervisor_that_adopts_the_run_steers_it_as_the_one_before_would_have(
    turns: Turns, foreign: bool
) -> None:
    driven = driven_through(turns, foreign=foreign)
    now = core.Moment(at=driven.now.at, t=driven.t + 1.0)
    successor = take_over(recall(driven.journal), driven.control, now.t)
    before = core.advance(driven.settings, driven.supervision, core.Inputs(), now)
    after = core.advance(driven.settings, successor, core.Inputs(), now)
    assert steering(after) == steering(before)
    if driven.signals:
        assert len(kinds(after.effects)) > len(steering(after)), "the ladder begins anew"


def steering(turn: core.Turn) -> list[str]:
    return [effect for effect in kinds(turn.effects) if not effect.startswith("signal")]


@given(turns=TURNS, foreign=st.booleans())
@settings(max_examples=60)
def test_the_same_inputs_make_the_same_turn(turns: Turns, foreign: bool) -> None:
    once, again = driven_through(turns, foreign=foreign), driven_through(turns, foreign=foreign)
    assert once.journal == again.journal
    assert once.done == again.done


@given(turns=TURNS, foreign=st.booleans())
@settings(max_examples=60)
def test_signals_only_ever_climb(turns: Turns, foreign: bool) -> None:
    driven = driven_through(turns, foreign=foreign)
    driven.turns(200.0, every_s=5.0)
    order = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    ranks = [order.index(signal.Signals(number)) for _, number in driven.signals]
    assert ranks == sorted(set(ranks))
    if driven.run.stop in ("now", "kill") or (driven.run.stop == "checkpoint" and foreign):
        assert ranks[-1:] == [2], "whoever is to leave at once is gone in the end"


@given(turns=TURNS, foreign=st.booleans())
@settings(max_examples=60)
def test_no_pause_outlasts_its_reasons(turns: Turns, foreign: bool) -> None:
    driven = driven_through(turns, foreign=foreign)
    driven.turn(0.0, ask=ResumeRun())
    for _ in range(60):
        driven.turn(1.0, reading=degrees(60.0))
    if driven.run.stop is None:
        assert driven.run.holds == ()
    if foreign:
        assert not driven.run.standing
    else:
        assert driven.control is not None
        assert driven.control.desired != "pause"


@given(turns=TURNS, foreign=st.booleans(), code=st.none() | st.integers(0, 5))
@settings(max_examples=60)
def test_every_run_comes_to_a_verdict_with_a_known_exit_code(
    turns: Turns, foreign: bool, code: int | None
) -> None:
    driven = driven_through(turns, foreign=foreign)
    verdict = driven.exits(code=code)
    assert verdict.exit_code in (0, 2, 3, 4, 5)
    assert verdict.reason
    assert "\n" not in verdict.reason
    expected = {"finished": 0, "stopped": 0, "failed": 4, "stopped_for_hardware": 5}
    if verdict.outcome != "refused":
        assert verdict.exit_code == expected[verdict.outcome]
    assert driven.exit_code == verdict.exit_code
    assert driven.run.ended


def test_a_record_of_the_core_is_what_a_reader_gets() -> None:
    driven = DrivenCore(decide=no_rules)
    driven.trains()
    assert driven.state_of_journal() == driven.run
    assert msgspec.json.encode(driven.run)


def test_a_reading_of_the_machine_is_journaled_and_known_to_the_rules() -> None:
    seen: list[HostSample | None] = []

    def decide(_: object, run: RunState, *__: object) -> tuple[ev.PolicyDecision, ...]:
        seen.append(run.host)
        return ()

    driven = DrivenCore(decide=decide)
    host = HostSample(battery_pct=14.0, on_battery=True)
    driven.turn(host=host)
    driven.turn()
    assert seen == [host, host]
    told = [r.event for r in driven.journal if isinstance(r.event, ev.HostTelemetry)]
    assert [(event.sample, event.t) for event in told] == [(host, 1001.0)]
