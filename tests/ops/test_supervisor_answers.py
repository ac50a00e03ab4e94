"""What a supervisor says to a request, and which requests change anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import (
    STOP_MODES,
    AnyRequest,
    PauseRun,
    Ping,
    ResumeRun,
    StopMode,
    StopRun,
)
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import Hold, RunState, SavedCheckpoint
from timellm_ops.supervisor.answers import answer

TRAINING = RunState(activity="training", epoch=1, iteration=40, steps_per_epoch=100, engine_pid=7)
HOT = Hold(rule="thermal", reason="86 °C > 85 °C", until="resumes below 75 °C")
MINE = Hold(rule="user", reason="paused by cli", until="resumes when you say so")


def run(**changes: object) -> RunState:
    return RunState(**{**{f: getattr(TRAINING, f) for f in RunState.__struct_fields__}, **changes})


def asked(state: RunState, request: AnyRequest) -> tuple[bool, str, str | None]:
    """Whether it was taken, what was said, and the command that is journaled."""
    answered = answer(state, request, 20.0)
    command = answered.command
    return answered.reply.ok, answered.reply.message, None if command is None else command.what


def test_a_ping_tells_the_phase_and_what_holds_the_run() -> None:
    assert asked(TRAINING, Ping()) == (True, "training", None)
    ok, message, command = asked(run(holds=(HOT,), standing=True), Ping())
    assert (ok, command) == (True, None)
    assert message.startswith("paused · ")
    assert "86 °C > 85 °C; resumes below 75 °C" in message


def test_a_pause_is_taken_once() -> None:
    assert asked(TRAINING, PauseRun()) == (True, "pausing after the current step", "pause")
    assert asked(run(holds=(MINE,)), PauseRun()) == (True, "already paused by a user", None)


def test_a_pause_of_a_run_that_heat_holds_already_keeps_it_beyond_the_heat() -> None:
    ok, message, command = asked(run(holds=(HOT,), standing=True), PauseRun())
    assert (ok, command) == (True, "pause")
    assert "until you resume it" in message


def test_a_pause_tells_what_becomes_of_a_patient_stop() -> None:
    ok, message, command = asked(run(stop="after_checkpoint"), PauseRun())
    assert (ok, command) == (True, "pause")
    assert "the stop waits" in message


@pytest.mark.parametrize(
    "state", [run(stop="checkpoint"), run(stop="now"), run(stop="kill"), run(outcome="finished")]
)
def test_there_is_nothing_to_pause_in_a_run_that_is_ending(state: RunState) -> None:
    ok, message, command = asked(state, PauseRun())
    assert (ok, command) == (False, None)
    assert "ending" in message


def test_a_resume_lifts_the_users_own_hold_and_names_what_is_left() -> None:
    assert asked(run(holds=(MINE,)), ResumeRun()) == (True, "going on", "resume")
    ok, message, command = asked(run(holds=(MINE, HOT)), ResumeRun())
    assert (ok, command) == (True, "resume")
    assert "your pause is lifted" in message
    assert "86 °C > 85 °C" in message


def test_a_resume_without_a_hold_of_ones_own_is_refused_with_the_reason() -> None:
    assert asked(TRAINING, ResumeRun()) == (False, "the run is not paused", None)
    ok, message, command = asked(run(holds=(HOT,)), ResumeRun())
    assert (ok, command) == (False, None)
    assert "thermal hold stays: 86 °C > 85 °C; resumes below 75 °C" in message


@pytest.mark.parametrize("mode", STOP_MODES)
def test_a_stop_is_taken_unless_a_stronger_one_is_under_way(mode: StopMode) -> None:
    for under_way in (None, *STOP_MODES):
        ok, message, command = asked(run(stop=under_way, stop_reason="x"), StopRun(mode=mode))
        stronger = under_way is None or STOP_MODES.index(mode) > STOP_MODES.index(under_way)
        assert ok
        assert command == (f"stop {mode}" if stronger else None)
        if not stronger:
            assert message == "already stopping (x)"


def test_a_run_that_has_ended_cannot_be_stopped() -> None:
    ok, message, command = asked(run(outcome="finished"), StopRun(mode="kill"))
    assert (ok, command) == (False, None)
    assert "ended already" in message


@pytest.mark.parametrize(
    ("state", "mode", "words"),
    [
        (TRAINING, "checkpoint", "saving a checkpoint after the current step"),
        (run(activity="starting"), "checkpoint", "nothing to save yet"),
        (run(engine="foreign"), "checkpoint", "which has no way to save itself"),
        (TRAINING, "after_checkpoint", "once the next checkpoint is safely on disk"),
        (run(engine="foreign"), "after_checkpoint", "or at the next epoch's end"),
        (run(holds=(HOT,)), "after_checkpoint", "not before the run goes on: the thermal hold"),
        (TRAINING, "now", "killed if it is still there after 20 s"),
        (TRAINING, "now", "all 40 steps are lost, for there is no checkpoint yet"),
        (TRAINING, "kill", "killing the engine at once"),
        (run(epoch=0, iteration=0), "kill", "no step is lost"),
        (
            run(last=SavedCheckpoint(kind="last", path="p", bytes=1, epoch=1, iteration=10)),
            "kill",
            "up to 30 steps since the last checkpoint are lost",
        ),
    ],
)
def test_a_stop_says_what_it_does_and_what_it_costs(
    state: RunState, mode: StopMode, words: str
) -> None:
    ok, message, _ = asked(state, StopRun(mode=mode))
    assert ok
    assert words in message


HOLDS = st.lists(st.sampled_from([HOT, MINE]), max_size=2, unique_by=lambda hold: hold.rule)
STATES = st.builds(
    run,
    holds=HOLDS.map(tuple),
    standing=st.booleans(),
    stop=st.none() | st.sampled_from(STOP_MODES),
    engine=st.sampled_from(["timellm", "foreign"]),
    activity=st.sampled_from(["waiting", "starting", "training", "evaluating"]),
    outcome=st.none() | st.sampled_from(["finished", "failed"]),
)
REQUESTS = st.one_of(
    st.just(Ping()),
    st.just(PauseRun()),
    st.just(ResumeRun()),
    st.builds(StopRun, mode=st.sampled_from(STOP_MODES)),
)


@given(state=STATES, request=REQUESTS)
def test_every_answer_is_one_line_and_a_refusal_changes_nothing(
    state: RunState, request: AnyRequest
) -> None:
    ok, message, command = asked(state, request)
    assert message
    assert message.isprintable()
    if not ok:
        assert command is None


@given(state=STATES, request=REQUESTS)
def test_a_command_that_is_journaled_changes_the_state(
    state: RunState, request: AnyRequest
) -> None:
    command = answer(state, request, 20.0).command
    if command is not None:
        after = reduce(state, command)
        assert (after.holds, after.stop) != (state.holds, state.stop)


@given(state=STATES, request=REQUESTS, who=st.text(max_size=10))
def test_the_journal_names_who_asked(state: RunState, request: AnyRequest, who: str) -> None:
    named = type(request)(
        **{**{f: getattr(request, f) for f in request.__struct_fields__}, "who": who}
    )
    command = answer(state, named, 20.0).command
    assert command is None or command == ev.Command(who=who, what=command.what)
