"""When an engine that ended unasked is started again: a pure question, and the core around it."""

import signal

import pytest
from driven_core import DrivenCore, progress, training_started
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import PauseRun, StopRun
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.effects import AnyEffect, Relaunch, WriteControl
from timellm_ops.supervisor.memory import Memory, remember
from timellm_ops.supervisor.outcome import Evidence
from timellm_ops.supervisor.restart import LONGEST_WAIT_S, Patience, due, restart

PATIENCE = Patience(restarts=3, restart_after_s=10.0)
KILLED = ev.EngineExited(signal=signal.SIGKILL)
OURS = ev.RunStarted(run_id="r", name="t", engine="timellm", gpu="nvml")


def saved(epoch: int, iteration: int) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(kind="last", path="p", bytes=1, epoch=epoch, iteration=iteration)


def after(*events: ev.Event) -> tuple[RunState, Memory]:
    state, memory = RunState(), Memory()
    for event in events:
        memory, state = remember(memory, state, event), reduce(state, event)
    return state, memory


def asked(*events: ev.Event, exited: ev.EngineExited = KILLED) -> ev.EngineRestart | None:
    return restart(PATIENCE, *after(OURS, *events), exited)


@pytest.mark.parametrize(
    "exited",
    [
        KILLED,
        ev.EngineExited(signal=signal.SIGSEGV),
        ev.EngineExited(code=1),
        ev.EngineExited(code=137),
        ev.EngineExited(),
    ],
)
def test_one_that_was_killed_or_crashed_or_vanished_is_started_again(
    exited: ev.EngineExited,
) -> None:
    found = asked(exited=exited)
    assert found is not None
    assert (found.attempt, found.wait_s, found.pieces) == (1, 10.0, 1)
    assert found.reason


@pytest.mark.parametrize(
    ("events", "exited"),
    [
        ((), ev.EngineExited(code=0)),
        ((), ev.EngineExited(code=2)),
        ((ev.EngineFailed(message="the loss is nan"),), ev.EngineExited(code=4)),
        ((ev.EngineFailed(message="no such key", kind="input"),), ev.EngineExited(code=2)),
        ((ev.TrainingFinished(epoch=2),), KILLED),
        ((ev.Command(who="cli", what="stop now"),), KILLED),
        ((ev.Command(who="cli", what="stop after_checkpoint"),), KILLED),
    ],
)
def test_one_that_has_told_why_or_was_told_to_is_not(
    events: tuple[ev.Event, ...], exited: ev.EngineExited
) -> None:
    assert asked(*events, exited=exited) is None


def test_a_script_of_somebody_elses_cannot_go_on() -> None:
    state, memory = after(ev.RunStarted(run_id="r", name="t", engine="foreign", gpu="none"))
    assert restart(PATIENCE, state, memory, KILLED) is None


def test_there_is_no_going_on_without_the_gpu_that_was_there() -> None:
    from timellm_ops.contract.telemetry import GpuSample

    seen = ev.Telemetry(sample=GpuSample(source="nvml", temperature_c=70.0))
    lost = ev.TelemetryLost(reason="the GPU is lost", permanent=True)
    assert asked(lost) is not None  # there never was one, and training does without
    assert asked(seen, lost) is None
    fell_off = ev.TelemetryLost(reason="GPU is lost", lost=True)
    assert asked(seen, fell_off) is None


def test_each_in_a_row_waits_twice_as_long_and_a_checkpoint_ends_the_row() -> None:
    events: list[ev.Event] = []
    waits = []
    for _ in range(PATIENCE.restarts):
        again = asked(*events)
        assert again is not None
        waits.append(again.wait_s)
        events.append(again)
    assert waits == [10.0, 20.0, 40.0]
    assert asked(*events) is None
    further = asked(*events, saved(1, 5))
    assert further is not None
    assert (further.attempt, further.wait_s) == (1, 10.0)
    # What is only told of once more is no progress.
    assert asked(saved(1, 5), *events, saved(1, 5)) is None


def test_what_did_not_fit_into_memory_is_tried_once_in_finer_pieces() -> None:
    too_much = ev.EngineFailed(message="CUDA out of memory", kind="memory")
    code = ev.EngineExited(code=6)
    again = asked(too_much, exited=code)
    assert again is not None
    assert again.pieces == 2
    assert "CUDA out of memory" in again.reason
    assert "2 pieces" in again.reason
    assert asked(too_much, again, too_much, exited=code) is None
    # A crash afterwards keeps the finer pieces.
    crashed = asked(too_much, again, saved(1, 5))
    assert crashed is not None
    assert crashed.pieces == 2
    # When the run is resumed by a person, they stay, and one more retry is theirs.
    resumed = asked(too_much, again, OURS, too_much, exited=code)
    assert resumed is not None
    assert resumed.pieces == 4


def standing(*events: ev.Event) -> tuple[RunState, Memory]:
    """Paused in second 500, and what came then."""
    return after(OURS, saved(1, 3), ev.Paused(t=500.0), *events)


@pytest.mark.parametrize("exited", [ev.EngineExited(code=0), ev.EngineExited()])
def test_one_that_left_for_its_supervisor_had_hung_is_started_again_when_that_is_back(
    exited: ev.EngineExited,
) -> None:
    found = restart(PATIENCE, *standing(saved(1, 5)), exited, away_t=600.0)
    assert found is not None
    assert "had hung" in found.reason
    assert found.attempt == 1


@pytest.mark.parametrize(
    ("events", "exited", "away_t"),
    [
        ((saved(1, 5),), ev.EngineExited(code=0), None),  # a signal told it to
        ((saved(1, 5),), ev.EngineExited(code=0), 400.0),  # the supervisor was there all the pause
        ((), ev.EngineExited(code=0), 600.0),  # it has not said goodbye
        ((saved(1, 5), ev.Resumed(t=700.0)), ev.EngineExited(code=0), 600.0),
        ((saved(1, 5), ev.Command(who="cli", what="stop now")), ev.EngineExited(code=0), 600.0),
        ((saved(1, 5), ev.EngineFailed(message="disk")), ev.EngineExited(code=0), 600.0),
        ((saved(1, 5),), ev.EngineExited(code=2), 600.0),
    ],
)
def test_one_that_left_for_another_reason_is_not(
    events: tuple[ev.Event, ...], exited: ev.EngineExited, away_t: float | None
) -> None:
    assert restart(PATIENCE, *standing(*events), exited, away_t) is None


@given(first_s=st.floats(0.0, 3600.0), restarts=st.integers(0, 100), row=st.integers(0, 100))
def test_no_wait_is_longer_than_the_longest_and_no_row_than_was_allowed(
    first_s: float, restarts: int, row: int
) -> None:
    state, _ = after(OURS)
    memory = Memory(restarts_in_row=row)
    found = restart(Patience(restarts=restarts, restart_after_s=first_s), state, memory, KILLED)
    assert (found is None) == (row >= restarts)
    if found is not None:
        assert 0.0 <= found.wait_s <= LONGEST_WAIT_S


def test_a_clock_that_began_anew_does_not_wait_for_the_old_one() -> None:
    memory = Memory(restart_t=100_000.0)
    assert not due(memory, 99_995.0)
    assert due(memory, 100_000.0)
    assert due(memory, 12.0)


# --- in the core ---------------------------------------------------------------------------------


def supervised() -> DrivenCore:
    run = DrivenCore(patience=PATIENCE)
    run.trains()
    run.turn(1.0, saved(1, 5))
    return run


def relaunched(effects: list[AnyEffect]) -> list[Relaunch]:
    return [effect for effect in effects if isinstance(effect, Relaunch)]


def test_the_run_goes_on_with_a_new_engine_once_the_wait_is_over() -> None:
    run = supervised()
    run.turn(1.0, exited=KILLED)
    assert run.run.phase == "restarting"
    assert not run.run.ended
    assert run.run.restart_reason == "the engine was ended by SIGKILL"
    assert not relaunched(run.turns(9.0))
    assert relaunched(run.turns(1.0)) == [Relaunch(pieces=1)]
    run.note(ev.EngineStarted(pid=8))
    assert not relaunched(run.turns(5.0))
    run.turn(1.0, training_started())
    run.turn(1.0, progress(6))
    assert run.run.phase == "training"
    assert run.run.restarts == 1
    assert run.state_of_journal() == run.run


def test_a_crash_loop_ends_with_its_reason() -> None:
    run = supervised()
    for wait_s in (10, 20, 40):
        run.turn(1.0, exited=KILLED)
        assert relaunched(run.turns(wait_s))
        run.note(ev.EngineStarted(pid=8))
    verdict = run.exits(signal=signal.SIGKILL, evidence=Evidence(last_on_disk=True))
    assert (verdict.outcome, verdict.exit_code) == ("failed", 4)
    assert "started again 3 times without getting to a further checkpoint" in verdict.reason
    assert "timellm-ops run --resume" in verdict.reason


@pytest.mark.parametrize("mode", ["checkpoint", "after_checkpoint", "now", "kill"])
def test_a_stop_during_the_wait_ends_the_run_at_once(mode: str) -> None:
    run = supervised()
    run.turn(1.0, exited=KILLED)
    assert run.ask(StopRun(mode=mode)).ok  # type: ignore[arg-type]
    assert run.exit_code == 0
    verdict = run.events[-1]
    assert isinstance(verdict, ev.RunEnded)
    assert verdict.outcome == "stopped"
    assert "timellm-ops run --resume" in verdict.reason


def test_a_pause_during_the_wait_is_what_the_new_engine_finds() -> None:
    from timellm_ops.supervisor.core import next_control

    run = supervised()
    run.turn(1.0, exited=KILLED)
    assert run.ask(PauseRun()).ok
    effects = run.turns(12.0)
    assert relaunched(effects)
    assert not [effect for effect in effects if isinstance(effect, WriteControl)]
    assert next_control(run.supervision).desired == "pause"


@pytest.mark.parametrize("leaves_after_s", [0.0, 20.0])
def test_a_supervisor_that_was_away_starts_the_engine_that_left_meanwhile(
    leaves_after_s: float,
) -> None:
    """It may come back in the very moment in which the engine is about to go."""
    run = supervised()
    assert run.ask(PauseRun()).ok
    run.turn(1.0)
    assert run.run.standing
    run.turn(PATIENCE.orphan_after_s + 1.0, saved(1, 9))
    run.turns(leaves_after_s)
    run.turn(0.0, exited=ev.EngineExited(code=0), evidence=Evidence(last_on_disk=True))
    assert run.run.phase == "restarting"
    assert "had hung" in run.run.restart_reason
    assert relaunched(run.turns(PATIENCE.restart_after_s + 1.0))
    assert run.run.desired == "pause"


def test_a_supervisor_that_was_there_does_not_start_one_that_a_signal_ended() -> None:
    run = supervised()
    assert run.ask(PauseRun()).ok
    run.turns(3.0 * PATIENCE.orphan_after_s, every_s=10.0)
    run.turn(1.0, saved(1, 9))
    verdict = run.exits(code=0, evidence=Evidence(last_on_disk=True))
    assert verdict.outcome == "stopped"
