"""The real rules through the supervisor's mind: what they see, what the engine is told, the end."""

import math
import signal

import pytest
from driven_core import DrivenCore, kinds, last_of, progress, saved, training_started

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import PauseRun, Ping, ResumeRun, SetPolicy
from timellm_ops.contract.config import GpuSection, PolicySection, ThermalSection
from timellm_ops.contract.policy_checks import KEPT_READINGS
from timellm_ops.contract.policy_sections import HealthSection, ScheduleSection, SharingSection
from timellm_ops.contract.telemetry import GpuProcess, GpuSample, HostSample
from timellm_ops.probe.protocol import Unreadable
from timellm_ops.supervisor.outcome import Evidence
from timellm_ops.supervisor.rebuild import recall, take_over
from timellm_policies import decide

QUICK = ThermalSection(samples=1, window=1, min_dwell_s=0.0)
GIB = 1 << 30
NO_GPU = Unreadable(reason="no NVIDIA GPU or driver here", permanent=True)
"""Of a run on a CPU, which nobody pauses for a temperature that is missing."""


def driven(foreign: bool = False, **sections: object) -> DrivenCore:
    policy = PolicySection(**{"thermal": QUICK, **sections})  # type: ignore[arg-type]
    made = DrivenCore(foreign=foreign, decide=decide, policy=policy)
    if foreign:
        made.turn(1.0, ev.EpochStarted(epoch=1, steps=100, epochs=3), progress(5))
    else:
        made.trains()
    return made


def sample(celsius: float = 60.0, **more: object) -> GpuSample:
    return GpuSample(source="simulated", temperature_c=celsius, **more)  # type: ignore[arg-type]


def host(**fields: object) -> tuple[ev.Event, ...]:
    return (ev.HostTelemetry(sample=HostSample(**fields)),)  # type: ignore[arg-type]


def held_by(core: DrivenCore) -> list[str]:
    return [hold.rule for hold in core.run.holds]


# --- pausing and going on ------------------------------------------------------------------------


@pytest.mark.parametrize("foreign", [False, True])
def test_a_low_battery_holds_the_engine_and_the_mains_let_it_go_on(foreign: bool) -> None:
    core = driven(foreign)
    turn = core.turn(1.0, observed=host(on_battery=True, battery_pct=20.0))
    assert kinds(turn.effects) == ["Suspend" if foreign else "pause"]
    core.turn(1.0)
    assert core.run.phase == "paused"
    turn = core.turn(1.0, observed=host(on_battery=False, battery_pct=21.0))
    assert kinds(turn.effects) == ["Continue" if foreign else "run"]
    core.turn(1.0)
    assert core.run.phase == "training"


def test_the_engine_stands_before_the_checkpoint_that_would_not_fit() -> None:
    core = driven()
    core.turn(1.0, saved("last", 1, 5), observed=host(disk_free_bytes=GIB))
    assert held_by(core) == []
    turn = core.turn(1.0, observed=host(disk_free_bytes=1 << 20))
    assert kinds(turn.effects) == ["pause"]
    assert held_by(core) == ["disk"]
    assert "make room" in core.run.notices[-1].message
    turn = core.turn(1.0, observed=host(disk_free_bytes=GIB))
    assert kinds(turn.effects) == ["run"]


def test_quiet_hours_go_by_the_clock_on_the_wall() -> None:
    schedule = ScheduleSection(quiet_from="21:46", quiet_until="21:50", timezone="UTC")
    core = driven(schedule=schedule)
    core.turn(0.0, reading=NO_GPU)
    seen = []
    for _ in range(400):
        core.turn(1.0)
        seen.append((core.now.at.strftime("%H:%M"), held_by(core) == ["schedule"]))
    assert {clock for clock, held in seen if held} == {"21:46", "21:47", "21:48", "21:49"}
    assert {clock for clock, held in seen if not held} == {"21:45", "21:50", "21:51"}


def test_another_program_on_the_gpu_holds_the_run_where_asked_for() -> None:
    core = driven(sharing=SharingSection(action="pause"))
    mine = GpuProcess(pid=7, used_bytes=GIB, of_run=True)
    game = GpuProcess(pid=8, name="game", used_bytes=GIB, of_run=False)
    for _ in range(3):
        core.turn(1.0, reading=sample(processes=(mine, game)))
    assert held_by(core) == ["sharing"]
    for _ in range(3):
        core.turn(1.0, reading=sample(processes=(mine,)))
    assert held_by(core) == []


# --- stopping ------------------------------------------------------------------------------------


def test_a_script_whose_loss_is_no_number_is_interrupted_before_it_saves_that() -> None:
    core = driven(foreign=True)
    core.turn(1.0, saved("best", 1))
    turn = core.turn(1.0, ev.Progress(iteration=10, epoch=1, loss=math.nan))
    assert kinds(turn.effects) == [f"signal {int(signal.SIGINT)}"]
    verdict = core.exits(code=130)
    assert (verdict.outcome, verdict.exit_code) == ("failed", 4)
    assert verdict.reason.startswith("the loss is nan in epoch 1")
    assert "the best checkpoint, of epoch 1, was saved before and stays" in verdict.reason


def test_an_engine_of_ours_that_hangs_is_ended_where_asked_for_and_can_be_resumed() -> None:
    core = driven(health=HealthSection(stall_action="stop", stall_stop_after_s=300.0))
    core.turn(0.0, reading=NO_GPU)
    for i in range(6, 16):
        core.turn(1.0, progress(i))
    core.turn(1.0, saved("last", 1, 15))
    core.obedient = False
    core.turns(299.0)
    assert core.run.stop is None
    core.turns(90.0)
    assert [number for _, number in core.signals] == [signal.SIGTERM, signal.SIGKILL]
    verdict = core.exits(signal=signal.SIGKILL, evidence=Evidence(last_on_disk=True))
    assert (verdict.outcome, verdict.exit_code) == ("failed", 4)
    assert verdict.reason.startswith("silent for 5 min")
    assert "--resume" in verdict.reason
    alerts = [e for e in core.events if isinstance(e, ev.PolicyDecision) and e.action == "alert"]
    assert len(alerts) == 1
    assert kinds([effect for _, effect in core.done]).count("DumpStacks") == 1


def test_a_script_is_never_asked_for_its_stacks_which_would_end_it() -> None:
    core = driven(foreign=True)
    core.turn(0.0, reading=NO_GPU)
    for i in range(6, 16):
        core.turn(1.0, progress(i))
    core.turns(600.0)
    assert [e.action for e in core.events if isinstance(e, ev.PolicyDecision)] == ["alert"]
    assert "DumpStacks" not in kinds([effect for _, effect in core.done])


def test_what_the_rules_say_once_is_journaled_once() -> None:
    core = driven()
    for _ in range(50):
        core.turn(0.2, reading=sample(memory_used_bytes=99, memory_total_bytes=100))
    assert [e.rule for e in core.events if isinstance(e, ev.PolicyDecision)] == ["vram"]


# --- a person's word against a rule --------------------------------------------------------------


def hot() -> DrivenCore:
    core = driven()
    core.turn(1.0, reading=sample(90.0))
    core.turn(1.0, reading=sample(90.0))
    assert core.run.phase == "paused"
    return core


def test_a_resume_against_a_rule_lets_the_engine_go_on_for_a_while_and_is_journaled() -> None:
    core = hot()
    reply = core.ask(ResumeRun(who="dashboard", for_s=600.0))
    assert reply.ok
    assert core.control is not None
    assert core.control.desired == "run"
    event = last_of(core, ev.RulesOverridden)
    assert isinstance(event, ev.RulesOverridden)
    assert (event.who, event.rules, event.for_s) == ("dashboard", ("thermal",), 600.0)
    assert event.until is not None
    assert (event.until - core.now.at).total_seconds() == 600.0
    assert "thermal hold overridden until" in core.ask(Ping()).message
    for _ in range(598):
        core.turn(1.0, reading=sample(90.0))
    assert core.run.phase == "training"
    for _ in range(3):
        core.turn(1.0, reading=sample(90.0))
    assert core.run.phase == "paused"
    assert core.run.overrides == ()


def test_the_emergency_stop_comes_all_the_same() -> None:
    core = hot()
    core.ask(ResumeRun())
    for _ in range(3):
        core.turn(1.0, reading=sample(98.0, shutdown_c=100.0))
    assert core.run.stop == "checkpoint"
    assert core.run.stopping_for_hardware


def test_a_pause_and_a_resume_give_the_rules_their_say_again() -> None:
    core = hot()
    core.ask(ResumeRun())
    core.ask(PauseRun())
    core.ask(ResumeRun())
    core.turn(1.0, reading=sample(90.0))
    assert held_by(core) == ["thermal"]


# --- other thresholds under the run --------------------------------------------------------------


def heir_of(core: DrivenCore, policy: PolicySection) -> DrivenCore:
    """Another supervisor, which takes over the run of `core` with these keys."""
    heir = DrivenCore(decide=decide, policy=policy)
    heir.supervision = take_over(recall(core.journal), core.control, core.t)
    heir.t = core.t
    return heir


def test_a_threshold_counts_from_the_next_turn_and_for_a_supervisor_that_takes_over() -> None:
    core = driven()
    core.turn(1.0, reading=sample(84.0))
    assert held_by(core) == []
    assert core.ask(SetPolicy(settings=("policy.thermal.pause_above_c=83",))).ok
    core.turn(1.0, reading=sample(84.0))
    assert held_by(core) == ["thermal"]
    heir = heir_of(core, core.policy)
    assert heir.run.policy_settings == ("policy.thermal.pause_above_c=83",)
    for celsius in (70.0, 84.0):
        heir.turn(1.0, reading=sample(celsius))
    moves = [e for e in heir.events if isinstance(e, ev.PolicyDecision)]
    assert [(e.action, e.threshold) for e in moves] == [("resume", 75.0), ("pause", 83.0)]


def test_a_threshold_that_changes_during_a_pause_is_what_the_hold_tells() -> None:
    core = hot()
    began_t = core.run.holds[0].since_t
    core.ask(SetPolicy(settings=("policy.thermal.resume_below_c=61",)))
    core.turn(1.0, reading=sample(70.0))
    core.turn(1.0, reading=sample(70.0))
    (hold,) = core.run.holds
    assert (hold.until, hold.since_t) == ("resumes below 61 °C", began_t)
    heir = heir_of(core, core.policy)
    heir.turn(1.0, reading=sample(70.0))
    assert heir.run.holds == core.run.holds
    heir.turn(1.0, reading=sample(60.0))
    assert held_by(heir) == []
    made = [e for e in (*core.events, *heir.events) if isinstance(e, ev.PolicyDecision)]
    seen = [(e.action, e.renewed) for e in made]
    assert seen == [("pause", False), ("pause", True), ("resume", False)], "each is told once"


def test_a_supervisor_with_other_keys_tells_them_of_a_hold_that_it_takes_over() -> None:
    core = hot()
    cooler = ThermalSection(samples=1, window=1, min_dwell_s=0.0, resume_below_c=61.0)
    heir = heir_of(core, PolicySection(thermal=cooler))
    heir.turn(1.0, reading=sample(70.0))
    assert [hold.until for hold in heir.run.holds] == ["resumes below 61 °C"]


def test_a_setting_that_is_refused_leaves_everything_as_it_was() -> None:
    core = driven()
    before = core.run
    reply = core.ask(SetPolicy(settings=("policy.thermal.pause_above_c=60",)))
    assert not reply.ok
    assert "policy.thermal.resume_below_c: found 75; expected below" in reply.message
    assert core.run == before


def test_a_setting_is_checked_beside_how_often_this_run_looks_at_its_gpu() -> None:
    settings = (f"policy.power.mean_over_s={KEPT_READINGS}", "policy.power.limit_w=90")
    core, wanted = driven(), SetPolicy(settings=settings)
    core.gpu = GpuSection(poll_s=0.5)
    refused = core.ask(wanted)
    assert not refused.ok
    assert "readings at gpu.poll_s" in refused.message
    core.gpu = GpuSection(poll_s=2.0)
    assert core.ask(wanted).ok


def test_a_rule_that_is_switched_off_under_the_run_lets_go_of_it() -> None:
    core = hot()
    core.ask(SetPolicy(settings=("policy.thermal.enabled=false",)))
    core.turn(1.0, reading=sample(90.0))
    core.turn(1.0, reading=sample(90.0))
    assert core.run.phase == "training"


def test_what_was_set_stays_when_the_run_is_stopped_and_resumed() -> None:
    core = driven()
    core.ask(SetPolicy(settings=("policy.vram.enabled=false",)))
    core.exits(code=0)
    core.note(ev.RunStarted(run_id="r", name="t", engine="timellm", resumed=True))
    core.turn(1.0, training_started())
    assert core.run.policy_settings == ("policy.vram.enabled=false",)


# --- a machine that sleeps -----------------------------------------------------------------------


def test_a_night_in_which_the_machine_slept_is_nobodys_silence() -> None:
    """Where its clock goes on meanwhile, the first turn comes before any word or reading."""
    health = HealthSection(stall_action="stop")
    core = driven(health=health)
    for step in range(6, 30):
        core.turn(1.0, progress(step), reading=sample())
    core.turn(8 * 3600.0)
    assert (held_by(core), core.run.stop, core.run.notices) == ([], None, ())
    for step in range(30, 40):
        core.turn(1.0, progress(step), reading=sample())
    assert (held_by(core), core.run.stop, core.run.notices) == ([], None, ())
    core.turns(40.0)
    assert held_by(core) == ["telemetry"], "what is missing from then on is missed"


# --- a disk that takes no word ------------------------------------------------------------------


def test_an_engine_whose_words_a_full_disk_refuses_is_nobodys_silence() -> None:
    health = HealthSection(stall_action="stop")
    core = driven(health=health)
    for step in range(6, 30):
        core.turn(1.0, progress(step), reading=sample())
    for _ in range(400):
        core.turn(10.0, reading=sample(), room=False)
    core.turn(1.0, reading=sample())  # there is room, and the engine has not seen it yet
    assert (core.run.stop, core.run.notices) == (None, ())
    for _ in range(200):
        core.turn(10.0, reading=sample())
    assert core.run.stop is not None, "what it does not say from then on is its silence"


def test_an_engine_that_cannot_say_that_it_has_heard_is_not_doubted() -> None:
    core = driven()
    core.obedient = False
    assert core.ask(PauseRun()).ok
    for _ in range(40):
        core.turn(10.0, reading=sample(), room=False)
    assert core.alerts == []
    for _ in range(10):
        core.turn(10.0, reading=sample())
    assert [text for text in core.alerts if "has not acknowledged 'pause'" in text]
