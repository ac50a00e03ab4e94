"""Training as a whole, in this process: what it says, what it saves, and that going on is exact."""

import math
import re
from contextlib import ExitStack, nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from engine_clock import FakeClock
from full_disk import files_end_at
from tiny_backbones import save_backbone
from tiny_runs import STEPS, events_of, only, run_here, same, tiny_run, weights, write_control

from timellm_engine.errors import InputError, TrainingError
from timellm_engine.run_config import read_config
from timellm_engine.training.build import build
from timellm_engine.training.evaluate import evaluate
from timellm_engine.training.forecast_speed import windows_per_second
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.process.lock import FileLock

BEGIN_S, TICK_S = 1000.0, 0.01


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """A run that nothing has disturbed; two epochs."""
    layout = tiny_run(tmp_path_factory.mktemp("whole"))
    run_here(layout)
    return layout


def stopped_at(root: Path, t: float) -> RunLayout:
    """A run like `whole` that is told to stop when its clock has come to `t`."""
    layout = tiny_run(root)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    clock.at(t, lambda: write_control(layout, 1, "stop_now"))
    run_here(layout, clock=clock)
    return layout


def moment(layout: RunLayout, kind: type[ev.BaseEvent], number: int = 0) -> float:
    """When an event of this kind was told, the first or another. The same in every run like it."""
    t = only(layout, kind)[number].t
    assert t is not None
    return t


def resume(layout: RunLayout) -> None:
    layout.control.unlink(missing_ok=True)
    run_here(layout, resume=True)


def test_the_events_tell_the_whole_story(whole: RunLayout) -> None:
    kinds = [type(event).__name__ for event in events_of(whole)]
    assert kinds[:2] == ["TrainingStarted", "EpochStarted"]
    often = ("Progress", "ForecastsTimed", "EvaluationProgress")
    told = [kind for kind in kinds if kind not in often]
    epoch = [
        "EpochStarted", "EpochEnded", "CheckpointWriting", "CheckpointSaved",
        "LearningRateChanged", "CheckpointWriting", "CheckpointSaved",
    ]  # fmt: skip
    last_epoch = [kind for kind in epoch if kind != "LearningRateChanged"]
    assert told == ["TrainingStarted", *epoch, *last_epoch, "TestEvaluated", "TrainingFinished"]


def test_forecasts_are_timed_once_and_training_goes_on_as_without_it(
    whole: RunLayout, tmp_path: Path
) -> None:
    (timed,) = only(whole, ev.ForecastsTimed)
    assert timed.windows_per_second > 0
    job = build(read_config(whole))
    clock = FakeClock(tick_s=0.5)
    assert windows_per_second(job, job.data.vali, clock) == 2 * len(job.data.vali)
    assert job.model.training
    stopped = stopped_at(tmp_path, moment(whole, ev.EpochEnded) + 5 * TICK_S)
    resume(stopped)
    assert len(only(stopped, ev.ForecastsTimed)) == 1  # it knew from its first evaluation
    assert same(weights(stopped, "best"), weights(whole, "best"))


def test_the_state_that_the_events_reduce_to(whole: RunLayout) -> None:
    state = RunState()
    for event in events_of(whole):
        state = reduce(state, event)
    assert (state.epoch, state.iteration, state.steps_per_epoch) == (2, STEPS, STEPS)
    assert [row.saved for row in state.rows] == [True, True]
    assert state.best_epoch == 2
    assert state.best is not None
    assert state.last is not None
    assert state.steps_at_risk == 0
    assert state.final_mse == state.rows[-1].test_mse


@pytest.mark.parametrize(("family", "ahead"), [("gpt2", True), ("bert", False)])
def test_it_says_once_where_prompts_cannot_be_read_ahead(
    tmp_path: Path, family: str, ahead: bool
) -> None:
    source = str(save_backbone(tmp_path / family, family))
    layout = tiny_run(tmp_path / "run", backbone__source=source, backbone__layers=1)
    run_here(layout)
    assert layout.engine_log.read_text().count("they cannot be read ahead") == (not ahead)


def test_it_prints_the_published_lines(whole: RunLayout) -> None:
    log = whole.engine_log.read_text()
    number = r"[0-9]+\.[0-9]+"
    progress = rf"\titers: \d+, epoch: [12] \| loss: {number}\n\tspeed: {number}s/iter; left time: "
    assert len(re.findall(progress, log)) == 2 * (STEPS // 2)
    results = rf"Train Loss: {number} Vali Loss: {number} Test Loss: {number} MAE Loss: {number}\n"
    assert (
        len(re.findall(rf"\nEpoch: [12] cost time: {number}\nEpoch: [12] \| {results}", log)) == 2
    )
    assert len(re.findall(r"\nValidation loss decreased \(.*\).  Saving model \.\.\.\n", log)) == 2
    assert len(re.findall(r"\nUpdating learning rate to ", log)) == 2


def test_the_saved_files_are_named_by_the_events(whole: RunLayout) -> None:
    for saved in only(whole, ev.CheckpointSaved):
        assert Path(saved.path) == whole.checkpoints / saved.kind
    newest = {saved.kind: saved for saved in only(whole, ev.CheckpointSaved)}
    for kind in ("best", "last"):
        files = (whole.checkpoints / kind).iterdir()
        assert newest[kind].bytes == sum(file.stat().st_size for file in files)


def test_progress_counts_every_step_and_the_loss_of_an_epoch_is_their_mean(
    tmp_path: Path,
) -> None:
    layout = tiny_run(tmp_path, train__epochs=1)
    run_here(layout, clock=FakeClock(tick_s=1.0))  # so slow that every step is reported
    progress = only(layout, ev.Progress)
    assert [each.iteration for each in progress] == list(range(1, STEPS + 1))
    (ended,) = only(layout, ev.EpochEnded)
    assert ended.train_mse == pytest.approx(sum(each.loss for each in progress) / STEPS)
    assert all(each.grad_norm is not None and each.grad_norm > 0 for each in progress)


def test_progress_is_thinned_out_but_the_first_and_last_step_are_told(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=1, train__log_every=4)
    run_here(layout, clock=FakeClock(tick_s=1e-6))
    assert [each.iteration for each in only(layout, ev.Progress)] == [1, 4, STEPS]
    told = [(each.split, each.done) for each in only(layout, ev.EvaluationProgress)]
    test = [("test", 0), ("test", 29)]
    assert told == [("vali", 0), ("vali", 13), *test]


def test_time_left_counts_steps_and_evaluations_and_not_the_pause_between(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=3, train__log_every=1)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    clock.at(BEGIN_S + 0.2, lambda: write_control(layout, 1, "pause"))
    clock.at(BEGIN_S + 50.0, lambda: write_control(layout, 2))
    run_here(layout, clock=clock)
    (resumed,) = only(layout, ev.Resumed)
    assert resumed.paused_seconds is not None
    assert resumed.paused_seconds > 40
    speeds = [each.seconds_per_iteration for each in only(layout, ev.Progress)]
    assert max(speed for speed in speeds if speed is not None) < 0.1
    for earlier, later in pairwise(only(layout, ev.Progress)):
        if earlier.epoch == later.epoch:
            assert (later.left_seconds or 0.0) < (earlier.left_seconds or 0.0)
    assert all(
        ended.seconds is not None and ended.seconds < 1 for ended in only(layout, ev.EpochEnded)
    )
    printed = re.findall(r"speed: (.*)s/iter; left time: (.*)s", layout.engine_log.read_text())
    steps = [round(float(left_s) / float(speed)) for speed, left_s in printed]
    assert steps == list(range(3 * STEPS, 0, -1))


def test_the_best_weights_are_what_is_tested(tmp_path: Path) -> None:
    # A rate this high makes the second epoch worse than the first.
    layout = tiny_run(
        tmp_path, train__optimiser="sgd", train__schedule="constant", train__learning_rate=0.2
    )
    run_here(layout)
    ended = only(layout, ev.EpochEnded)
    best = min(ended, key=lambda each: each.vali_mse)
    assert best.epoch < 2, "this setting no longer tells the best from the last"
    (tested,) = only(layout, ev.TestEvaluated)
    assert (tested.epoch, tested.mse, tested.mae) == (best.epoch, best.test_mse, best.test_mae)
    assert tested.windows == 29
    job = build(read_config(layout))
    job.model.load_trainable_state(weights(layout, "best"))
    assert evaluate(job.model, job.data.test, 7).mse == pytest.approx(tested.mse, rel=1e-5)


def test_it_stops_early_when_the_patience_is_used_up(tmp_path: Path) -> None:
    # A rate so small that no weight changes: no epoch is better than the first.
    layout = tiny_run(tmp_path, train__epochs=9, train__patience=2, train__learning_rate=1e-30)
    run_here(layout)
    told = [(each.counter, each.patience, each.stopped) for each in only(layout, ev.EarlyStopping)]
    assert told == [(1, 2, False), (2, 2, True)]
    log = layout.engine_log.read_text()
    assert "EarlyStopping counter: 1 out of 2\nUpdating learning rate" in log
    assert "EarlyStopping counter: 2 out of 2\nEarly stopping\n" in log
    assert len(only(layout, ev.EpochEnded)) == 3
    assert only(layout, ev.TestEvaluated)[0].epoch == 1


@pytest.mark.parametrize(
    ("kind", "number", "where"),
    [
        (ev.TrainingStarted, 0, (1, 0)),
        (ev.Progress, 0, (1, None)),
        (ev.EvaluationProgress, 0, (1, STEPS)),
        (ev.CheckpointSaved, 0, (2, 0)),
        (ev.Progress, -2, (2, None)),
        (ev.EvaluationProgress, 4, (2, STEPS)),
    ],
)
def test_a_run_that_was_stopped_anywhere_ends_as_if_it_had_not(
    whole: RunLayout,
    tmp_path: Path,
    kind: type[ev.BaseEvent],
    number: int,
    where: tuple[int, int | None],
) -> None:
    layout = stopped_at(tmp_path, moment(whole, kind, number))
    saved = only(layout, ev.CheckpointSaved)[-1]
    assert (saved.kind, saved.epoch) == ("last", where[0])
    assert saved.iteration is not None
    assert where[1] == saved.iteration or (where[1] is None and 0 < saved.iteration < STEPS)
    assert not only(layout, ev.TestEvaluated)
    resume(layout)
    started = only(layout, ev.TrainingStarted)[-1]
    assert (started.start_epoch, started.start_iteration) == (saved.epoch, saved.iteration)
    assert same(weights(layout), weights(whole))
    assert same(weights(layout, "best"), weights(whole, "best"))
    assert results(layout) == results(whole)


def results(layout: RunLayout) -> list[tuple[float | None, ...]]:
    """Every number a run has come to, epoch by epoch, and the final test's."""
    (tested,) = only(layout, ev.TestEvaluated)
    epochs = [
        (each.epoch, each.train_mse, each.vali_mse, each.test_mse, each.test_mae)
        for each in only(layout, ev.EpochEnded)
    ]
    return [*epochs, (tested.epoch, tested.mse, tested.mae)]


def test_a_stop_during_the_final_test_loses_nothing(whole: RunLayout, tmp_path: Path) -> None:
    changes = {"train__eval_batch_size": 4, "train__test": "end"}
    whole_in_small_batches = tiny_run(tmp_path / "whole", **changes)
    run_here(whole_in_small_batches)
    layout = tiny_run(tmp_path / "stopped", **changes)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    t = moment(whole_in_small_batches, ev.EvaluationProgress, -2)  # the final test has begun
    clock.at(t, lambda: write_control(layout, 1, "stop_now"))
    run_here(layout, clock=clock)
    assert not only(layout, ev.TestEvaluated)
    assert len(only(layout, ev.EpochEnded)) == 2
    assert same(weights(layout), weights(whole))
    resume(layout)
    assert results(layout) == results(whole_in_small_batches)


def test_another_seed_is_another_training(whole: RunLayout, tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, run__seed=1)
    run_here(layout)
    assert not same(weights(layout), weights(whole))


def test_stop_after_checkpoint_ends_with_the_epochs_saves(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    saved = [(each.kind, each.epoch) for each in only(layout, ev.CheckpointSaved)]
    assert saved == [("best", 1), ("last", 1)]
    assert len(only(layout, ev.EpochEnded)) == 1


def test_stop_after_checkpoint_ends_with_a_save_inside_of_an_epoch(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, checkpoint__every_minutes=0.1 / 60)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    (saved,) = only(layout, ev.CheckpointSaved)
    assert saved.iteration is not None
    assert saved.iteration < STEPS
    assert not only(layout, ev.EpochEnded)


def test_last_is_saved_as_often_as_the_config_says(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=1, checkpoint__every_minutes=1e-9)
    run_here(layout)
    inside = [each.iteration for each in only(layout, ev.CheckpointSaved) if each.kind == "last"]
    assert inside == list(range(1, STEPS + 1))


def test_a_loss_that_is_no_number_ends_training_and_is_never_saved(tmp_path: Path) -> None:
    layout = tiny_run(
        tmp_path, train__learning_rate=1e30, train__schedule="cosine",
        checkpoint__every_minutes=1e-9,
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"in epoch 1, step \d"):
        run_here(layout)
    assert all(math.isfinite(each.loss) for each in only(layout, ev.Progress))
    for folder in layout.checkpoints.glob("*"):
        for tensor in weights(layout, folder.name).values():
            assert bool(torch.isfinite(tensor).all())


def test_a_validation_loss_that_is_no_number_ends_training_and_nothing_is_saved(
    tmp_path: Path,
) -> None:
    # One step an epoch: what it has spoilt is first seen when the epoch is evaluated.
    layout = tiny_run(tmp_path, train__learning_rate=1e30, train__batch_size=10_000)
    with pytest.raises(TrainingError, match=r"the validation loss is (nan|inf) in epoch 1"):
        run_here(layout)
    assert not list(layout.checkpoints.glob("*"))


def test_a_full_disk_does_not_end_training_and_the_best_is_written_later(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = tiny_run(tmp_path)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    first_end, second_end = (moment(whole, ev.EpochEnded, number) for number in (0, 1))
    with ExitStack() as disk:
        full = files_end_at(12_000)  # less than a checkpoint, more than events and log
        clock.at(first_end, lambda: disk.enter_context(full))
        clock.at(second_end, disk.close)
        run_here(layout, clock=clock)
    failed = only(layout, ev.CheckpointFailed)
    assert {each.kind for each in failed} == {"best", "last"}
    assert all("\n" not in each.message for each in failed)
    assert not list(layout.checkpoints.glob(".tmp-*"))
    assert same(weights(layout), weights(whole))
    assert same(weights(layout, "best"), weights(whole, "best"))


@pytest.mark.parametrize("supervised", [True, False])
def test_what_a_full_disk_refuses_at_the_end_is_waited_for_with_whoever_supervises(
    whole: RunLayout, tmp_path: Path, *, supervised: bool
) -> None:
    layout = tiny_run(tmp_path)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    over = moment(whole, ev.EpochEnded, 1)
    lock = FileLock.acquire(layout.supervisor_lock) if supervised else None
    with ExitStack() as disk, lock or nullcontext():
        full = files_end_at(12_000)  # less than a checkpoint, more than events and log
        clock.at(over, lambda: disk.enter_context(full))
        clock.at(over + 1000.0, disk.close)
        run_here(layout, clock=clock)
    assert isinstance(events_of(layout)[-1], ev.TrainingFinished)
    assert (clock.now > over + 1000.0) is supervised
    saved = [each.epoch for each in only(layout, ev.CheckpointSaved) if each.kind == "last"]
    assert (2 in saved) is supervised
    if supervised:
        assert same(weights(layout), weights(whole))
        assert 5 < len(only(layout, ev.CheckpointFailed)) < 50


def test_a_stop_whose_checkpoint_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path)
    layout.checkpoints.write_text("in the way")
    write_control(layout, 1, "stop_now")
    with pytest.raises(TrainingError, match="could not be written"):
        run_here(layout)
    assert only(layout, ev.CheckpointFailed)


def test_a_damaged_last_is_told_and_the_one_before_is_gone_on_from(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = stopped_at(tmp_path, moment(whole, ev.Progress, -2))
    (layout.checkpoints / "last" / "weights.safetensors").write_bytes(b"nothing of it")
    resume(layout)
    assert any("damaged" in alert.message for alert in only(layout, ev.Alert))
    assert only(layout, ev.TrainingStarted)[-1].start_epoch == 2
    assert only(layout, ev.TrainingStarted)[-1].start_iteration == 0
    assert same(weights(layout), weights(whole))


def test_a_run_without_a_checkpoint_begins_at_its_beginning(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = tiny_run(tmp_path)
    resume(layout)
    assert [alert.level for alert in only(layout, ev.Alert)] == ["info"]
    assert same(weights(layout), weights(whole))


def test_what_is_finished_or_begun_is_not_trained_over(whole: RunLayout) -> None:
    with pytest.raises(InputError, match="finished"):
        run_here(whole, resume=True)
    with pytest.raises(InputError, match="--resume"):
        run_here(whole)


def test_only_damaged_checkpoints_are_nothing_to_go_on_from(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = stopped_at(tmp_path, moment(whole, ev.Progress))
    (layout.checkpoints / "last" / "manifest.json").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        resume(layout)


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = stopped_at(tmp_path, moment(whole, ev.Progress))
    tiny_run(tmp_path, train__learning_rate=0.5)
    with pytest.raises(InputError, match=r"train.learning_rate: found 0.5; expected 0.001"):
        resume(layout)


def test_a_pause_is_obeyed_in_the_middle_of_an_evaluation(whole: RunLayout, tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__eval_batch_size=2)
    clock = FakeClock(now=BEGIN_S, tick_s=TICK_S)
    evaluation = moment(whole, ev.EvaluationProgress)
    clock.at(evaluation, lambda: write_control(layout, 1, "pause"))
    clock.at(evaluation + 9.0, lambda: write_control(layout, 2))
    run_here(layout, clock=clock)
    kinds = [type(event).__name__ for event in events_of(layout)]
    paused = kinds.index("Paused")
    assert "EvaluationProgress" in kinds[paused - 3 : paused]
    assert "EpochEnded" not in kinds[:paused]
    assert same(weights(layout), weights(whole))


def test_pacing_slows_it_down_and_changes_nothing_else(whole: RunLayout, tmp_path: Path) -> None:
    layout = tiny_run(tmp_path)
    write_control(layout, 1, duty=0.1)
    clock = FakeClock(tick_s=TICK_S)
    run_here(layout, clock=clock)
    assert [each.duty for each in only(layout, ev.Paced)] == [0.1]
    assert sum(clock.slept) > 1.0
    assert same(weights(layout), weights(whole))
