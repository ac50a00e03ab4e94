"""What the head begins with: the least squares that it is said to be, and found again as it was."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from engine_clock import FakeClock
from tiny_runs import events_of, only, run_here, same, tiny_run, weights, write_control
from torch import Tensor

from timellm_engine.data.windows import Windows
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.run_config import read_config
from timellm_engine.training import head_start
from timellm_engine.training.build import Job, build
from timellm_engine.training.evaluate import evaluate
from timellm_engine.training.head_start import ENOUGH, PENALTIES, evenly_spaced, solve_head
from timellm_engine.training.losses import LEAST_DEVIATION, head_weights
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import TrainSection
from timellm_ops.contract.shapes import MOST_CHECKED, MOST_FITTED, head_windows

PLAIN = {"model__dropout": 0.0, "model__attention_dropout": 0.0}
TICK_S = 0.01


def a_job(root: Path, **changes: object) -> Job:
    return build(read_config(tiny_run(root, **{**PLAIN, **changes})))


def solve(
    job: Job, weights: Callable[[Tensor], Tensor] = torch.abs, *, seed: int = 7
) -> head_start.Solved:
    data = job.data
    return solve_head(job.model, data.train, data.vali, weights=weights, seed=seed)


def trained(model: TimeLLM) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.trainable_state().items()}


def objective(
    model: TimeLLM, windows: Windows, weights: Callable[[Tensor], Tensor], penalty: float
) -> float:
    """What the solution has least of, by the forecasts themselves."""
    x, y = windows.batch(torch.arange(len(windows)))
    features, mean, deviation = (part.double() for part in model.given_to_head(x))
    head = model.head.linear.requires_grad_(False)
    answer = features @ head.weight.double().T + head.bias.double()
    weight = weights(deviation)
    error = (weight * (answer - (y.double() - mean) / deviation).square()).sum()
    square = (weight * features.square()).sum(dim=0).mean()
    return float(error + penalty * square * head.weight.double().square().sum())


@pytest.mark.parametrize("loss", ["mse", "weighted_mse"])
def test_no_head_near_by_is_better(loss: str, tmp_path: Path) -> None:
    job = a_job(tmp_path, train__loss=loss)
    weights = partial(head_weights, job.config.train)
    solved = solve(job, weights)
    assert solved.windows == len(job.data.train)
    model, windows = job.model, job.data.train
    least = objective(model, windows, weights, solved.penalty)
    generator = torch.Generator().manual_seed(1)
    for part in (model.head.linear.weight, model.head.linear.bias):
        for _ in range(10):
            there = part.detach().clone()
            away = torch.randn(part.shape, generator=generator) * there.abs().mean()
            for side in (0.1, -0.1):
                with torch.no_grad():
                    part.copy_(there + side * away)
                assert objective(model, windows, weights, solved.penalty) > least
            with torch.no_grad():
                part.copy_(there)


def test_windows_count_as_they_do_in_the_loss() -> None:
    deviation = torch.tensor([[0.01], [LEAST_DEVIATION], [2.0]])
    for loss, expected in (("mse", [1e-4, 1e-2, 4.0]), ("weighted_mse", [1e-3, 0.1, 2.0])):
        train = TrainSection(loss=loss)  # type: ignore[arg-type]
        found = head_weights(train, deviation).flatten()
        torch.testing.assert_close(found, torch.tensor(expected))


def test_the_penalty_is_the_strongest_that_validation_likes_and_its_error_is_told(
    tmp_path: Path,
) -> None:
    job = a_job(tmp_path)
    solved = solve(job)
    found = evaluate(job.model, job.data.vali, 64).mse
    assert solved.vali_mse == pytest.approx(found, rel=1e-4)
    x, y = job.data.vali.batch(torch.arange(len(job.data.vali)))
    job.model.eval()
    x_train, y_train = job.data.train.batch(torch.arange(len(job.data.train)))
    features, mean, deviation = (part.double() for part in job.model.given_to_head(x_train))
    judged, judged_mean, judged_deviation = (p.double() for p in job.model.given_to_head(x))
    given = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    products = given.T @ (given * deviation)
    right = given.T @ (y_train.double() - mean)
    errors = {}
    for penalty in PENALTIES:
        ridge = torch.full((len(products),), penalty * products.diagonal()[:-1].mean())
        ridge[-1] = 0.0
        by_hand = torch.linalg.solve(products + ridge.double().diag(), right)
        answer = judged @ by_hand[:-1] + by_hand[-1]
        errors[penalty] = (answer * judged_deviation + judged_mean - y).square().mean().item()
    enough = [
        penalty for penalty, error in errors.items() if error <= ENOUGH * min(errors.values())
    ]
    assert max(enough) == solved.penalty
    assert errors[solved.penalty] == pytest.approx(solved.vali_mse, rel=1e-4)


def test_it_changes_the_head_alone_and_draws_none_of_trainings_random_numbers(
    tmp_path: Path,
) -> None:
    job = a_job(tmp_path, model__window_noise=0.5, model__dropout=0.2)
    before, random = trained(job.model), torch.get_rng_state()
    first = solve(job)
    assert torch.equal(torch.get_rng_state(), random)
    after = trained(job.model)
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        "head.linear.weight", "head.linear.bias",
    }  # fmt: skip
    torch.rand(3)
    assert solve(job) == first
    assert same(trained(job.model), after)
    assert solve(job, seed=8) != first  # noise by another seed


def test_one_that_is_broken_off_changes_nothing(tmp_path: Path) -> None:
    class BrokenOffError(Exception):
        pass

    def between(done: int) -> None:
        if done > 64:
            raise BrokenOffError

    job = a_job(tmp_path, model__window_noise=0.5)
    before, random, data = trained(job.model), torch.get_rng_state(), job.data
    with pytest.raises(BrokenOffError):
        solve_head(
            job.model, data.train, data.vali, weights=torch.square, seed=7, between=between,
        )  # fmt: skip
    assert same(trained(job.model), before)
    assert torch.equal(torch.get_rng_state(), random)


def test_windows_that_are_not_all_read_are_evenly_spaced() -> None:
    long = Windows(torch.arange(40_100.0).expand(2, -1), 60, 40)
    assert head_windows(len(long), len(long)) == MOST_FITTED + MOST_CHECKED
    short = Windows(torch.arange(120.0)[None], 60, 40)
    assert head_windows(len(short), len(short)) == 2 * 21
    assert evenly_spaced(21, 30).tolist() == list(range(21))
    assert evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]


def test_a_run_begins_with_it_and_says_so(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, **PLAIN, model__head_start="solved", train__epochs=1)
    run_here(layout)
    kinds = [type(event) for event in events_of(layout)]
    assert kinds[0] is ev.TrainingStarted
    first, last = kinds.index(ev.HeadProgress), kinds.index(ev.EpochStarted)
    assert first == 1
    assert kinds[last - 1] is ev.HeadSolved
    progress = only(layout, ev.HeadProgress)
    assert progress[0].done == 0
    assert {each.total for each in progress} == {93 + 13}
    (solved,) = only(layout, ev.HeadSolved)
    assert solved.windows == 93
    assert f"validation MSE {solved.vali_mse:.7f}" in layout.engine_log.read_text()


def test_training_goes_on_from_it(tmp_path: Path) -> None:
    options = {**PLAIN, "train__epochs": 1, "train__learning_rate": 1e-9}
    drawn, begun = (
        tiny_run(tmp_path / "drawn", **options),
        tiny_run(tmp_path / "begun", **options, model__head_start="solved"),
    )
    run_here(drawn)
    run_here(begun)
    (solved,), (ended,) = only(begun, ev.HeadSolved), only(begun, ev.EpochEnded)
    assert ended.vali_mse == pytest.approx(solved.vali_mse, rel=1e-3)
    assert ended.vali_mse < only(drawn, ev.EpochEnded)[0].vali_mse


def test_a_run_that_is_stopped_while_it_solves_begins_again_and_ends_the_same(
    tmp_path: Path,
) -> None:
    options = {
        "model__head_start": "solved", "model__window_noise": 0.3, "train__epochs": 1,
    }  # fmt: skip
    whole, stopped = (
        tiny_run(tmp_path / "whole", **options),
        tiny_run(tmp_path / "stopped", **options),
    )
    run_here(whole)
    middle_t = only(whole, ev.HeadProgress)[0].t
    assert middle_t is not None
    clock = FakeClock(tick_s=TICK_S)
    clock.at(middle_t + 5 * TICK_S, lambda: write_control(stopped, 1, "stop_now"))
    run_here(stopped, clock=clock)
    assert not only(stopped, ev.HeadSolved)
    assert not only(stopped, ev.EpochStarted)
    stopped.control.unlink()
    run_here(stopped, resume=True)
    assert len(only(stopped, ev.HeadSolved)) == 1
    assert same(weights(stopped), weights(whole))
    assert same(weights(stopped, "best"), weights(whole, "best"))


def test_what_is_no_part_of_the_result_changes_no_bit_of_it(tmp_path: Path) -> None:
    options = {"model__head_start": "solved", "model__window_noise": 0.3, "train__epochs": 1}
    found = []
    for size in (5, 64):
        layout = tiny_run(tmp_path / str(size), **options, train__eval_batch_size=size)
        run_here(layout)
        found.append((weights(layout), only(layout, ev.HeadSolved)[0].vali_mse))
    assert found[0][1] == found[1][1]
    assert same(found[0][0], found[1][0])


def test_windows_that_say_nothing_are_refused_in_one_line(tmp_path: Path) -> None:
    job = a_job(tmp_path)
    with torch.no_grad():
        job.model.backbone.ln_f.weight.zero_()
        job.model.backbone.ln_f.bias.zero_()
    with pytest.raises(ArithmeticError, match="no head was found"):
        solve(job)


def test_a_run_that_goes_on_later_keeps_what_it_has_learned(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, model__head_start="solved", checkpoint__every_steps=4)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    run_here(layout, resume=True)
    assert [event.start_iteration for event in only(layout, ev.TrainingStarted)] == [0, 4]
    assert len(only(layout, ev.HeadSolved)) == 1


def test_a_head_of_no_finite_numbers_is_refused(tmp_path: Path) -> None:
    job = a_job(tmp_path)
    with torch.no_grad():
        job.model.reprogramming.out.bias.fill_(math.nan)
    before = trained(job.model)
    with pytest.raises(ArithmeticError, match="no head was found"):
        solve(job)
    assert torch.equal(trained(job.model)["head.linear.weight"], before["head.linear.weight"])
