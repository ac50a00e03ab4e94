"""The verdict: from what the journal holds and how the engine left, to outcome and exit code."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import STOP_MODES, StopMode
from timellm_ops.contract.state import RunState, SavedCheckpoint
from timellm_ops.supervisor.memory import Memory, remember
from timellm_ops.supervisor.outcome import Evidence, conclude, how

LAST = SavedCheckpoint(kind="last", path="p", bytes=1, epoch=1, iteration=40, step=40)
BEST = SavedCheckpoint(kind="best", path="p", bytes=1, epoch=1, iteration=100, step=100)
ON_DISK = Evidence(last_on_disk=True)


def own(**changes: object) -> RunState:
    return RunState(
        **{  # type: ignore[arg-type]
            "run_id": "20260131-t",
            "epochs": 3,
            "steps_per_epoch": 100,
            "epoch": 1,
            "iteration": 40,
            **changes,
        }
    )


def foreign(**changes: object) -> RunState:
    return own(engine="foreign", **changes)


def verdict(
    state: RunState,
    memory: Memory | None = None,
    evidence: Evidence | None = None,
    *,
    code: int | None = None,
    by_signal: int | None = None,
) -> tuple[str, int, str]:
    exited = ev.EngineExited(code=code, signal=by_signal)
    ended = conclude(state, memory or Memory(), exited, evidence or Evidence())
    return ended.outcome, ended.exit_code, ended.reason


# --- our engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, None])
def test_training_that_came_to_its_final_test_is_finished(code: int | None) -> None:
    found = verdict(own(final_mse=0.3712), Memory(finished=True), code=code)
    assert found == ("finished", 0, "training finished; test MSE 0.3712")


def test_training_without_a_test_is_finished_by_its_own_word() -> None:
    memory = remember(Memory(), own(), ev.TrainingFinished(epoch=3, best_epoch=2))
    assert verdict(own(), memory, code=0) == ("finished", 0, "training finished")


def test_even_if_it_was_about_to_be_stopped() -> None:
    assert verdict(own(stop="checkpoint"), Memory(finished=True), code=0)[0] == "finished"


def test_a_stop_with_its_checkpoint_on_disk_says_where_and_how_to_go_on() -> None:
    outcome, code, reason = verdict(own(stop="checkpoint", last=LAST), None, ON_DISK, code=0)
    assert (outcome, code) == ("stopped", 0)
    assert reason == (
        "stopped as asked at step 40 of 300; the checkpoint is on disk;"
        " go on with: timellm-ops run --resume 20260131-t"
    )


def test_large_numbers_of_steps_are_told_as_on_the_screen() -> None:
    last = msgspec.structs.replace(LAST, step=3_209)
    state = own(stop="checkpoint", last=last, epochs=3, steps_per_epoch=2_009)
    reason = verdict(state, None, ON_DISK, code=0)[2]
    assert reason.startswith("stopped as asked at step 3,209 of 6,027; ")


def test_a_stop_before_the_first_step_has_nothing_to_save() -> None:
    outcome, code, reason = verdict(own(stop="checkpoint", iteration=0), code=0)
    assert (outcome, code) == ("stopped", 0)
    assert "nothing to save" in reason


def test_an_engine_that_left_well_without_its_checkpoint_has_failed() -> None:
    for state in (own(stop="checkpoint"), own(stop="checkpoint", last=LAST), own()):
        outcome, code, reason = verdict(state, code=0)
        assert (outcome, code) == ("failed", 4)
        assert "not on disk" in reason


@pytest.mark.parametrize("mode", ["now", "kill"])
def test_unless_it_was_to_end_at_once(mode: StopMode) -> None:
    outcome, code, reason = verdict(own(stop=mode), code=0)
    assert (outcome, code) == ("stopped", 0)
    assert "40 steps are lost, for there is no checkpoint yet" in reason


@pytest.mark.parametrize("number", [9, 15])
@pytest.mark.parametrize("mode", ["now", "kill", "checkpoint"])
def test_a_signal_that_reaches_an_engine_once_it_has_saved_changes_nothing(
    mode: StopMode, number: int
) -> None:
    left = Memory(stop_acknowledged=True, saved_since_stop=True)
    state = own(stop=mode, last=LAST, iteration=LAST.step)
    outcome, code, reason = verdict(state, left, ON_DISK, by_signal=number)
    assert (outcome, code) == ("stopped", 0)
    assert "stopped as asked at step 40 of 300; the checkpoint is on disk" in reason
    further = msgspec.structs.replace(state, iteration=LAST.step + 5)
    assert "the checkpoint is on disk" not in verdict(further, left, ON_DISK, by_signal=number)[2]


def test_an_engine_that_a_signal_told_to_save_and_leave_is_stopped() -> None:
    outcome, code, reason = verdict(own(last=LAST), None, ON_DISK, code=0)
    assert (outcome, code) == ("stopped", 0)
    assert "a signal told it to" in reason


def test_an_engine_that_left_for_want_of_a_supervisor_is_stopped() -> None:
    memory = Memory(saved_standing=True)
    outcome, code, reason = verdict(own(last=LAST), memory, ON_DISK)
    assert (outcome, code) == ("stopped", 0)
    assert "nobody supervised it" in reason


def test_an_exit_that_nobody_saw_is_believed_if_the_engine_had_said_goodbye() -> None:
    told = Memory(stop_acknowledged=True, saved_since_stop=True)
    assert verdict(own(stop="checkpoint", last=LAST), told, ON_DISK)[:2] == ("stopped", 0)
    for doubtful in (Memory(stop_acknowledged=True), Memory(saved_since_stop=True), Memory()):
        outcome, code, reason = verdict(own(stop="checkpoint", last=LAST), doubtful, ON_DISK)
        assert (outcome, code) == ("failed", 4)
        assert "nobody saw how" in reason
        assert "run --resume" in reason


def test_an_engine_that_was_killed_when_all_was_done_has_finished() -> None:
    assert verdict(own(final_mse=0.3712), Memory(finished=True), by_signal=9)[0] == "finished"


def test_an_engine_that_was_killed_at_the_last_moment_of_a_stop_has_failed() -> None:
    memory = Memory(stop_acknowledged=True, saved_since_stop=True)
    outcome, code, reason = verdict(own(last=LAST), memory, ON_DISK, by_signal=9)
    assert (outcome, code) == ("failed", 4)
    assert "SIGKILL" in reason


@pytest.mark.parametrize(("mode", "number"), [("now", 15), ("now", 9), ("kill", 9)])
def test_an_engine_ended_by_force_as_asked_is_stopped_and_its_loss_is_told(
    mode: StopMode, number: int
) -> None:
    outcome, code, reason = verdict(own(stop=mode, last=LAST, iteration=55), by_signal=number)
    assert (outcome, code) == ("stopped", 0)
    assert reason == "ended at once as asked; 15 steps since the last checkpoint are lost"


def test_what_went_wrong_while_it_was_ended_is_told_too() -> None:
    state = own(stop="now", failure="no space left for the checkpoint")
    outcome, code, reason = verdict(state, Memory(failed="training"), code=4)
    assert (outcome, code) == ("stopped", 0)
    assert "no space left for the checkpoint" in reason


@pytest.mark.parametrize(
    ("code", "failed", "expected"),
    [
        (2, None, ("refused", 2)),
        (3, None, ("refused", 3)),
        (2, "input", ("refused", 2)),
        (None, "input", ("refused", 2)),
        (None, "preflight", ("refused", 3)),
        (1, "preflight", ("refused", 3)),
        (4, "training", ("failed", 4)),
        (2, "training", ("failed", 4)),
        (1, None, ("failed", 4)),
        (4, None, ("failed", 4)),
        (255, None, ("failed", 4)),
        (None, None, ("failed", 4)),
    ],
)
def test_engines_that_failed(
    code: int | None, failed: str | None, expected: tuple[str, int]
) -> None:
    memory = Memory(failed=failed)  # type: ignore[arg-type]
    assert verdict(own(failure="why" if failed else ""), memory, code=code)[:2] == expected


def test_an_engine_that_said_it_failed_is_believed_whatever_its_exit_code() -> None:
    failed = Memory(failed="training", finished=True)
    outcome, code, reason = verdict(
        own(last=LAST, failure="the loss is NaN"), failed, ON_DISK, code=0
    )
    assert (outcome, code) == ("failed", 4)
    assert "the loss is NaN" in reason


def test_a_refusal_gives_the_engines_own_words_or_its_last_line() -> None:
    state = own(failure="backbone.layers: found 9; expected at most 6")
    assert verdict(state, Memory(failed="input"), code=2)[2] == state.failure
    line = Evidence(last_line="ModuleNotFoundError: No module named 'torch'")
    assert verdict(own(), None, line, code=2)[2] == line.last_line


def test_a_failure_says_how_the_engine_went_why_and_how_to_go_on() -> None:
    evidence = Evidence(last_line="killed", last_on_disk=True)
    outcome, code, reason = verdict(own(last=LAST), None, evidence, by_signal=9)
    assert (outcome, code) == ("failed", 4)
    assert reason == (
        "the engine was ended by SIGKILL: killed; go on from the last checkpoint with:"
        " timellm-ops run --resume 20260131-t"
    )


def test_a_stop_that_the_engine_answered_by_crashing_has_failed() -> None:
    assert verdict(own(stop="checkpoint", last=LAST), None, ON_DISK, by_signal=11)[1] == 4
    assert verdict(own(stop="after_checkpoint", last=LAST), None, ON_DISK, code=1)[1] == 4


# --- for the hardware's sake ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "number"), [(0, None), (4, None), (None, 9), (None, 15), (None, None)]
)
@pytest.mark.parametrize("engine", ["timellm", "foreign"])
@pytest.mark.parametrize("evidence", [ON_DISK, Evidence()])
def test_a_run_stopped_for_the_hardware_ends_with_code_5_however_it_went(
    code: int | None, number: int | None, engine: str, evidence: Evidence
) -> None:
    state = own(
        engine=engine,
        stop="checkpoint",
        stopping_for_hardware=True,
        stop_reason="97 °C ≥ 97 °C",
        last=LAST,
    )
    outcome, exit_code, reason = verdict(state, None, evidence, code=code, by_signal=number)
    assert (outcome, exit_code) == ("stopped_for_hardware", 5)
    assert reason.startswith("97 °C ≥ 97 °C; ")
    assert "as asked" not in reason


# --- a foreign engine ----------------------------------------------------------------------------


def test_a_script_that_came_to_its_end_is_finished() -> None:
    assert verdict(foreign(), code=0)[:2] == ("finished", 0)


@pytest.mark.parametrize(("code", "number"), [(1, None), (2, None), (None, 9), (None, None)])
def test_a_script_that_went_another_way_has_failed(code: int | None, number: int | None) -> None:
    line = Evidence(last_line="RuntimeError: CUDA out of memory", last_on_disk=True)
    outcome, exit_code, reason = verdict(foreign(), None, line, code=code, by_signal=number)
    assert (outcome, exit_code) == ("failed", 4)
    assert "CUDA out of memory" in reason
    assert "--resume" not in reason, "a script cannot be resumed"


@pytest.mark.parametrize(("code", "number"), [(130, None), (1, None), (None, 2), (None, None)])
def test_a_script_interrupted_after_its_checkpoint_is_stopped_without_loss(
    code: int | None, number: int | None
) -> None:
    memory = Memory(safe="the best checkpoint is on disk")
    state = foreign(stop="after_checkpoint", best=BEST, iteration=100)
    assert verdict(state, memory, code=code, by_signal=number) == (
        "stopped",
        0,
        "stopped as asked: the best checkpoint is on disk; no step is lost",
    )


def test_a_script_that_ended_before_the_checkpoint_that_was_waited_for_is_finished() -> None:
    outcome, code, reason = verdict(foreign(stop="after_checkpoint"), code=0)
    assert (outcome, code) == ("finished", 0)
    assert "before its next checkpoint" in reason


@pytest.mark.parametrize(("code", "number"), [(1, None), (None, 11), (None, None)])
def test_a_script_that_crashed_while_its_checkpoint_was_waited_for_has_failed(
    code: int | None, number: int | None
) -> None:
    state = foreign(stop="after_checkpoint")
    assert verdict(state, code=code, by_signal=number)[:2] == ("failed", 4)


@pytest.mark.parametrize("mode", ["checkpoint", "now", "kill"])
def test_a_script_that_was_stopped_without_waiting_is_stopped_and_its_loss_is_told(
    mode: StopMode,
) -> None:
    state = foreign(stop=mode, best=BEST, epoch=2, iteration=1)
    outcome, code, reason = verdict(state, by_signal=15)
    assert (outcome, code) == ("stopped", 0)
    assert reason == "stopped as asked; 1 step since the last checkpoint is lost"


# --- words and properties ------------------------------------------------------------------------


def test_how_an_engine_left_is_told_in_words() -> None:
    assert how(ev.EngineExited(signal=9)) == "the engine was ended by SIGKILL"
    assert how(ev.EngineExited(signal=250)) == "the engine was ended by signal 250"
    assert how(ev.EngineExited(code=7)) == "the engine failed with exit code 7"
    assert how(ev.EngineExited()) == "the engine is gone and nobody saw how"


@given(
    state=st.builds(
        own,
        engine=st.sampled_from(["timellm", "foreign"]),
        stop=st.none() | st.sampled_from(STOP_MODES),
        stopping_for_hardware=st.booleans(),
        stop_reason=st.just("why"),
        iteration=st.integers(0, 100),
        last=st.none() | st.just(LAST),
        best=st.none() | st.just(BEST),
        failure=st.sampled_from(["", "CUDA out of memory"]),
        early_stopped=st.booleans(),
        steps_per_epoch=st.none() | st.just(100),
    ),
    memory=st.builds(
        Memory,
        finished=st.booleans(),
        failed=st.none() | st.sampled_from(["input", "preflight", "training"]),
        stop_acknowledged=st.booleans(),
        saved_since_stop=st.booleans(),
        saved_standing=st.booleans(),
        safe=st.sampled_from(["", "the best checkpoint is on disk"]),
    ),
    code=st.none() | st.integers(0, 255),
    number=st.none() | st.integers(1, 64),
    evidence=st.builds(
        Evidence, last_line=st.sampled_from(["", "bye"]), last_on_disk=st.booleans()
    ),
)
def test_every_end_has_a_verdict_and_outcome_and_code_agree(
    state: RunState,
    memory: Memory,
    code: int | None,
    number: int | None,
    evidence: Evidence,
) -> None:
    outcome, exit_code, reason = verdict(
        state, memory, evidence, code=None if number else code, by_signal=number
    )
    codes = {
        "finished": (0,),
        "stopped": (0,),
        "refused": (2, 3),
        "failed": (4,),
        "stopped_for_hardware": (5,),
    }
    assert exit_code in codes[outcome]
    assert reason.strip()
    assert (outcome == "stopped_for_hardware") <= state.stopping_for_hardware
