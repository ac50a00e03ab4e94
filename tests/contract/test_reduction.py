"""The reduction: what each event does to a run's state, and what no events can do to it."""

import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from event_strategies import events, struct_of
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import STOP_MODES
from timellm_ops.contract.reduction import KEPT_NOTICES, KEPT_TRAINING_RECORDS, reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, HostSample

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ANYTHING = st.lists(events(st.floats()), max_size=12)
ORDERS = st.lists(
    struct_of(ev.Command, st.floats()) | struct_of(ev.PolicyDecision, st.floats()), max_size=12
)
"""What users and policies ask for."""


def after(*happened: ev.Event, state: RunState | None = None) -> RunState:
    state = RunState() if state is None else state
    for event in happened:
        state = reduce(state, event)
    return state


def started(t: float = 0.0, *, resumed: bool = False) -> ev.RunStarted:
    return ev.RunStarted(
        run_id="r", name="n", engine="timellm", gpu="simulated", t=t, at=NOON, resumed=resumed
    )


def training(t: float = 1.0, *, epoch: int = 1, iteration: int = 0) -> ev.TrainingStarted:
    return ev.TrainingStarted(
        t=t, epochs=3, steps_per_epoch=100, batch_size=4, train_samples=400, vali_samples=10,
        test_samples=10, trainable_parameters=9, frozen_parameters=90, backbone="embedded",
        device="cpu", patience=2, start_epoch=epoch, start_iteration=iteration,
    )  # fmt: skip


def progress(iteration: int, epoch: int = 1, t: float = 2.0, loss: float = 0.5) -> ev.Progress:
    return ev.Progress(t=t, iteration=iteration, epoch=epoch, loss=loss)


def epoch_ended(epoch: int, vali_mse: float = 0.4) -> ev.EpochEnded:
    return ev.EpochEnded(epoch=epoch, train_mse=0.3, vali_mse=vali_mse)


def look_at_everything(state: RunState) -> None:
    assert state.phase
    assert state.desired
    assert isinstance(state.step, int)
    assert isinstance(state.steps_at_risk, int)
    assert state.total_steps is None or isinstance(state.total_steps, int)
    assert state.ended == (state.outcome is not None)


# --- what holds for any events whatever ----------------------------------------------------------


@given(happened=ANYTHING)
def test_no_sequence_of_events_makes_the_reduction_raise(happened: list[ev.Event]) -> None:
    state = RunState()
    for event in happened:
        state = reduce(state, event)
        look_at_everything(state)


@given(happened=ANYTHING)
def test_the_same_events_give_the_same_state(happened: list[ev.Event]) -> None:
    assert repr(after(*happened)) == repr(after(*happened))


@given(happened=ANYTHING)
def test_a_state_is_never_changed_in_place(happened: list[ev.Event]) -> None:
    state = RunState()
    for event in happened:
        before = repr(state)
        reduce(state, event)
        assert repr(state) == before
        state = reduce(state, event)


@given(happened=ANYTHING)
def test_clocks_only_run_forward(happened: list[ev.Event]) -> None:
    state = RunState()
    for event in happened:
        new = reduce(state, event)
        assert new.active_s >= state.active_s
        assert new.paused_s >= state.paused_s
        assert new.paused_s <= new.active_s
        assert new.pauses >= state.pauses
        state = new


@given(happened=ORDERS)
def test_each_rule_holds_a_run_at_most_once(happened: list[ev.Event]) -> None:
    rules = [hold.rule for hold in after(*happened).holds]
    assert len(rules) == len(set(rules))


@given(happened=ORDERS)
def test_a_way_to_stop_never_becomes_gentler(happened: list[ev.Event]) -> None:
    ranks = {None: -1, **{mode: rank for rank, mode in enumerate(STOP_MODES)}}
    state = RunState()
    for event in happened:
        new = reduce(state, event)
        assert ranks[new.stop] >= ranks[state.stop]
        assert new.stopping_for_hardware >= state.stopping_for_hardware
        state = new


@given(happened=ANYTHING)
def test_rows_are_one_an_epoch_in_order(happened: list[ev.Event]) -> None:
    epochs = [row.epoch for row in after(*happened).rows]
    assert epochs == sorted(set(epochs))


# --- time ----------------------------------------------------------------------------------------


def test_time_counts_between_events_and_pauses_are_counted_apart() -> None:
    state = after(
        started(0.0), training(10.0), ev.Paused(t=30.0), ev.Resumed(t=45.0), progress(1, t=50.0)
    )
    assert state.active_s == 50.0
    assert state.paused_s == 15.0
    assert state.pauses == 1


def test_a_clock_that_jumps_back_takes_no_time_away() -> None:
    state = after(started(1000.0), progress(1, t=1060.0), progress(2, t=5.0), progress(3, t=8.0))
    assert state.active_s == 63.0
    assert state.t == 8.0


@given(
    gaps=st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 50.0)), max_size=20),
    paused=st.booleans(),
)
def test_no_second_counts_twice_where_two_writers_tell_of_it_out_of_order(
    gaps: list[tuple[float, float]], paused: bool
) -> None:
    """An engine stamps its words itself, and they are read after a sample that is older."""
    t, state = 0.0, after(started(0.0), training(0.0))
    if paused:
        state = after(ev.Paused(t=0.0), state=state)
    for seconds, before_s in gaps:
        t += seconds
        late = ev.Telemetry(t=max(0.0, t - before_s), sample=GpuSample(source="nvml"))
        state = after(progress(1, t=t), late, state=state)
    assert state.active_s == pytest.approx(t)
    assert state.paused_s == pytest.approx(t if paused else 0.0)


def test_the_time_between_an_end_and_a_resume_is_not_counted() -> None:
    ended = ev.RunEnded(t=50.0, outcome="stopped", exit_code=0, reason="asked")
    state = after(started(0.0), ended, started(9000.0, resumed=True), progress(1, t=9010.0))
    assert state.active_s == 60.0


def test_nor_is_the_time_in_which_nobody_supervised_and_nothing_ran() -> None:
    state = after(started(0.0), progress(1, t=50.0), started(9000.0), progress(2, t=9010.0))
    assert state.active_s == 60.0


def test_an_event_without_times_moves_no_clock() -> None:
    state = after(started(5.0), ev.Progress(iteration=1, epoch=1, loss=1.0))
    assert (state.t, state.active_s, state.updated_at) == (5.0, 0.0, NOON)


def test_a_second_pause_in_a_row_is_the_same_pause() -> None:
    state = after(started(0.0), ev.Paused(t=10.0, by="signal"), ev.Paused(t=20.0, by="signal"))
    assert (state.pauses, state.paused_since_t) == (1, 10.0)


@pytest.mark.parametrize(
    "end",
    [
        ev.Resumed(t=9.0),
        ev.EngineExited(t=9.0, signal=9),
        ev.EngineStarted(t=9.0, pid=8),
        ev.RunEnded(t=9.0, outcome="failed", exit_code=4, reason="x"),
        started(9.0),
    ],
)
def test_a_pause_ends_with_whatever_makes_standing_still_impossible(end: ev.Event) -> None:
    state = after(started(0.0), ev.EngineStarted(t=1.0, pid=7), ev.Paused(t=2.0), end)
    assert not state.standing
    assert state.paused_since_t is None


# --- holds, stops and what the engine is to do ---------------------------------------------------


def pause(rule: str, t: float = 3.0) -> ev.PolicyDecision:
    return ev.PolicyDecision(t=t, action="pause", rule=rule, reason="hot", until="cool")


def resume(rule: str, t: float = 9.0) -> ev.PolicyDecision:
    return ev.PolicyDecision(t=t, action="resume", rule=rule, reason="cool")


def command(what: str, who: str = "cli", t: float = 4.0) -> ev.Command:
    return ev.Command(t=t, who=who, what=what)


def test_a_run_moves_again_only_when_every_hold_is_lifted() -> None:
    state = after(started(), pause("thermal"), command("pause"))
    assert state.desired == "pause"
    state = after(resume("thermal"), state=state)
    assert (state.desired, [hold.rule for hold in state.holds]) == ("pause", ["user"])
    assert after(command("resume"), state=state).desired == "run"


def test_a_user_cannot_lift_a_policys_hold_nor_a_policy_the_users() -> None:
    held = after(started(), pause("thermal"))
    assert after(command("resume"), state=held).desired == "pause"
    held = after(started(), command("pause"))
    assert after(resume("thermal"), state=held).desired == "pause"


def test_a_hold_tells_its_reason_its_end_and_since_when() -> None:
    (hold,) = after(started(), pause("thermal", t=3.0)).holds
    assert (hold.reason, hold.until, hold.since_t) == ("hot", "cool", 3.0)
    (hold,) = after(started(), command("pause", who="dashboard")).holds
    assert "dashboard" in hold.reason


def test_only_a_policy_that_lets_go_sets_the_start_of_the_dwell() -> None:
    state = after(started(), pause("thermal"), resume("thermal", t=9.0))
    assert state.resumed_t == 9.0
    state = after(started(), command("pause"), command("resume", t=9.0))
    assert state.resumed_t is None


@pytest.mark.parametrize("mode", STOP_MODES)
def test_a_stop_that_waits_for_nothing_outranks_a_hold(mode: str) -> None:
    state = after(started(), pause("thermal"), command(f"stop {mode}"))
    expected = "pause" if mode == "after_checkpoint" else "stop_now"
    assert state.desired == expected
    assert state.stop == mode


def test_a_stop_after_the_next_checkpoint_goes_on_until_then() -> None:
    state = after(started(), training(), command("stop after_checkpoint"))
    assert (state.desired, state.phase) == ("stop_after_checkpoint", "stopping")


def test_a_gentler_stop_does_not_take_back_an_abrupt_one() -> None:
    state = after(started(), command("stop now"), command("stop checkpoint"))
    assert state.stop == "now"


def test_a_user_may_hasten_a_stop_for_the_hardware_but_its_reason_stays() -> None:
    stop = ev.PolicyDecision(action="stop", rule="thermal", reason="97 °C ≥ 97 °C")
    state = after(started(), stop, command("stop now"))
    assert state.stop == "now"
    assert state.stopping_for_hardware
    assert state.stop_reason == "97 °C ≥ 97 °C"
    assert state.notices[-1].message == "97 °C ≥ 97 °C"


@pytest.mark.parametrize("what", ["", "stop", "stop gently", "dance", "pause now please"])
def test_a_command_nobody_knows_changes_no_wish(what: str) -> None:
    state = after(started(), command(what))
    assert (state.holds, state.stop, state.desired) == ((), None, "run")


def test_a_wish_for_another_pace_is_not_yet_the_engines_pace() -> None:
    wish = ev.PolicyDecision(action="pace", rule="governor", reason="82 °C", value=0.5)
    state = after(started(), wish)
    assert state.duty == 1.0
    assert after(ev.Paced(duty=0.5), state=state).duty == 0.5


# --- phases --------------------------------------------------------------------------------------


def test_the_phase_follows_a_run_from_start_to_end() -> None:
    story: list[tuple[ev.Event, str]] = [
        (started(), "starting"),
        (ev.EngineStarted(pid=7), "starting"),
        (training(), "training"),
        (ev.EpochStarted(epoch=1, steps=100), "training"),
        (progress(50), "training"),
        (ev.EvaluationProgress(split="vali", done=1, total=9), "evaluating"),
        (epoch_ended(1), "evaluating"),
        (ev.EpochStarted(epoch=2, steps=100), "training"),
        (ev.Paused(), "paused"),
        (ev.Resumed(), "training"),
        (command("stop checkpoint"), "stopping"),
        (ev.EngineExited(code=0), "stopping"),
        (ev.RunEnded(outcome="stopped", exit_code=0, reason="asked"), "stopped"),
    ]
    state = RunState()
    assert state.phase == "waiting"
    for event, phase in story:
        state = reduce(state, event)
        assert state.phase == phase, event


def test_while_the_head_is_solved_for_it_is_known_how_far() -> None:
    state = after(started(), training())
    assert state.solving is None
    begun = reduce(state, ev.HeadProgress(done=0, total=40))
    assert begun.solving is not None
    assert (begun.solving.share, begun.phase) == (0.0, "training")
    further = reduce(begun, ev.HeadProgress(done=10, total=40))
    assert further.solving is not None
    assert further.solving.share == 0.25
    assert further.solving.gap_s is None
    slow, quick = (ev.HeadProgress(done=n, total=40, t=t) for n, t in ((20, 9.0), (30, 11.0)))
    paced = after(ev.HeadProgress(done=0, total=40, t=2.0), slow, quick, state=state).solving
    assert paced is not None
    assert paced.gap_s == 2.0, "the shortest"
    solved = ev.HeadSolved(windows=30, penalty=1e-6, vali_mse=0.5, seconds=2.0)
    over = ev.RunEnded(outcome="stopped", exit_code=0, reason="asked")
    for end in (solved, ev.EngineExited(code=0), over, started(), training()):
        assert reduce(further, end).solving is None


def test_a_paused_run_that_is_told_to_stop_at_once_is_stopping() -> None:
    paused = after(started(), training(), command("pause"), ev.Paused())
    assert after(command("stop after_checkpoint"), state=paused).phase == "paused"
    assert after(command("stop now"), state=paused).phase == "stopping"


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [
        ("finished", "finished"),
        ("stopped", "stopped"),
        ("stopped_for_hardware", "stopped"),
        ("failed", "failed"),
        ("refused", "failed"),
    ],
)
def test_every_outcome_has_its_phase(outcome: ev.Outcome, phase: str) -> None:
    state = after(started(), ev.RunEnded(outcome=outcome, exit_code=1, reason="why"))
    assert (state.phase, state.ended, state.end_reason) == (phase, True, "why")


@pytest.mark.parametrize(
    ("saved", "step"), [((2, 42), 142), ((2, 39), 140), ((1, 99), 140), ((2, None), 200)]
)
def test_an_ended_run_is_as_far_as_what_it_has_saved(
    saved: tuple[int, int | None], step: int
) -> None:
    """Of the steps before a stop not each has told its progress."""
    epoch, iteration = saved
    last = ev.CheckpointSaved(kind="last", path="p", bytes=1, epoch=epoch, iteration=iteration)
    ended = ev.RunEnded(outcome="stopped", exit_code=0, reason="asked")
    state = after(started(), training(), progress(40, epoch=2), last)
    assert state.step == 140
    assert after(ended, state=state).step == step


@pytest.mark.parametrize(("saved_t", "begun_t"), [(10.0, 20.0), (900.0, 20.0)])
def test_what_an_engine_before_has_saved_says_nothing_of_how_far_the_present_one_is(
    saved_t: float, begun_t: float
) -> None:
    """It was damaged, and the engine went on from before it; also after a reboot."""
    last = ev.CheckpointSaved(kind="last", path="p", bytes=1, epoch=1, iteration=80, t=saved_t)
    begun = ev.EngineStarted(pid=7, t=begun_t)
    ended = ev.RunEnded(outcome="failed", exit_code=4, reason="x", t=begun_t + 5.0)
    told = progress(45, t=begun_t + 3.0)
    state = after(started(), training(), progress(80), last, begun, training(t=begun_t + 1.0))
    assert after(told, ended, state=state).step == 45


# --- progress and results ------------------------------------------------------------------------


def test_steps_count_through_the_epochs() -> None:
    state = after(started(), training(), progress(40, epoch=2))
    assert (state.step, state.total_steps) == (140, 300)


def test_a_new_epoch_begins_at_step_zero_and_a_resumed_one_where_it_was() -> None:
    fresh = after(started(), training(), progress(100), ev.EpochStarted(epoch=2))
    assert (fresh.epoch, fresh.iteration, fresh.total_steps) == (2, 0, 300)
    resumed = after(started(), training(epoch=2, iteration=60), ev.EpochStarted(epoch=2))
    assert (resumed.epoch, resumed.iteration) == (2, 60)


def test_a_nan_loss_is_shown_and_does_not_spoil_the_mean_for_good() -> None:
    state = after(started(), progress(1, loss=1.0), progress(2, loss=math.nan))
    assert state.loss is not None
    assert math.isnan(state.loss)
    state = after(progress(3, loss=0.5), progress(4, loss=0.5), state=state)
    assert state.smoothed_loss == 0.5


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=60))
def test_in_the_smoothed_loss_no_step_weighs_more_than_a_later_one(losses: list[float]) -> None:
    state = after(started(), *(progress(i, loss=loss) for i, loss in enumerate(losses, start=1)))
    weights = [0.9**age for age in range(len(losses))][::-1]
    mean = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)
    assert state.smoothed_loss == pytest.approx(mean)


def test_a_run_whose_end_was_written_late_ended_with_its_engine() -> None:
    """As when the line of its end is damaged, and a supervisor finds the engine gone."""
    late = NOON + timedelta(minutes=17)
    state = after(
        started(),
        ev.EngineStarted(t=0.0, at=NOON, pid=1),
        training(),
        ev.EngineExited(t=60.0, at=NOON + timedelta(minutes=1), code=0),
        ev.Adopted(t=1020.0, at=late, supervisor_pid=2, engine_pid=None),
        ev.EngineExited(t=1020.0, at=late),
        ev.RunEnded(t=1020.0, at=late, outcome="finished", exit_code=0, reason=""),
    )
    assert state.active_s == 60.0
    assert state.ended_at == NOON + timedelta(minutes=1)


def test_an_attempt_from_the_first_step_on_has_a_mean_of_its_own() -> None:
    before = after(started(), training(), progress(1, loss=9.0), progress(2, loss=8.0))
    again = after(started(t=3.0, resumed=True), training(t=4.0), state=before)
    assert (again.loss, again.smoothed_loss) == (None, None)
    assert after(progress(1, t=5.0, loss=1.0), state=again).smoothed_loss == 1.0


def test_an_attempt_that_goes_on_from_a_checkpoint_goes_on_with_its_mean() -> None:
    before = after(started(), training(), progress(1, loss=9.0), progress(2, loss=8.0))
    on = after(started(t=3.0, resumed=True), training(t=4.0, iteration=2), state=before)
    assert (on.loss, on.smoothed_loss) == (before.loss, before.smoothed_loss)


def test_an_engine_that_tells_no_loss_changes_nothing_of_the_mean() -> None:
    state = after(started(), progress(1, loss=1.0), progress(2, loss=0.5))
    silent = after(ev.Progress(iteration=3, epoch=1), state=state)
    assert (silent.smoothed_loss, silent.smoothed_weight) == (
        state.smoothed_loss,
        state.smoothed_weight,
    )


def test_the_best_epoch_has_the_least_validation_loss_and_nan_is_never_best() -> None:
    state = after(started(), epoch_ended(1, math.nan), epoch_ended(2, 0.4), epoch_ended(3, 0.5))
    assert (state.best_epoch, state.best_vali_mse) == (2, 0.4)


def test_the_best_epoch_is_better_by_what_training_asks_for() -> None:
    losses = (0.50, 0.45, 0.41, 0.40, math.nan, 0.31)
    begun = msgspec.structs.replace(training(), min_delta=0.09)
    for count, best in enumerate((1, 1, 3, 3, 3, 6), start=1):
        ended = [epoch_ended(epoch, loss) for epoch, loss in enumerate(losses[:count], start=1)]
        state = after(begun, *ended)
        assert (state.best_epoch, state.best_vali_mse) == (best, losses[best - 1])


def test_an_epoch_that_is_done_again_replaces_its_row() -> None:
    state = after(started(), epoch_ended(1, 0.9), epoch_ended(2, 0.8), epoch_ended(1, 0.5))
    assert [(row.epoch, row.vali_mse) for row in state.rows] == [(1, 0.5), (2, 0.8)]


def test_patience_is_counted_and_a_better_epoch_resets_it() -> None:
    state = after(started(), ev.EarlyStopping(counter=1, patience=2))
    assert (state.early_counter, state.patience, state.early_stopped) == (1, 2, False)
    state = after(ev.CheckpointWriting(kind="best"), state=state)
    assert state.early_counter == 0


def test_the_final_test_is_kept() -> None:
    state = after(started(), ev.TestEvaluated(mse=0.37, mae=0.39, windows=19_000))
    assert (state.final_mse, state.final_mae) == (0.37, 0.39)


# --- checkpoints ---------------------------------------------------------------------------------


def saved(kind: ev.CheckpointKind, epoch: int, iteration: int | None = None) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(kind=kind, path="p", bytes=1, epoch=epoch, iteration=iteration)


def test_a_checkpoint_is_safe_when_it_is_saved_and_not_while_it_is_written() -> None:
    state = after(started(), training(), progress(100), epoch_ended(1))
    writing = after(ev.CheckpointWriting(kind="last"), state=state)
    assert (writing.writing, writing.last, writing.steps_at_risk) == ("last", None, 100)
    durable = after(saved("last", 1), state=writing)
    assert (durable.writing, durable.steps_at_risk) == (None, 0)
    assert durable.last is not None


def test_a_row_tells_whether_its_weights_were_saved_as_the_best() -> None:
    def marks(*more: ev.Event) -> list[bool]:
        epochs = [epoch_ended(1), epoch_ended(2), saved("best", 2), epoch_ended(3)]
        return [row.saved for row in after(started(), training(), *epochs, *more).rows]

    assert marks() == [False, True, False]
    assert marks(saved("last", 3, 100)) == [False, True, False]
    assert marks(saved("best", 3)) == [False, True, True]


def test_steps_at_risk_are_those_since_the_checkpoint_that_can_be_gone_on_from() -> None:
    best_only = after(started(), training(), progress(100), saved("best", 1))
    assert best_only.steps_at_risk == 100, "our engine goes on from `last` alone"
    state = after(
        progress(30, 2), saved("last", 2, 30), progress(45, 2), saved("best", 2, 45),
        state=best_only,
    )  # fmt: skip
    assert state.steps_at_risk == 15
    assert state.last is not None
    assert state.last.step == 130


def test_a_checkpoint_that_is_kept_by_its_step_stands_in_for_none_of_the_others() -> None:
    state = after(started(), training(), progress(30), saved("last", 1, 30))
    writing = after(progress(40), ev.CheckpointWriting(kind="step"), state=state)
    assert writing.writing == "step"
    kept = after(saved("step", 1, 30), state=writing)
    assert (kept.writing, kept.last, kept.best) == (None, state.last, None)
    assert kept.steps_at_risk == 10


def test_a_script_whose_steps_are_unknown_loses_nothing_right_after_its_checkpoint() -> None:
    script = ev.RunStarted(run_id="r", name="n", engine="foreign")
    state = after(script, ev.EpochStarted(epoch=2), progress(14_000, 2), epoch_ended(2))
    assert state.steps_at_risk == 14_000
    state = after(ev.CheckpointWriting(kind="best"), saved("best", 2), state=state)
    assert state.steps_at_risk == 0
    state = after(ev.EpochStarted(epoch=3), progress(100, 3), state=state)
    assert state.steps_at_risk == 100
    state = after(ev.EpochStarted(epoch=3, steps=14_058), progress(200, 3), state=state)
    assert state.steps_at_risk == 200, "and still right once the steps are known"


def test_a_script_that_trains_a_second_time_begins_anew_with_its_epochs() -> None:
    script = ev.RunStarted(run_id="r", name="n", engine="foreign")
    first = after(
        script, ev.EpochStarted(epoch=1, steps=100, epochs=2), progress(90), epoch_ended(1),
        saved("best", 1),
    )  # fmt: skip
    assert (first.total_steps, first.steps_at_risk) == (200, 0)
    second = after(ev.EpochStarted(epoch=1), progress(30), state=first)
    assert (second.rows, second.best, second.total_steps) == ((), None, None)
    assert second.steps_at_risk == 30, "the checkpoint of the first holds nothing of the second"


def test_a_checkpoint_that_failed_leaves_the_one_before_and_tells_a_person() -> None:
    good = after(started(), training(), progress(100), saved("last", 1, 100))
    state = after(
        ev.CheckpointWriting(kind="last"),
        ev.CheckpointFailed(kind="last", message="no space left"),
        state=good,
    )
    assert state.writing is None
    assert state.last == good.last
    assert state.notices[-1].level == "error"
    assert "no space left" in state.notices[-1].message


# --- telemetry and notices -----------------------------------------------------------------------


def reading(temperature_c: float | None, t: float = 5.0) -> ev.Telemetry:
    return ev.Telemetry(t=t, sample=GpuSample(source="simulated", temperature_c=temperature_c))


def test_the_peak_is_the_highest_temperature_that_was_known() -> None:
    state = after(started(), reading(70.0), reading(88.0), reading(None), reading(60.0))
    assert state.peak_temperature_c == 88.0
    assert state.sample is not None
    assert state.sample.temperature_c == 60.0


def test_a_lost_reading_keeps_the_old_one_and_says_what_is_wrong() -> None:
    state = after(started(), reading(70.0), ev.TelemetryLost(t=6.0, reason="hangs"))
    assert (state.telemetry_problem, state.sample_t) == ("hangs", 5.0)
    assert state.sample is not None
    assert after(reading(71.0), state=state).telemetry_problem == ""


def test_a_gpu_that_is_gone_for_good_has_no_reading() -> None:
    lost = ev.TelemetryLost(t=6.0, reason="no driver", permanent=True)
    state = after(started(), reading(70.0), lost)
    assert state.sample is None
    assert state.telemetry_gone


def test_readings_are_missed_only_from_when_a_sleeping_gpu_woke() -> None:
    state = after(started(0.0), ev.TelemetryLost(t=1.0, reason="sleeps", asleep=True))
    assert (state.telemetry_asleep, state.watched_since_t) == (True, 0.0)
    state = after(ev.TelemetryLost(t=900.0, reason="busy"), state=state)
    assert (state.telemetry_asleep, state.watched_since_t) == (False, 900.0)
    state = after(ev.TelemetryLost(t=950.0, reason="hangs"), state=state)
    assert state.watched_since_t == 900.0


def test_the_newest_reading_of_the_machine_is_the_one_that_counts() -> None:
    first = ev.HostTelemetry(t=1.0, sample=HostSample(battery_pct=80.0, on_battery=True))
    second = ev.HostTelemetry(t=11.0, sample=HostSample(disk_free_bytes=5))
    state = after(started(0.0), first, second)
    assert (state.host, state.host_t) == (second.sample, 11.0)


def test_a_resumed_run_knows_nothing_of_the_machine_until_it_is_read_again() -> None:
    before = after(started(0.0), ev.HostTelemetry(t=1.0, sample=HostSample(battery_pct=8.0)))
    state = after(started(500.0, resumed=True), state=before)
    assert (state.host, state.host_t) == (None, None)


def test_only_so_many_notices_are_kept_the_newest_last() -> None:
    many = [ev.Alert(level="info", message=str(i)) for i in range(KEPT_NOTICES + 7)]
    notices = after(started(), *many).notices
    assert len(notices) == KEPT_NOTICES
    assert notices[-1].message == str(KEPT_NOTICES + 6)


# --- rules that are overridden or changed --------------------------------------------------------


def overridden(*rules: str, for_s: float = 60.0, t: float = 5.0) -> ev.RulesOverridden:
    until = NOON + timedelta(seconds=for_s)
    return ev.RulesOverridden(t=t, who="me", rules=rules, for_s=for_s, until=until)


def test_an_override_lifts_its_rules_holds_and_no_others() -> None:
    state = after(started(), pause("thermal"), pause("disk"), command("pause"))
    state = after(overridden("thermal", "disk"), state=state)
    assert [hold.rule for hold in state.holds] == ["user"]
    assert [(o.rule, o.who, o.until_t) for o in state.overrides] == [
        ("thermal", "me", 65.0), ("disk", "me", 65.0),
    ]  # fmt: skip
    assert state.resumed_t == 5.0


def test_an_override_ends_on_whichever_clock_comes_first() -> None:
    state = after(started(), overridden("thermal"))
    assert state.override_of("thermal", 64.9, NOON) is not None
    assert state.override_of("thermal", 64.9, None) is not None
    assert state.override_of("thermal", 65.0, NOON) is None
    assert state.override_of("thermal", 6.0, NOON + timedelta(seconds=60)) is None
    assert state.override_of("disk", 6.0, NOON) is None
    assert after(progress(3, t=64.9), state=state).overrides == state.overrides
    assert after(progress(3, t=65.0), state=state).overrides == ()


def test_a_newer_override_of_a_rule_takes_the_place_of_the_older() -> None:
    state = after(started(), overridden("thermal", "disk"), overridden("thermal", t=30.0))
    assert [(o.rule, o.until_t) for o in state.overrides] == [("disk", 65.0), ("thermal", 90.0)]


def test_of_each_setting_the_newest_is_kept_over_a_new_start_too() -> None:
    first = ev.PolicyChanged(who="me", settings=("policy.a=1", "policy.b=2"))
    second = ev.PolicyChanged(who="me", settings=("policy.a=3",))
    state = after(started(), first, second, started(90.0, resumed=True))
    assert state.policy_settings == ("policy.a=3", "policy.b=2")


def test_a_failure_found_by_a_rule_is_not_the_hardwares() -> None:
    failure = ev.PolicyDecision(action="stop", rule="health", reason="nan", failure=True)
    state = after(started(), failure)
    assert (state.stop, state.stopping_for_failure, state.stopping_for_hardware) == (
        "checkpoint", True, False,
    )  # fmt: skip
    hot = ev.PolicyDecision(action="stop", rule="thermal", reason="99 °C")
    assert after(hot, state=state).stop_reason == "99 °C"
    assert after(hot, failure, state=state).stop_reason == "99 °C"
    assert after(command("stop now"), state=state).stop_reason == "nan"


# --- what rules look at --------------------------------------------------------------------------


def test_records_of_training_are_kept_for_a_while_with_what_lay_between() -> None:
    state = after(started(), training(), progress(100), progress(100, 2), progress(300, 2))
    assert [record.iterations for record in state.recent_training] == [100, 100, 200]
    many = [progress(i, 2) for i in range(301, 500)]
    assert len(after(*many, state=state).recent_training) == KEPT_TRAINING_RECORDS
    assert after(started(9.0), state=state).recent_training == ()


def test_the_engines_newest_word_is_known_and_a_new_engine_has_said_nothing() -> None:
    state = after(started(), ev.EngineStarted(pid=7, t=1.0))
    assert (state.engine_started_t, state.engine_word_t) == (1.0, None)
    state = after(progress(3, t=8.0), reading(60.0), command("pause"), state=state)
    assert state.engine_word_t == 8.0
    assert after(ev.EngineStarted(pid=8, t=20.0), state=state).engine_word_t is None


def test_a_gpu_is_lost_from_when_that_was_first_said_until_it_is_read_again() -> None:
    lost = ev.TelemetryLost(t=6.0, reason="the GPU is lost", lost=True)
    later = ev.TelemetryLost(t=9.0, reason="no such GPU")
    state = after(started(), reading(70.0), lost, later)
    assert (state.gpu_lost_t, state.gpu_lost_reason) == (6.0, "the GPU is lost")
    assert after(reading(70.0), state=state).gpu_lost_t is None


# --- a run that is resumed -----------------------------------------------------------------------


def test_a_resumed_run_keeps_what_it_learned_and_forgets_the_process_it_was() -> None:
    before = after(
        started(0.0),
        ev.EngineStarted(pid=7),
        training(),
        epoch_ended(1),
        saved("last", 2, 0),
        reading(80.0),
        pause("thermal"),
        ev.Paused(t=20.0),
        ev.Paced(duty=0.4),
        command("stop checkpoint"),
        ev.EngineFailed(message="killed"),
    )
    later = msgspec.structs.replace(started(500.0, resumed=True), at=NOON + timedelta(days=1))
    state = after(later, state=before)
    assert state.resumed
    assert (state.rows, state.last) == (before.rows, before.last)
    assert (state.pauses, state.paused_s) == (before.pauses, before.paused_s)
    assert state.started_at == NOON
    assert state.engine_pid is None
    assert (state.holds, state.standing, state.stop, state.failure) == ((), False, None, "")
    assert (state.sample, state.duty, state.desired) == (None, 1.0, "run")


def test_an_ended_run_wants_nothing_and_holds_nothing() -> None:
    state = after(
        started(), ev.EngineStarted(pid=7), pause("thermal"), ev.Paused(t=5.0),
        ev.RunEnded(outcome="failed", exit_code=4, reason="the engine was ended by SIGKILL"),
    )  # fmt: skip
    assert (state.holds, state.standing, state.engine_pid, state.exit_code) == ((), False, None, 4)


def test_an_adopted_run_knows_who_watches_it_now() -> None:
    state = after(started(0.0), ev.Adopted(t=60.0, supervisor_pid=99, engine_pid=7))
    assert (state.supervisor_pid, state.engine_pid, state.watched_since_t) == (99, 7, 60.0)
