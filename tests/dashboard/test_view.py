"""The view: what is said of a run in each of its states, and what is never said."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sample_journals import (
    EPOCHS,
    STATES,
    STEP_S,
    STEPS,
    ZONE,
    Journal,
    Limits,
    evaluating,
    failed,
    finished,
    foreign,
    imported,
    imported_weights,
    in_second_epoch,
    partly_unknown,
    paused_by_user,
    paused_thermal,
    sample,
    save_last,
    simulated,
    started,
    stopped,
    telemetry_unknown,
    train,
    training,
    without_gpu,
)

from timellm_dashboard.plain import page
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import HostSample


def view(
    journal: Journal, later_s: float = 2.0, *, supervised: bool = True, lang: Lang = "en"
) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + later_s,
        wall_now=journal.wall + timedelta(seconds=later_s),
        supervised=supervised,
        lang=lang,
        zone=ZONE,
        limits=lambda _: Limits(),
    )


# --- the headline --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("starting", "STARTING"),
        ("training", "TRAINING"),
        ("paused_thermal", "PAUSED"),
        ("evaluating", "EVALUATING"),
        ("stopping", "STOPPING"),
        ("stopped", "STOPPED"),
        ("finished", "FINISHED"),
        ("failed", "FAILED"),
        ("imported", "IMPORTED"),
    ],
)
def test_each_state_has_its_word(state: str, word: str) -> None:
    assert view(STATES[state]()).headline.word == word


def test_a_pause_says_why_until_when_and_for_how_long() -> None:
    assert view(paused_thermal()).headline.line == (
        "PAUSED · thermal: 86 °C > 85 °C in 3 of the last 5 readings"
        " · resumes below 75 °C, about 3 min"
    )


def test_a_pause_whose_threshold_changed_tells_the_one_in_force_and_is_no_second_pause() -> None:
    journal, pauses = paused_thermal(), view(paused_thermal()).ledger
    renewed = ev.PolicyDecision(
        action="pause", rule="thermal", reason="86 °C > 85 °C in 3 of the last 5 readings",
        until="resumes below 61 °C",
        renewed=True,
    )  # fmt: skip
    journal.add(renewed, 1.0)
    shown = view(journal)
    assert shown.headline.line.endswith("5 readings · resumes below 61 °C")
    assert shown.feed[-1].text.startswith("thermal: stays paused · 86 °C > 85 °C")
    assert "保持暂停" in view(journal, lang="zh").feed[-1].text
    assert [row.cause for row in shown.ledger.rows] == [row.cause for row in pauses.rows]


def test_a_short_rest_of_a_pause_is_no_guess_at_seconds() -> None:
    line = view(paused_thermal(expected_s=45.0)).headline.line
    assert line.endswith(" · resumes below 75 °C, under a minute")


def test_a_card_that_has_cooled_sooner_than_expected_waits_for_the_shortest_pause_alone() -> None:
    def paused(celsius: float) -> View:
        journal = in_second_epoch()
        journal.add(ev.Telemetry(sample=sample(86.0)), 1.0)
        journal.add(
            ev.PolicyDecision(
                action="pause", rule="thermal", reason="86 °C > 85 °C in the last reading",
                until="resumes below 75 °C", expected_s=400.0, least_s=30.0,
            )
        ).add(ev.Paused(), 0.5)  # fmt: skip
        return view(journal.add(ev.Telemetry(sample=sample(celsius)), 9.5), later_s=0.0)

    hot, cool = paused(80.0), paused(74.0)
    assert hot.headline.line.endswith(" · resumes below 75 °C, about 6 min")
    assert cool.headline.line.endswith(" · resumes below 75 °C, in 20 s at the earliest")
    assert cool.left.seconds == pytest.approx((hot.left.seconds or 0.0) - 370.0)


def test_a_pause_that_was_decided_but_has_not_come_yet_is_no_pause() -> None:
    journal = in_second_epoch().add(ev.Command(who="cli", what="pause"))
    assert view(journal).headline.word == "PAUSING"
    journal.add(ev.Paused(), 1.0).add(ev.Command(who="cli", what="resume"), 1.0)
    assert view(journal).headline.word == "RESUMING"


def test_a_lost_supervisor_is_the_first_thing_said_with_the_command_that_helps() -> None:
    shown = view(in_second_epoch(), supervised=False)
    assert shown.headline.word == "UNSUPERVISED"
    assert "last seen TRAINING 22:14" in shown.headline.reason
    assert shown.headline.command == "timellm-ops attach 20260131-214503-etth1-7f3a"
    assert shown.left.seconds is None
    assert "nobody supervises" in shown.left.note


def test_an_engine_that_falls_silent_is_told_by_its_own_rhythm() -> None:
    journal = in_second_epoch()  # a word every ten seconds
    assert view(journal, 100.0).headline.word == "TRAINING"
    silent = view(journal, 300.0)
    assert silent.headline.word == "SILENT"
    assert "usually one every 10 s" in silent.headline.reason
    assert silent.left.seconds is None


def test_a_paused_engine_is_not_called_silent() -> None:
    assert view(paused_by_user(), 9_000.0).headline.word == "PAUSED"


def test_an_engine_that_loads_again_is_not_called_silent() -> None:
    journal = in_second_epoch().add(ev.RunEnded(outcome="failed", exit_code=4, reason="killed"))
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 9_000.0)
    assert view(journal, 60.0).headline.word == "STARTING"


def test_the_command_to_go_on_is_exact_and_only_where_it_works() -> None:
    command = "timellm-ops run --resume 20260131-214503-etth1-7f3a"
    for journal in (stopped(), failed()):
        shown = view(journal)
        assert shown.headline.command == command
        assert command not in shown.headline.reason
        assert shown.outcome is not None
        assert shown.outcome.resume_command == command
    assert view(finished()).headline.command == ""
    assert view(foreign()).headline.command == ""


def test_a_reboot_makes_no_ages_up() -> None:
    journal = in_second_epoch()
    shown = view_of(
        journal.records,
        now_t=12.0,
        wall_now=journal.wall + timedelta(hours=1),
        supervised=True,
        zone=ZONE,
    )
    assert shown.headline.word == "TRAINING"
    assert shown.checkpoints.last is not None
    assert "ago" not in shown.checkpoints.last.text


# --- the time left -------------------------------------------------------------------------------


def test_the_time_left_counts_steps_and_evaluations() -> None:
    left = view(in_second_epoch(), 0.0).left
    expected_s = 2_800 * 0.5 + 2 * 120.0  # two epochs' evaluations; the final test is one of them
    assert left.seconds is not None
    assert math.isclose(left.seconds, expected_s, rel_tol=0.02)
    assert left.done_text == "done 22:41"


@pytest.mark.parametrize(("test", "evaluations"), [("end", 3), ("never", 2)])
def test_the_time_left_counts_a_final_test_where_one_will_be_made(
    test: ev.TestCadence, evaluations: int
) -> None:
    # There are as many windows to test as to validate, and validation takes 120 s.
    left = view(in_second_epoch(test), 0.0).left
    assert left.seconds is not None
    assert math.isclose(left.seconds, 2_800 * 0.5 + evaluations * 120.0, rel_tol=0.02)


def test_before_an_evaluation_is_measured_the_end_is_only_bounded() -> None:
    left = view(STATES["first_steps"]()).left
    assert left.note == "plus evaluation, not yet measured"
    assert left.done_text.startswith("not before ")


@pytest.mark.parametrize(("duty", "evaluation_s"), [(1.0, 120.0), (0.5, 240.0)])
def test_before_an_evaluation_is_measured_it_is_expected_by_the_engines_trial(
    duty: float, evaluation_s: float
) -> None:
    journal = STATES["first_steps"]().add(ev.Paced(duty=duty))
    for step in range(260, 1_260, 20):
        journal.add(ev.Progress(iteration=step, epoch=1, loss=1.0), 20 * STEP_S / duty)
    before = view(journal).left
    journal.add(ev.ForecastsTimed(windows_per_second=2 * 19_495 / 120.0))
    after = view(journal).left
    assert before.seconds is not None
    assert after.seconds is not None
    assert math.isclose(after.seconds - before.seconds, EPOCHS * evaluation_s, rel_tol=0.02)
    assert not after.note
    assert after.done_text.startswith("done ")


def test_what_the_head_begins_with_is_told_as_it_is_solved_for_and_once_it_is() -> None:
    journal = training()
    for done in (0, 10_000, 34_614):
        journal.add(ev.HeadProgress(done=done, total=34_614), 4.0)
    begun = "solving for the head first"
    shown = view(journal)
    assert shown.headline.line == f"TRAINING · {begun}, 100 % of the windows read"
    assert [line.text for line in shown.feed if begun in line.text] == [
        f"{begun}, over 34,614 windows"
    ]
    assert "正在求解输出头的初值" in view(journal, lang="zh").headline.line
    journal.add(ev.HeadSolved(windows=28_116, penalty=1e-6, vali_mse=0.6717, seconds=12.0), 1.0)
    shown = view(journal)
    assert begun not in shown.headline.line
    told = "the head is solved for over 28,116 training windows · validation MSE 0.6717 · 12 s"
    assert shown.feed[-1].text == told
    assert "28,116 个训练窗口" in view(journal, lang="zh").feed[-1].text


def test_time_spent_in_an_evaluation_is_not_counted_again() -> None:
    start = view(evaluating(), 0.0).left.seconds
    later = view(evaluating(), 30.0).left.seconds
    assert start is not None
    assert later is not None
    assert math.isclose(start - later, 30.0, abs_tol=0.5)


def test_pauses_of_a_rule_stretch_the_time_left_and_those_of_a_person_do_not() -> None:
    def paused_and_resumed(rule: str) -> float:
        journal = in_second_epoch()
        if rule == "user":
            journal.add(ev.Command(who="cli", what="pause"))
        else:
            journal.add(ev.PolicyDecision(action="pause", rule=rule, reason="hot"))
        journal.add(ev.Paused(), 0.5)
        if rule == "user":
            journal.add(ev.Command(who="cli", what="resume"), 600.0)
        else:
            journal.add(ev.PolicyDecision(action="resume", rule=rule, reason="cool"), 600.0)
        journal.add(ev.Resumed(), 0.5)
        seconds = view(journal, 0.0).left.seconds
        assert seconds is not None
        return seconds

    undisturbed = view(in_second_epoch(), 0.0).left.seconds
    assert undisturbed is not None
    assert math.isclose(paused_and_resumed("user"), undisturbed, rel_tol=0.02)
    # A pause of 600 s came after 1,720 s of moving.
    expected_s = undisturbed + 600.0 * (undisturbed / 1_720.0 - 0.5)
    assert math.isclose(paused_and_resumed("thermal"), expected_s, rel_tol=0.02)


def test_where_the_end_cannot_be_known_the_reason_is_said() -> None:
    for journal, reason in (
        (STATES["starting"](), "speed not measured yet"),
        (STATES["stopping"](), "the run is ending"),
    ):
        left = view(journal).left
        assert left.seconds is None
        assert left.text == "—"
        assert reason in left.note
    paused = view(paused_by_user()).left
    assert paused.done_at is None
    assert paused.note == "once it goes on"


def pause(journal: Journal, rule: str, expected_s: float | None) -> Journal:
    if rule == "user":
        journal.add(ev.Command(who="cli", what="pause"), 1.0)
    else:
        pause = ev.PolicyDecision(action="pause", rule=rule, reason="hot", expected_s=expected_s)
        journal.add(pause, 1.0)
    return journal.add(ev.Paused())


def cooled_once(journal: Journal) -> Journal:
    """It has been paused for heat before, for so long."""
    pause(journal, "thermal", 300.0)
    journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason="cool"), 300.0)
    return journal.add(ev.Resumed(), 0.5)


@pytest.mark.parametrize("begun", [in_second_epoch, evaluating])
@pytest.mark.parametrize(
    ("rule", "expected_s", "later_s"),
    [("user", None, 5.0), ("thermal", None, 5.0), ("thermal", 120.0, 121.0)],
)
def test_a_held_run_has_no_clock_time_unless_the_end_of_the_hold_is_known(
    begun: Callable[[], Journal], rule: str, expected_s: float | None, later_s: float
) -> None:
    left = view(pause(cooled_once(begun()), rule, expected_s), later_s).left
    assert left.seconds is not None
    assert (left.done_at, left.done_text) == (None, "")
    assert left.note == "once it goes on"
    known = view(pause(cooled_once(begun()), "thermal", 120.0), 119.0).left
    assert known.done_text.startswith("done ")


def test_an_engine_that_was_told_to_go_on_but_stands_promises_no_clock_time() -> None:
    journal = pause(cooled_once(in_second_epoch()), "thermal", 120.0)
    journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason="cool"), 60.0)
    shown = view(journal)
    assert shown.headline.state == "resuming"
    assert shown.left.seconds is not None
    assert (shown.left.done_at, shown.left.done_text) == (None, "")
    assert shown.left.note == "once it goes on"
    assert view(journal.add(ev.Resumed(), 0.5)).left.done_text.startswith("done ")


def test_what_a_per_cent_is_of_is_named_while_an_epoch_is_evaluated() -> None:
    assert view(in_second_epoch()).progress.epoch.label == "epoch 2 of 3"
    validating = view(evaluating())
    assert validating.progress.epoch.label == "validation"
    assert view(evaluating(), lang="zh").progress.epoch.label == "验证"
    testing = evaluating().add(
        ev.EvaluationProgress(split="test", done=9_000, total=19_495, epoch=2), 5.0
    )
    assert view(testing).progress.epoch.label == "test"
    failed_meanwhile = testing.add(ev.RunEnded(outcome="failed", exit_code=4, reason="x"), 1.0)
    assert view(failed_meanwhile).progress.epoch.label == "epoch 2 of 3"


def test_the_mark_of_the_saved_weights_is_at_the_epoch_whose_weights_are_on_disk() -> None:
    def marks(journal: Journal) -> list[tuple[bool, bool]]:
        return [(row.best, row.saved) for row in view(journal).results.rows]

    journal = train(in_second_epoch(), 2, 1_220, STEPS)
    assert marks(journal) == [(True, True)]
    ended = ev.EpochEnded(epoch=2, train_mse=0.4, vali_mse=0.3705, seconds=1_000.0)
    journal.add(ended, 60.0)
    assert marks(journal) == [(False, True), (True, False)]
    saved = ev.CheckpointSaved(
        kind="best", path="checkpoints/best", bytes=1, epoch=2, iteration=STEPS, vali_mse=0.3705
    )
    journal.add(saved, 1.0)
    assert marks(journal) == [(False, False), (True, True)]


def told(journal: Journal) -> list[str]:
    return [line.text for line in view(journal).feed]


def test_an_epoch_that_goes_on_after_a_resume_does_not_begin() -> None:
    journal = stopped().add(
        ev.RunStarted(run_id="r", name="r", engine="timellm", gpu="nvml", resumed=True), 600.0
    )
    again = training().records[-2].event
    assert isinstance(again, ev.TrainingStarted)
    journal.add(msgspec.structs.replace(again, start_epoch=2, start_iteration=1_200), 20.0)
    journal.add(ev.EpochStarted(epoch=2, steps=STEPS))
    assert told(journal)[-1] == "epoch 2 goes on after step 1,200"
    train(journal, 2, 1_220, STEPS).add(ev.EpochStarted(epoch=3, steps=STEPS), 1.0)
    assert told(journal)[-1] == "epoch 3 begins"


def test_that_a_script_tells_its_steps_in_the_middle_of_an_epoch_is_no_event() -> None:
    journal = started("none", "foreign").add(ev.EpochStarted(epoch=1), 5.0)
    journal.add(ev.Progress(iteration=100, epoch=1, loss=1.0), 10.0)
    before = told(journal)
    journal.add(ev.EpochStarted(epoch=1, steps=300, epochs=4))
    assert told(journal) == before
    journal.add(ev.EpochStarted(epoch=2, steps=300, epochs=4), 30.0)
    assert told(journal) == [*before, "epoch 2 begins"]


def test_a_pace_is_told_once_with_its_reason() -> None:
    journal = in_second_epoch()
    before = len(told(journal))
    why = "82 °C, to be held at 80 °C: computing 80 % of the time after 100 %"
    journal.add(ev.PolicyDecision(action="pace", rule="governor", reason=why, value=0.8), 1.0)
    journal.add(ev.Paced(duty=0.8), 0.5)
    assert told(journal)[before:] == [f"governor: pace · {why}"]
    journal.add(ev.Paced(duty=0.5), 0.5)  # which nobody is on record for
    assert told(journal)[before + 1 :] == ["pace 50 %"]


def test_a_power_limit_is_told_once_with_its_reason() -> None:
    journal = in_second_epoch()
    before = len(told(journal))
    why = "82 °C, to be held at 80 °C: a power limit of 90 W after 115 W"
    pace = ev.PolicyDecision(action="pace", rule="governor", reason=why, value=90.0, unit="W")
    journal.add(pace, 1.0).add(ev.PowerLimitSet(limit_w=90.0), 0.5)
    assert told(journal)[before:] == [f"governor: pace · {why}"]
    journal.add(ev.PowerLimitSet(limit_w=115.0), 60.0)
    assert told(journal)[before + 1 :] == ["power limit 115 W"]


def test_an_engine_that_is_to_be_started_again_loses_no_more_and_has_steps_to_repeat() -> None:
    before = view(in_second_epoch()).left.seconds
    journal = in_second_epoch().add(ev.EngineExited(signal=9))
    journal.add(ev.EngineRestart(reason="the engine was ended by SIGKILL", attempt=1, wait_s=9.0))
    shown = view(journal)
    assert shown.headline.state == "restarting"
    assert shown.checkpoints.safe.line == (
        f"safe to stop: yes · no engine is at work; it goes on from step {STEPS + 1_000:,}"
    )
    assert before is not None
    assert shown.left.seconds is not None
    assert math.isclose(shown.left.seconds, before + 200 * STEP_S, rel_tol=0.01)
    assert shown.left.done_text.startswith("not before ")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("finished", "training finished; test MSE 0.3697"),
        ("failed", "the engine is gone and nobody saw how"),
    ],
)
def test_an_adopted_engine_whose_leave_nobody_saw_is_told_by_what_came_of_it(
    outcome: ev.Outcome, reason: str
) -> None:
    journal = in_second_epoch().add(ev.Adopted(supervisor_pid=9, engine_pid=7), 5.0)
    before = len(view(journal).feed)
    journal.add(ev.EngineExited(), 5.0)
    journal.add(ev.RunEnded(outcome=outcome, exit_code=0, reason=reason))
    told = [line.text for line in view(journal).feed[before:]]
    assert told == [f"{outcome.upper()} · {reason}"]


def test_a_run_that_was_refused_has_trained_and_read_nothing() -> None:
    ended = ev.RunEnded(outcome="refused", exit_code=2, reason="data.path: found nothing")
    shown = view(started().add(ended, 1.0))
    assert shown.gpu.message == "no reading was taken"
    assert "total  —" in page(shown)


def test_a_script_that_tells_no_steps_gets_its_own_estimate_or_none() -> None:
    journal = started("none", "foreign").add(ev.EpochStarted(epoch=1), 5.0)
    journal.add(ev.Progress(iteration=100, epoch=1, loss=1.0, left_seconds=600.0), 10.0)
    left = view(journal, 60.0).left
    assert left.seconds == 540.0
    assert "as the script itself says" in left.note
    assert view(journal).progress.whole.share is None


# --- safe to stop --------------------------------------------------------------------------------


def test_safe_only_when_everything_is_in_a_checkpoint() -> None:
    journal = in_second_epoch()
    assert view(journal).checkpoints.safe.answer == "no"
    assert view(journal).checkpoints.at_risk.value == 200
    save_last(journal, 2, 1_200)
    safe = view(journal).checkpoints.safe
    assert (safe.answer, safe.reason) == ("yes", "everything is in a checkpoint")


def test_not_safe_while_a_checkpoint_is_being_written() -> None:
    journal = save_last(in_second_epoch(), 2, 1_200)
    journal.add(ev.CheckpointWriting(kind="best", epoch=2))
    safe = view(journal).checkpoints.safe
    assert safe.answer == "no"
    assert "being written" in safe.reason


def test_an_announced_checkpoint_makes_nothing_safe() -> None:
    journal = train(training(), 1, 20, 200)
    journal.add(ev.CheckpointWriting(kind="last", epoch=1, iteration=200))
    journal.add(ev.CheckpointFailed(kind="last", message="no space left"), 1.0)
    panel = view(journal).checkpoints
    assert panel.safe.answer == "no"
    assert panel.at_risk.value == 200
    assert panel.last is None


def test_before_the_first_step_nothing_can_be_lost() -> None:
    assert view(STATES["starting"]()).checkpoints.safe.answer == "yes"


def test_a_script_is_safe_right_after_its_save_and_never_resumes() -> None:
    assert view(foreign()).checkpoints.safe.reason == (
        "100 steps since the best weights, and a script cannot resume"
    )
    at_the_save = Journal()
    at_the_save.records = foreign().records[:-3]
    at_the_save.seconds = foreign().seconds
    assert view(at_the_save).checkpoints.safe.answer == "yes"


def test_a_run_that_ended_says_what_was_lost() -> None:
    assert view(failed()).checkpoints.safe.reason == "the run has ended; 200 steps were lost"
    assert "nothing more" in view(finished()).checkpoints.safe.reason


# --- the GPU -------------------------------------------------------------------------------------


def test_what_the_card_does_not_tell_is_unknown_and_never_0() -> None:
    gpu = view(partly_unknown()).gpu
    for value in (gpu.power, gpu.clock, gpu.load):
        assert value.value is None
        assert value.text == "unknown"
    assert gpu.throttle == "unknown"
    assert gpu.temperature.text == "71 °C"


def test_a_reading_that_failed_leaves_nothing_known() -> None:
    gpu = view(telemetry_unknown()).gpu
    assert gpu.temperature.value is None
    assert gpu.memory.value is None
    assert "did not answer" in gpu.message


def test_simulated_is_always_said() -> None:
    shown = view(simulated())
    assert shown.gpu.simulated
    assert "simulated" in shown.gpu.title
    assert any("simulated" in line.text for line in view(started("simulated")).feed)


def test_where_a_card_slows_is_what_that_card_tells() -> None:
    def slows(journal: Journal) -> list[str]:
        return [mark.text for mark in view(journal).gpu.marks if mark.kind == "slowdown"]

    assert slows(in_second_epoch()) == ["95 card slows"]
    softer = in_second_epoch().add(ev.Telemetry(sample=sample(70.0, throttle_c=87.0)), 1.0)
    assert slows(softer) == ["87 card slows"]
    assert slows(partly_unknown()) == []


def test_of_several_gpus_it_is_said_which_one_is_watched() -> None:
    for gpus, title in ((1, "NVIDIA RTX"), (2, "NVIDIA RTX · #1")):
        card = sample(70.0, name="NVIDIA RTX", index=1, gpus=gpus)
        journal = training().add(ev.Telemetry(sample=card), 1.0)
        assert view(journal).gpu.title == title
        journal.add(ev.TelemetryLost(reason="NVML hangs"), 1.0)
        assert view(journal).gpu.title == title


def test_without_a_gpu_it_is_said_that_none_is_looked_at() -> None:
    gpu = view(without_gpu()).gpu
    assert gpu.telemetry == "none"
    assert "no GPU" in gpu.message
    assert gpu.temperature.value is None


def test_an_old_reading_is_called_old() -> None:
    assert view(in_second_epoch(), 1.0).gpu.message == ""
    assert view(in_second_epoch(), 90.0).gpu.message == "last reading 2 min ago"


@pytest.mark.parametrize(
    ("age_s", "english", "chinese"),
    [
        (0.0, "just now", "刚刚"),
        (4.9, "just now", "刚刚"),
        (5.0, "5 s ago", "5 秒前"),
        (54.0, "54 s ago", "54 秒前"),
        (59.9, "59 s ago", "59 秒前"),
        (60.0, "1 min ago", "1 分钟前"),
        (7_500.0, "2 h 05 min ago", "2 小时 05 分前"),
    ],
)
def test_an_age_is_told_to_the_second_below_a_minute(
    age_s: float, english: str, chinese: str
) -> None:
    journal = save_last(in_second_epoch(), 2, 1200)
    for lang, told in (("en", english), ("zh", chinese)):
        shown = view(journal, age_s, lang=lang).checkpoints.last  # type: ignore[arg-type]
        assert shown is not None
        assert told in shown.parts


def test_what_a_person_has_said_against_a_rule_is_shown_until_it_ends() -> None:
    journal = paused_thermal()
    until = journal.wall + timedelta(minutes=30)
    said = ev.RulesOverridden(who="dashboard", rules=("thermal",), for_s=1800.0, until=until)
    journal.add(said, 1.0).add(ev.Resumed(), 1.0)
    clock = f"{until.astimezone(ZONE):%H:%M}"
    shown = view(journal).headline.line
    assert shown.startswith("TRAINING · ")
    assert shown.endswith(f" · thermal hold overridden until {clock} by the dashboard")
    assert f"已越过温度规则，至 {clock}（仪表盘）" in view(journal, lang="zh").headline.line
    assert "overridden" not in view(journal, 1800.0).headline.line
    told = [line.text for line in view(journal).feed]
    assert "the dashboard: go on for 30 min 00 s whatever these rules say: thermal" in told


def test_a_threshold_that_was_changed_under_the_run_is_told_and_the_limits_follow_it() -> None:
    changed = ev.PolicyChanged(who="cli", settings=("policy.thermal.pause_above_c=83",))
    journal = training().add(changed, 1.0)
    assert "the command line: from here on policy.thermal.pause_above_c=83" in [
        line.text for line in view(journal).feed
    ]
    seen: list[tuple[str, ...]] = []
    view_of(
        journal.records,
        now_t=journal.t,
        wall_now=journal.wall,
        supervised=True,
        limits=lambda state: (seen.append(state.policy_settings), Limits())[1],
    )
    assert seen[-1] == changed.settings


def test_heat_is_a_word_by_the_limits_in_force() -> None:
    words = []
    for celsius in (74.0, 80.0, 86.0):
        journal = training().add(ev.Telemetry(sample=sample(celsius)), 1.0)
        words.append(view(journal).gpu.heat_word)
    assert words == ["cool", "warm", "hot"]
    assert [m.text for m in view(in_second_epoch()).gpu.marks] == [
        "75 resumes", "85 pauses", "95 card slows", "97 stops", "100 card off",
    ]  # fmt: skip


def machine(**known: Any) -> View:
    journal = training().add(ev.HostTelemetry(sample=HostSample(**known)), 1.0)
    return view(journal)


def test_the_machine_is_one_line_of_what_is_known() -> None:
    shown = machine(
        cpu_pct=37.4, load_1min=1.25, memory_available_bytes=3_100_000_000,
        disk_free_bytes=120_000_000_000, battery_pct=81.2, on_battery=True,
    )  # fmt: skip
    text = (
        "CPU 37 % · load 1.2 · 2.89 GiB memory available · 112 GiB disk free · battery 81 % · "
        "on battery"
    )
    assert shown.host.text == text
    assert text in page(shown)
    assert machine(on_battery=False).host.text == "plugged in"


def test_a_machine_of_which_nothing_is_known_has_no_line() -> None:
    for shown in (view(training()), machine()):
        assert shown.host.text == ""
        assert "machine" not in page(shown)


def test_what_the_machine_was_while_somebody_watched_is_not_shown_as_now() -> None:
    journal = training().add(ev.HostTelemetry(sample=HostSample(battery_pct=50.0)), 1.0)
    journal.add(ev.RunEnded(outcome="stopped", exit_code=0, reason="stopped as asked"), 1.0)
    assert view(journal).host.sample is None


# --- other kinds of runs, other languages --------------------------------------------------------


def test_an_imported_log_has_no_times_and_makes_none_up() -> None:
    shown = view(imported(), supervised=False)
    assert shown.headline.word == "IMPORTED"
    assert {line.time for line in shown.feed} == {""}
    assert shown.progress.elapsed.value is None
    assert shown.left.seconds is None
    assert [row.epoch for row in shown.results.rows] == [1, 2, 3]
    assert [row.best for row in shown.results.rows] == [False, False, True]
    ends = [point.end for point in shown.charts.loss]
    assert ends == sorted(ends) == [100, 200, 300, 400, 500, 600]


def test_a_loss_that_is_not_a_number_is_shown_as_one() -> None:
    journal = training().add(ev.Progress(iteration=1, epoch=1, loss=math.nan), 1.0)
    assert view(journal).loss.raw.text == "NaN"
    assert view(journal).charts.loss == ()


@pytest.mark.parametrize("state", sorted(STATES))
def test_chinese_says_the_same_numbers(state: str) -> None:
    english, chinese = view(STATES[state]()), view(STATES[state](), lang="zh")
    assert english.progress.whole.share == chinese.progress.whole.share
    assert english.left.seconds == chinese.left.seconds
    assert english.gpu.temperature.value == chinese.gpu.temperature.value
    assert english.checkpoints.safe.answer == chinese.checkpoints.safe.answer
    assert chinese.headline.word != english.headline.word
    assert [line.seq for line in english.feed] == [line.seq for line in chinese.feed]


def test_hostile_text_in_the_journal_reaches_nobody() -> None:
    journal = in_second_epoch().add(
        ev.Alert(level="error", message="\x1b]0;owned\x07\x1b[2J[bold]hi[/bold]\r\nrm")
    )
    text = view(journal).feed[-1].text
    assert text.isprintable()
    assert text.endswith("[bold]hi[/bold] rm")


@pytest.mark.parametrize(
    ("lang", "last_seen", "risk"),
    [("en", ", as last seen", "200 steps at risk"), ("zh", "最后所见：", "200 步尚未保存")],
)
def test_without_a_supervisor_what_is_at_risk_is_told_as_last_seen(
    lang: Lang, last_seen: str, risk: str
) -> None:
    for journal in (in_second_epoch(), save_last(in_second_epoch(), 2, 1_200), foreign()):
        gone = view(journal, 900.0, supervised=False, lang=lang).checkpoints.safe
        assert last_seen in gone.reason
        assert last_seen in gone.line
        assert last_seen not in view(journal, lang=lang).checkpoints.safe.reason
    assert risk in view(in_second_epoch(), 900.0, supervised=False, lang=lang).checkpoints.safe.line
    ended = view(finished(), supervised=False, lang=lang).checkpoints.safe
    assert last_seen not in ended.reason


def test_weights_that_were_imported_took_no_time_here() -> None:
    progress = view(imported_weights()).progress
    assert progress.elapsed.value is None
    assert progress.paused.value is None
