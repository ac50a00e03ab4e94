"""A step's loss and gradient: in pieces as in one, cut to a length, and refused if no number."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.training.losses import LEAST_DEVIATION, loss_of
from timellm_engine.training.schedule import Pace
from timellm_engine.training.step import Losses, NotFinite, Stepper
from timellm_ops.contract.config import TrainSection

LOSSES = ("mse", "mae", "huber", "weighted_mse")


def draws(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


class Toy(nn.Module):
    """A forecast by text prototypes that are made of weights, as Time-LLM's are."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Linear(4, 6, dtype=torch.float64)
        self.query = nn.Linear(5, 4, dtype=torch.float64)
        self.head = nn.Linear(6, 3, dtype=torch.float64)
        self.made = 0

    def text_prototypes(self) -> Tensor:
        self.made += 1
        prototypes: Tensor = self.mapping(torch.eye(4, dtype=torch.float64))
        return prototypes

    def forward(self, x: Tensor, prototypes: Tensor | None = None) -> Tensor:
        if prototypes is None:
            prototypes = self.text_prototypes()
        forecast: Tensor = self.head(torch.tanh(self.query(x)) @ prototypes)
        return forecast


def a_model(seed: int = 0) -> Toy:
    model = Toy()
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(draws(seed + number, *parameter.shape))
    return model


def step(model: Toy, x: Tensor, y: Tensor, **train: Any) -> tuple[Stepper, Losses]:
    """One step of SGD at rate 1, so that a weight moves by its gradient."""
    parameters = list(model.parameters())
    optimiser = torch.optim.SGD(parameters, momentum=0.9)
    stepper = Stepper(TrainSection(**train), model, optimiser, parameters)
    return stepper, stepper.take(x, y, Pace(1.0))


def gradients(model: Toy) -> list[Tensor]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@settings(deadline=None)
@given(
    windows=st.integers(1, 40), pieces=st.integers(1, 50), loss=st.sampled_from(LOSSES),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_batch_in_pieces_has_the_gradient_and_the_losses_of_the_whole(
    windows: int, pieces: int, loss: str, seed: int
) -> None:
    x, y = draws(seed, windows, 5), draws(seed + 1, windows, 3)
    whole, pieced = a_model(seed), a_model(seed)
    _, expected = step(whole, x, y, loss=loss)
    _, found = step(pieced, x, y, loss=loss, accumulate=pieces)
    assert pieced.made == whole.made == 1
    assert found == pytest.approx(expected, rel=1e-9)
    for ours, theirs in zip(gradients(pieced), gradients(whole), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 99), longest=st.floats(1e-3, 1e3))
def test_a_gradient_is_cut_to_its_longest_and_keeps_its_direction(
    seed: int, longest: float
) -> None:
    x, y = draws(seed, 8, 5), draws(seed + 1, 8, 3)
    free, cut = a_model(seed), a_model(seed)
    unclipped, _ = step(free, x, y)
    clipped, _ = step(cut, x, y, clip_norm=longest)
    length = unclipped.gradient_norm
    assert clipped.gradient_norm == pytest.approx(length)
    scale = min(1.0, longest / length)
    for ours, theirs in zip(gradients(cut), gradients(free), strict=True):
        assert torch.allclose(ours, theirs * scale, rtol=1e-5)
    if longest > length:
        assert all(map(torch.equal, cut.parameters(), free.parameters()))


@given(seed=st.integers(0, 99), delta=st.floats(0.1, 5.0))
def test_the_losses_are_what_they_are_called(seed: int, delta: float) -> None:
    forecast, truth, windows = draws(seed, 6, 4), draws(seed + 1, 6, 4), draws(seed + 2, 6, 9)
    windows *= torch.tensor([1e-3, 0.1, 1.0, 3.0, 10.0, 1.0]).unsqueeze(1)
    deviation = windows.std(dim=1, correction=0, keepdim=True).clamp(min=LEAST_DEVIATION)
    error = (forecast - truth).abs()
    huber = torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2))
    expected = {
        "mse": error.square().mean(), "mae": error.mean(), "huber": huber.mean(),
        "weighted_mse": (error.square() / deviation).mean(),
    }  # fmt: skip
    for name, value in expected.items():
        train = TrainSection(loss=name, huber_delta=delta)  # type: ignore[arg-type]
        found = loss_of(train)(forecast, truth, windows).item()
        assert found == pytest.approx(value.item(), rel=1e-3)  # a small number is in the deviation


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mse_is_told_whatever_the_loss_is(loss: str) -> None:
    x, y = draws(1, 7, 5), draws(2, 7, 3)
    model = a_model()
    expected = functional.mse_loss(copy.deepcopy(model)(x), y).item()
    _, found = step(model, x, y, loss=loss, accumulate=3)
    assert found.mse == pytest.approx(expected)
    assert (found.loss == found.mse) == (loss == "mse")


def test_the_gradient_of_a_step_is_forgotten_by_the_next() -> None:
    x, y = draws(1, 7, 5), draws(2, 7, 3)
    model = a_model()
    stepper, _ = step(model, x, y)
    before = copy.deepcopy(model)
    stepper.take(x, y, Pace(1.0))
    step(before, x, y)
    for ours, theirs in zip(gradients(model), gradients(before), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("bad", "train", "words"),
    [
        (math.nan, {}, "the loss is nan"),
        (1e200, {}, "the loss is inf"),
        (math.inf, {"accumulate": 4, "loss": "mae"}, "the loss is inf"),
    ],
)
def test_a_loss_that_is_no_number_changes_no_weight(
    bad: float, train: dict[str, Any], words: str
) -> None:
    x, y = draws(1, 8, 5), draws(2, 8, 3)
    y[-1, -1] = bad
    model = a_model()
    before = copy.deepcopy(model)
    with pytest.raises(NotFinite, match=words):
        step(model, x, y, **train)
    assert all(map(torch.equal, model.parameters(), before.parameters()))


def test_a_gradient_that_is_too_long_to_be_cut_changes_no_weight() -> None:
    x, y = draws(1, 8, 5), draws(2, 8, 3)
    model = a_model()
    with torch.no_grad():
        model.head.weight *= 1e160  # absolute errors of forecasts by it are still numbers
    before = copy.deepcopy(model)
    with pytest.raises(NotFinite, match="the length of the gradient is inf"):
        step(model, x, y, loss="mae", clip_norm=1.0)
    assert all(map(torch.equal, model.parameters(), before.parameters()))
