"""The optimisers are torch's own, go at the pace of each step, and go on from a snapshot."""

import copy
from typing import Any

import pytest
import torch
from tiny_runs import tiny_tables
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.checkpoints.snapshot import Position, full_snapshot, restore
from timellm_engine.training.build import Job, build
from timellm_engine.training.optimiser import make_optimiser, set_pace
from timellm_engine.training.schedule import Pace
from timellm_ops.contract.config import TrainSection
from timellm_ops.contract.validation import parse_config

OPTIMISERS = ("adam", "adamw", "sgd")
DECAY = 0.3


def torchs_own(name: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """One parameter after the other, as the published code has Adam."""
    match name:
        case "adam":
            return torch.optim.Adam(parameters, weight_decay=DECAY, foreach=False)
        case "adamw":
            return torch.optim.AdamW(parameters, weight_decay=DECAY, foreach=False)
        case _:
            return torch.optim.SGD(parameters, momentum=0.9, weight_decay=DECAY, foreach=False)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_optimisers_are_torchs_own_with_decay_of_weights_and_biases(name: str) -> None:
    torch.manual_seed(0)
    ours = nn.Linear(7, 5)
    theirs = copy.deepcopy(ours)
    train = TrainSection(optimiser=name, weight_decay=DECAY)  # type: ignore[arg-type]
    optimiser = make_optimiser(train, list(ours.parameters()))
    reference = torchs_own(name, list(theirs.parameters()))
    for step in range(6):
        pace = Pace(0.01 * (step + 1), 0.85 + 0.02 * step)
        set_pace(optimiser, pace)
        for group in reference.param_groups:
            group["lr"] = pace.lr
            if name == "sgd":
                group["momentum"] = pace.momentum
            else:
                group["betas"] = (pace.momentum, 0.999)
        x, y = torch.randn(4, 7), torch.randn(4, 5)
        for model, chosen in ((ours, optimiser), (theirs, reference)):
            chosen.zero_grad()
            functional.mse_loss(model(x), y).backward()  # type: ignore[no-untyped-call]
            chosen.step()
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_decay_decays_and_without_one_nothing_does() -> None:
    moved = {}
    for name in OPTIMISERS:
        for decay in (0.0, DECAY):
            weight = nn.Parameter(torch.ones(3))
            train = TrainSection(optimiser=name, weight_decay=decay)  # type: ignore[arg-type]
            optimiser = make_optimiser(train, [weight])
            set_pace(optimiser, Pace(0.1))
            weight.grad = torch.zeros(3)
            optimiser.step()
            moved[name, decay] = 1.0 - weight[0].item()
    assert [moved[name, 0.0] for name in OPTIMISERS] == [0.0, 0.0, 0.0]
    # By the sign of the gradient; by rate times decay; by rate times gradient.
    expected = [0.1, 0.1 * DECAY, 0.1 * DECAY]
    assert [moved[name, DECAY] for name in OPTIMISERS] == pytest.approx(expected, rel=1e-5)


def a_job(name: str) -> Job:
    changes: dict[str, Any] = {"train__optimiser": name, "train__weight_decay": 0.01}
    return build(parse_config(tiny_tables(**changes), "config.toml"))


def step(job: Job, count: int) -> None:
    for number in range(count):
        set_pace(job.optimiser, Pace(0.01 * (number + 1)))
        job.optimiser.zero_grad()
        x, y = job.data.train.batch(torch.randint(len(job.data.train), (8,)))
        functional.mse_loss(job.model(x), y).backward()  # type: ignore[no-untyped-call]
        job.optimiser.step()


def state(job: Job) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in job.model.trainable_state().items()}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_on_from_a_snapshot_bit_for_bit(name: str) -> None:
    job = a_job(name)
    step(job, 2)
    taken = copy.deepcopy(full_snapshot(job.model, job.optimiser, Position(), job.identity))
    kinds = {key.split("/")[0] for key in taken.tensors["optimiser"]}
    moments = {"momentum_buffer"} if name == "sgd" else {"step", "exp_avg", "exp_avg_sq"}
    assert kinds == moments
    step(job, 2)
    expected = state(job)

    other = a_job(name)
    restore(taken, other.model, other.optimiser)
    step(other, 2)
    found = state(other)
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
