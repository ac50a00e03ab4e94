"""Each option of `[train]` in a whole run: what it changes, what it does not, and going on."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from engine_clock import FakeClock
from tiny_runs import STEPS, events_of, only, run_here, same, tiny_run, weights, write_control

from timellm_engine.errors import InputError
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState


def ran(root: Path, **changes: Any) -> RunLayout:
    layout = tiny_run(root, **changes)
    run_here(layout)
    return layout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """Two epochs with every option as it is by default."""
    return ran(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """One epoch like that, without a test."""
    return ran(tmp_path_factory.mktemp("short"), train__epochs=1, train__test="never")


def state_of(layout: RunLayout) -> RunState:
    state = RunState()
    for event in events_of(layout):
        state = reduce(state, event)
    return state


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": "sgd", "loss": "mae", "drop_last": True},
        {
            "optimiser": "adamw", "weight_decay": 0.1, "clip_norm": 0.05, "schedule": "type2",
            "warmup_steps": 3,
        },
        {"accumulate": 3, "loss": "huber", "schedule": "cosine"},
        {"precision": "bf16", "accumulate": 2, "schedule": "constant"},
        {"model__window_noise": 0.5, "model__dropout": 0.0, "model__attention_dropout": 0.0},
        {"model__prototypes": "direct", "model__prototype_rate": 3.0, "optimiser": "adamw"},
        {"model__head_start": "solved", "model__window_noise": 0.3, "loss": "weighted_mse"},
    ],
)  # fmt: skip
def test_going_on_is_exact_with_every_option(options: dict[str, Any], tmp_path: Path) -> None:
    changes = {key if "__" in key else f"train__{key}": v for key, v in options.items()}
    changes |= {"train__epochs": 1, "train__test": "never", "train__log_every": 1}
    whole = ran(tmp_path / "whole", **changes)
    stopped = tiny_run(tmp_path / "stopped", **changes)
    third_step_t = only(whole, ev.Progress)[2].t
    assert third_step_t is not None
    clock = FakeClock(tick_s=0.01)
    clock.at(third_step_t, lambda: write_control(stopped, 1, "stop_now"))
    run_here(stopped, clock=clock)
    assert not only(stopped, ev.EpochEnded)
    stopped.control.unlink()
    run_here(stopped, resume=True)
    assert 0 < only(stopped, ev.TrainingStarted)[-1].start_iteration < STEPS
    assert same(weights(stopped), weights(whole))
    (found,), (expected,) = only(stopped, ev.EpochEnded), only(whole, ev.EpochEnded)
    assert (found.train_mse, found.train_loss) == (expected.train_mse, expected.train_loss)
    assert found.vali_mse == expected.vali_mse


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": "adamw", "weight_decay": 0.1},
        {"optimiser": "sgd"},
        {"schedule": "type1"},
        {"loss": "huber"},
        {"loss": "weighted_mse"},
        {"clip_norm": 0.01},
        {"drop_last": True},
        {"accumulate": 2},
        {"precision": "bf16"},
    ],
)
def test_an_option_changes_the_weights(
    options: dict[str, Any], short: RunLayout, tmp_path: Path
) -> None:
    changes = {f"train__{key}": value for key, value in options.items()}
    layout = ran(tmp_path, train__epochs=1, train__test="never", **changes)
    assert not same(weights(layout), weights(short))
    first, expected = only(layout, ev.Progress)[0], only(short, ev.Progress)[0]
    if not options.keys() & {"loss", "accumulate", "precision"}:
        assert first.loss == expected.loss  # before the first step nothing is different yet


def test_what_only_limits_or_looks_changes_no_weight(plain: RunLayout, tmp_path: Path) -> None:
    layout = ran(
        tmp_path, train__clip_norm=1e6, train__huber_delta=3.0, train__accumulate=1,
        run__deterministic=False, train__test="end", train__min_delta=0.0,
    )  # fmt: skip
    assert same(weights(layout), weights(plain))
    assert same(weights(layout, "best"), weights(plain, "best"))


def test_the_smaller_last_batch_can_be_left_out(tmp_path: Path) -> None:
    layout = ran(tmp_path, train__drop_last=True, train__epochs=1, train__log_every=1)
    (started,) = only(layout, ev.TrainingStarted)
    assert started.steps_per_epoch == STEPS - 1
    assert only(layout, ev.Progress)[-1].iteration == STEPS - 1
    assert only(layout, ev.EpochEnded)[0].epoch == 1


def test_the_loss_of_training_is_told_by_its_name_beside_the_mse(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=1, train__loss="mae")
    run_here(layout, clock=FakeClock(tick_s=1.0))  # so slow that every step is reported
    (ended,) = only(layout, ev.EpochEnded)
    told = [each.loss for each in only(layout, ev.Progress)]
    assert ended.train_loss == pytest.approx(sum(told) / STEPS)
    assert ended.train_mse != pytest.approx(ended.train_loss, rel=1e-3)
    assert f"Train Loss: {ended.train_loss:.7f}" in layout.engine_log.read_text()
    assert state_of(layout).loss_name == "mae"


def test_a_length_before_clipping_is_what_is_told(short: RunLayout, tmp_path: Path) -> None:
    layout = ran(tmp_path, train__epochs=1, train__clip_norm=1e-3, train__test="never")
    told, expected = only(layout, ev.Progress)[0], only(short, ev.Progress)[0]
    assert told.grad_norm == pytest.approx(expected.grad_norm, rel=1e-4)


def test_each_epochs_test_is_not_made_again_at_the_end(plain: RunLayout) -> None:
    tests = [each for each in only(plain, ev.EvaluationProgress) if each.split == "test"]
    assert [each.epoch for each in tests if each.done == 0] == [1, 2]
    (tested,) = only(plain, ev.TestEvaluated)
    best = min(only(plain, ev.EpochEnded), key=lambda each: each.vali_mse)
    assert (tested.epoch, tested.mse, tested.mae) == (best.epoch, best.test_mse, best.test_mae)


def test_the_best_epochs_test_is_known_after_a_stop_too(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=1)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    assert not only(layout, ev.TestEvaluated)
    looked = len(only(layout, ev.EvaluationProgress))
    layout.control.unlink()
    run_here(layout, resume=True)
    (ended,), (tested,) = only(layout, ev.EpochEnded), only(layout, ev.TestEvaluated)
    assert (tested.mse, tested.mae) == (ended.test_mse, ended.test_mae)
    assert len(only(layout, ev.EvaluationProgress)) == looked


def test_a_test_at_the_end_is_the_same_test(plain: RunLayout, tmp_path: Path) -> None:
    layout = ran(tmp_path, train__test="end")
    assert [each.test_mse for each in only(layout, ev.EpochEnded)] == [None, None]
    (found,), (expected,) = only(layout, ev.TestEvaluated), only(plain, ev.TestEvaluated)
    assert (found.mse, found.mae, found.epoch) == (expected.mse, expected.mae, expected.epoch)
    lines = re.findall(r"Test Loss: (\S+) MAE Loss: (\S+)", layout.engine_log.read_text())
    assert lines == [("nan", "nan")] * 2
    assert all(math.isnan(float(number)) for line in lines for number in line)


def test_a_run_without_a_test_is_finished_all_the_same(tmp_path: Path) -> None:
    layout = ran(tmp_path, train__test="never", train__epochs=1)
    assert not only(layout, ev.TestEvaluated)
    assert {each.split for each in only(layout, ev.EvaluationProgress)} == {"vali"}
    assert events_of(layout)[-1] == only(layout, ev.TrainingFinished)[0]
    state = state_of(layout)
    assert (state.final_mse, state.test, state.rows[0].test_mse) == (None, "never", None)
    with pytest.raises(InputError, match="finished"):
        run_here(layout, resume=True)


def test_time_left_counts_the_tests_that_will_be_made(tmp_path: Path) -> None:
    left = {}
    for test in ("each_epoch", "end", "never"):
        layout = ran(tmp_path / test, train__test=test, train__epochs=1)
        left[test] = only(layout, ev.Progress)[-1].left_seconds
    # 13 windows of validation and 29 of the test, once
    assert left["each_epoch"] == pytest.approx(left["end"])
    assert left["never"] == pytest.approx((left["end"] or 0.0) * 13 / (13 + 29))


def test_too_small_an_improvement_is_none(tmp_path: Path) -> None:
    layout = ran(
        tmp_path, train__epochs=9, train__patience=2, train__min_delta=1e6, train__test="never"
    )
    vali = [each.vali_mse for each in only(layout, ev.EpochEnded)]
    assert min(vali) < vali[0], "this setting no longer improves by a little"
    assert [each.counter for each in only(layout, ev.EarlyStopping)] == [1, 2]
    assert only(layout, ev.TrainingFinished)[0].best_epoch == 1
    assert state_of(layout).best_epoch == 1


def test_an_improvement_of_just_so_much_counts(tmp_path: Path) -> None:
    first, second = (each.vali_mse for each in only(ran(tmp_path / "x"), ev.EpochEnded))
    for name, min_delta, best in (
        ("just", first - second, 2),
        ("short", math.nextafter(first - second, math.inf), 1),
    ):
        layout = ran(tmp_path / name, train__min_delta=min_delta, train__test="never")
        assert only(layout, ev.TrainingFinished)[0].best_epoch == best


def test_a_warm_up_as_long_as_the_run_is_refused(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__schedule="cosine", train__warmup_steps=2 * STEPS)
    with pytest.raises(InputError) as caught:
        run_here(layout)
    said = "train.warmup_steps: found 12; expected below 12, the steps of the run"
    assert str(caught.value) == said
