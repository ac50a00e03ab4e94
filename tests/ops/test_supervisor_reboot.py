"""A run whose machine was started anew under it: what the rules still do on the young clock."""

from datetime import timedelta

import msgspec
import pytest
from driven_core import BEGAN, DrivenCore, kinds, progress, training_started

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import PauseRun
from timellm_ops.contract.config import GovernorSection, PolicySection, ThermalSection
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import Override, RunState
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.supervisor.rebuild import recall, start_anew
from timellm_ops.supervisor.restart import Patience
from timellm_policies import decide

UPTIME_S = 864_000.0
"""Ten days: what the machine had been up for before it was started anew."""
DWELL_S = 30.0


def hot_run(**sections: object) -> DrivenCore:
    thermal = ThermalSection(samples=1, window=1, min_dwell_s=DWELL_S, unknown_after_s=1e6)
    policy = PolicySection(
        **{"thermal": thermal, "governor": GovernorSection(enabled=False), **sections}  # type: ignore[arg-type]
    )
    core = DrivenCore(
        decide=decide,
        policy=policy,
        patience=Patience(restarts=2, restart_after_s=1.0),
        t=UPTIME_S,
    )
    core.trains()
    return core


def at(celsius: float) -> GpuSample:
    return GpuSample(source="simulated", temperature_c=celsius)


def reboot(core: DrivenCore) -> None:
    """The machine goes down with engine and supervisor; later somebody has the run adopted."""
    core.t = 40.0
    core.supervision = start_anew(recall(core.journal), core.control)
    core.waiting = []
    core.note(ev.Adopted(supervisor_pid=9, engine_pid=None))
    core.turn(0.1, exited=ev.EngineExited())
    assert core.run.activity == "restarting"
    assert "Relaunch" in kinds(core.turn(5.0).effects)
    core.note(ev.EngineStarted(pid=8))
    core.turn(1.0, training_started(), progress(6))


def test_a_hold_of_before_the_reboot_is_lifted_when_the_card_is_cool() -> None:
    core = hot_run()
    core.turn(1.0, reading=at(90.0))
    assert [hold.rule for hold in core.run.holds] == ["thermal"]
    reboot(core)
    assert core.run.desired == "pause"
    core.turn(1.0, reading=at(50.0))
    assert core.run.desired == "pause", "it lasts its least time, counted from the new boot"
    core.turn(DWELL_S, reading=at(50.0))
    assert core.run.desired == "run"


def test_a_resume_of_before_the_reboot_does_not_keep_the_run_from_pausing() -> None:
    core = hot_run()
    core.turn(1.0, reading=at(90.0))
    core.turn(DWELL_S + 1.0, reading=at(50.0))
    assert core.run.desired == "run"
    reboot(core)
    core.turn(1.0, reading=at(90.0))
    assert [hold.rule for hold in core.run.holds] == ["thermal"]


def test_a_card_that_is_not_read_again_after_the_reboot_is_not_taken_to_be_cool() -> None:
    core = hot_run(thermal=ThermalSection(unknown_after_s=30.0))
    core.turn(1.0, reading=at(60.0))
    reboot(core)
    core.turns(35.0)
    assert [hold.rule for hold in core.run.holds] == ["telemetry"]


def test_the_governor_goes_on_pacing_after_a_reboot() -> None:
    core = hot_run(governor=GovernorSection())
    for _ in range(120):
        core.turn(1.0, reading=at(84.0))
    assert core.run.pace.duty < 1.0
    reboot(core)
    before = core.run.pace.duty
    for _ in range(120):
        core.turn(1.0, reading=at(84.0))
    assert core.run.pace.duty < before


def test_an_alert_of_before_the_reboot_is_not_given_again_at_once() -> None:
    core = hot_run()
    alert = ev.PolicyDecision(action="alert", rule="power", reason="much", about="limit")
    core.note(alert)
    reboot(core)
    (told,) = core.run.told
    assert told.t == 40.0


def test_an_override_ends_when_the_clock_on_the_wall_says_so() -> None:
    ends = BEGAN + timedelta(seconds=600)
    before = RunState(
        t=UPTIME_S,
        overrides=(Override(rule="thermal", who="me", until_t=UPTIME_S + 600.0, until_at=ends),),
    )
    adopted = ev.Adopted(supervisor_pid=9, engine_pid=None, t=40.0)
    soon, late = ends - timedelta(seconds=100), ends + timedelta(seconds=1)
    early = reduce(before, msgspec.structs.replace(adopted, at=soon))
    assert [override.until_t for override in early.overrides] == [140.0]
    assert reduce(before, msgspec.structs.replace(adopted, at=late)).overrides == ()


def test_a_pause_of_a_persons_stays() -> None:
    core = hot_run()
    core.ask(PauseRun())
    reboot(core)
    assert core.run.desired == "pause"


def test_words_of_the_engine_of_before_do_not_set_the_clock_forward() -> None:
    core = hot_run()
    lived_s = core.run.active_s
    core.t = 40.0
    core.supervision = start_anew(recall(core.journal), core.control)
    core.note(ev.Adopted(supervisor_pid=9, engine_pid=None))
    core.turn(1.0, ev.Progress(iteration=7, epoch=1, loss=0.5, t=UPTIME_S + 50.0))
    assert core.run.t == 41.0
    assert core.run.active_s == pytest.approx(lived_s + 1.0)
    assert core.run.iteration == 7
