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
    SetPolicy,
    StopMode,
    StopRun,
)
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import Hold, RunState, SavedCheckpoint
from timellm_ops.contract.telemetry import HostSample
from timellm_ops.supervisor.answers import Terms, answer

TERMS = Terms(stop_grace_s=20.0)
TRAINING = RunState(activity="training", epoch=1, iteration=40, steps_per_epoch=100, engine_pid=7)
HOT = Hold(rule="thermal", reason="86 °C > 85 °C", until="resumes below 75 °C")
MINE = Hold(rule="user", reason="paused by the command line", until="resumes when you say so")


def run(**changes: object) -> RunState:
    return RunState(**{**{f: getattr(TRAINING, f) for f in RunState.__struct_fields__}, **changes})


FULL = run(engine="timellm", host=HostSample(disk_free_bytes=0))


def asked(state: RunState, request: AnyRequest) -> tuple[bool, str, str | None]:
    """Whether it was taken, what was said, and the command that is journaled."""
    answered = answer(state, request, TERMS)
    commands = [event.what for event in answered.events if isinstance(event, ev.Command)]
    return answered.reply.ok, answered.reply.message, commands[0] if commands else None


def test_a_ping_tells_the_phase_and_what_holds_the_run() -> None:
    assert asked(TRAINING, Ping()) == (True, "training", None)
    ok, message, command = asked(run(holds=(HOT,), standing=True), Ping())
    assert (ok, command) == (True, None)
    assert message.startswith("paused · ")
    assert "86 °C > 85 °C; resumes below 75 °C" in message


def test_a_pause_is_taken_once() -> None:
    assert asked(TRAINING, PauseRun()) == (True, "pausing after the current step", "pause")
    assert asked(run(holds=(MINE,)), PauseRun()) == (True, "already paused by a user", None)


def test_while_no_engine_is_there_nobody_is_told_of_its_next_step() -> None:
    waits = run(activity="restarting", engine_pid=None)
    _, message, command = asked(waits, PauseRun())
    assert (message, command) == (
        "the engine is started again, and stands before its first step",
        "pause",
    )
    for mode in STOP_MODES:
        _, message, command = asked(waits, StopRun(mode=mode))
        assert message == "stopping; no engine is there now, and it is not started again"
        assert command == f"stop {mode}"


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


def test_a_run_that_nothing_holds_cannot_be_resumed() -> None:
    for request in (ResumeRun(), ResumeRun(for_s=60.0)):
        assert asked(TRAINING, request) == (False, "the run is not paused", None)


def overridden(state: RunState, request: AnyRequest) -> ev.RulesOverridden | None:
    events = answer(state, request, TERMS).events
    return next((event for event in events if isinstance(event, ev.RulesOverridden)), None)


def test_a_resume_where_only_a_rule_holds_the_run_overrides_it_for_half_an_hour() -> None:
    ok, message, command = asked(run(holds=(HOT,)), ResumeRun(who="dashboard"))
    assert (ok, command) == (True, None)
    assert "overridden for 30 min: the thermal hold, 86 °C > 85 °C" in message
    assert "may still stop" in message
    expected = ev.RulesOverridden(who="dashboard", rules=("thermal",), for_s=1800.0)
    assert overridden(run(holds=(HOT,)), ResumeRun(who="dashboard")) == expected


def test_a_resume_with_a_time_of_its_own_overrides_also_beside_the_users_hold() -> None:
    both = run(holds=(MINE, HOT))
    assert overridden(both, ResumeRun()) is None, "the hold of one's own is lifted first"
    ok, message, command = asked(both, ResumeRun(for_s=45.0))
    assert (ok, command) == (True, "resume")
    assert "45 s" in message
    expected = ev.RulesOverridden(who="cli", rules=("thermal",), for_s=45.0)
    assert overridden(both, ResumeRun(for_s=45.0)) == expected


@pytest.mark.parametrize("holds", [(), (MINE,), (HOT,), (MINE, HOT)])
@pytest.mark.parametrize(
    "ending",
    [
        {"stop": "checkpoint"},
        {"stop": "now"},
        {"stop": "kill"},
        {"outcome": "stopped", "exit_code": 0},
    ],
)
def test_there_is_nothing_to_resume_in_a_run_that_is_ending(
    holds: tuple[Hold, ...], ending: dict[str, object]
) -> None:
    """Its engine leaves through the pause, whatever anybody says: nobody is told of going on."""
    for request in (ResumeRun(), ResumeRun(for_s=60.0)):
        ok, message, command = asked(run(holds=holds, **ending), request)
        assert (ok, command) == (False, None)
        assert "ending" in message


def test_a_run_that_waits_for_its_next_checkpoint_to_stop_is_resumed() -> None:
    waiting = run(holds=(MINE,), stop="after_checkpoint")
    assert asked(waiting, ResumeRun()) == (True, "going on", "resume")


# --- other thresholds ----------------------------------------------------------------------------


def changed(state: RunState, *settings: str) -> ev.PolicyChanged | str:
    """What is journaled, or why nothing is."""
    answered = answer(state, SetPolicy(settings=settings), TERMS)
    assert len(answered.events) <= 1
    for event in answered.events:
        assert isinstance(event, ev.PolicyChanged)
        assert answered.reply.ok
        return event
    return answered.reply.message


def test_a_threshold_is_changed_and_journaled_with_who_asked() -> None:
    answered = answer(
        TRAINING, SetPolicy(settings=("policy.thermal.pause_above_c = 83 ",), who="me"), TERMS
    )
    settings = ("policy.thermal.pause_above_c=83",)
    assert answered.events == (ev.PolicyChanged(who="me", settings=settings),)
    assert settings[0] in answered.reply.message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("policy.thermal.pause_above_c=hot",), 'found "hot"; expected a number'),
        (("policy.thermal.pause_above_c=74",), "resume_below_c: found 75; expected below"),
        (("policy.thermal.pause_abov_c=83",), '"policy.thermal.pause_above_c" (did you mean'),
        (("policy.thermal={enabled=false}",), "found a whole table; expected one of its keys"),
        (("train.epochs=3",), "train.epochs, which is fixed while the run lasts"),
        (("pause_above_c=83",), 'no key of a rule; expected "policy.thermal.pause_above_c"'),
        (("foo=1",), "foo, which is no key of a rule; expected policy.RULE.KEY"),
        (("policy.thermal.pause_above_c",), "expected key=value"),
        (("policy.battery.pause_below_pct=90",), "resume_above_pct: found 60; expected at least"),
        (("policy.schedule.quiet_from=22:00",), "quiet_until: found nothing"),
        (("policy.schedule.quiet_from=25:00",), "of the form 22:30"),
        (("policy.schedule.timezone=Mars/Olympus",), "the name of a time zone"),
        (("policy.schedule.deadline=soon",), "a day and a time"),
        (("policy.vram.enabled=false", "policy.thermal.samples=9"), "samples: found 9"),
    ],
)
def test_a_setting_that_is_not_right_changes_nothing_and_says_what_would_be(
    settings: tuple[str, ...], words: str
) -> None:
    refused = changed(TRAINING, *settings)
    assert isinstance(refused, str)
    assert words in refused
    assert refused.startswith(("policy.", "train.", "found ")), "the key, as after a file's name"
    assert refused.isprintable()


def test_everything_that_is_wrong_with_a_request_is_told_in_one_line() -> None:
    refused = changed(TRAINING, "policy.thermal.pause_above_c=true", "policy.disk.margin_mib=true")
    assert isinstance(refused, str)
    assert refused.count("found true; expected a number") == 2
    assert refused.isprintable()


def test_settings_are_checked_together_and_beside_those_before_them() -> None:
    low = "policy.thermal.resume_below_c=60"
    lower = "policy.thermal.pause_above_c=70"
    assert isinstance(changed(TRAINING, lower), str), "its resume would lie above it"
    assert isinstance(changed(TRAINING, lower, low), ev.PolicyChanged)
    assert isinstance(changed(run(policy_settings=(low,)), lower), ev.PolicyChanged)
    assert isinstance(changed(run(policy_settings=(low, lower)), lower), str), "already so"


def test_the_rules_of_a_run_that_has_ended_stay_as_they_are() -> None:
    refused = changed(run(outcome="finished"), "policy.vram.enabled=false")
    assert refused == "the run has ended already"


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
        (TRAINING, "now", "the engine saves at its next step and ends; killed if it is still"),
        (TRAINING, "now", "after 20 s, and then 40 steps are lost, for there is no checkpoint"),
        (run(activity="starting"), "now", "as soon as the engine is up; killed if it is still"),
        (run(engine="foreign"), "now", "which has no way to save itself; killed if it is still"),
        (run(activity="restarting"), "now", "not started again"),
        (FULL, "now", "no room for a checkpoint: unless room is made, 40 steps are lost, for"),
        (FULL, "checkpoint", "no room for a checkpoint: unless room is made, 40 steps are lost"),
        (TRAINING, "kill", "killing the engine at once"),
        (run(epoch=0, iteration=0), "kill", "no step is lost"),
        (
            run(last=SavedCheckpoint(kind="last", path="p", bytes=1, epoch=1, iteration=10)),
            "kill",
            "up to 30 steps since the last checkpoint are lost",
        ),
        (run(epoch=1, iteration=1), "kill", "1 step is lost, for there is no checkpoint yet"),
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
SETTINGS = st.sampled_from(
    [
        "policy.vram.enabled=false",
        "policy.thermal.samples=9",
        "policy.thermal.window=9",
        "x",
        "a=\n",
    ]
)
REQUESTS = st.one_of(
    st.just(Ping()),
    st.just(PauseRun()),
    st.builds(ResumeRun, for_s=st.none() | st.floats(1.0, 86_400.0)),
    st.builds(StopRun, mode=st.sampled_from(STOP_MODES)),
    st.builds(SetPolicy, settings=st.lists(SETTINGS, min_size=1, max_size=3).map(tuple)),
)


@given(state=STATES, request=REQUESTS)
def test_every_answer_is_one_line_and_a_refusal_changes_nothing(
    state: RunState, request: AnyRequest
) -> None:
    answered = answer(state, request, TERMS)
    assert answered.reply.message
    assert answered.reply.message.isprintable()
    if not answered.reply.ok:
        assert answered.events == ()


@given(state=STATES, request=REQUESTS)
def test_what_is_journaled_changes_the_state(state: RunState, request: AnyRequest) -> None:
    def parts(state: RunState) -> tuple[object, ...]:
        return state.holds, state.stop, state.overrides, state.policy_settings

    for event in answer(state, request, TERMS).events:
        after = reduce(state, event)
        assert parts(after) != parts(state)
        state = after


@given(state=STATES, request=REQUESTS, who=st.text(max_size=10))
def test_the_journal_names_who_asked(state: RunState, request: AnyRequest, who: str) -> None:
    named = type(request)(
        **{**{f: getattr(request, f) for f in request.__struct_fields__}, "who": who}
    )
    for event in answer(state, named, TERMS).events:
        assert event.who == who
