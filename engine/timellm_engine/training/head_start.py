"""What the head begins with: least squares, on what the rest says before it is trained.

A frozen backbone behind patches that are reprogrammed at random makes features of a window (random
features: Rahimi and Recht, NeurIPS 2008), and the linear map that forecasts best from them need not
be found step by step. From there training has only the rest to improve. Not in the published code,
whose head begins at random.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from timellm_engine.data.windows import Windows, generator_of, in_batches
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.shapes import MOST_CHECKED, MOST_FITTED

AT_ONCE = 256
"""Windows that are read at once, whatever is read at once in an evaluation."""
PENALTIES = tuple(10.0**power for power in range(-8, 2))
"""Strengths of the ridge penalty to choose from, as shares of the features' mean square."""
ENOUGH = 1.01
"""The strongest penalty is taken whose validation error is at most so many times the lowest. A
weaker one gains next to nothing, and its weights, many times as large, make every step longer that
training takes in front of the head."""


class Solved(NamedTuple):
    """What was found."""

    windows: int
    """Training windows that it was solved over."""
    penalty: float
    vali_mse: float
    """Over the validation windows that have chosen the penalty, scaled."""


class _Moments:
    """What least squares needs of windows, in float64 on the CPU."""

    def __init__(self, features: int, pred_len: int) -> None:
        self.products = torch.zeros(features + 1, features + 1, dtype=torch.float64)
        self.right = torch.zeros(features + 1, pred_len, dtype=torch.float64)
        self.squares = 0.0
        """Of the truth."""

    def add(self, features: Tensor, truth: Tensor, weights: Tensor) -> None:
        """`[batch, features]`, `[batch, pred_len]` and `[batch, 1]`."""
        given = torch.cat([features.cpu().double(), torch.ones(len(features), 1).double()], dim=1)
        truth, weights = truth.cpu().double(), weights.cpu().double()
        weighted = given * weights
        self.products += weighted.T @ given
        self.right += weighted.T @ truth
        self.squares += float((weights * truth.square()).sum())

    def solve(self, penalty: float) -> Tensor | None:
        """`[features + 1, pred_len]`, the last row being the intercept, which has no penalty.

        `None` where these windows do not say enough for one.
        """
        products = self.products.clone()
        diagonal = products.diagonal()[:-1]
        diagonal += penalty * diagonal.mean()
        factor, failed = torch.linalg.cholesky_ex(products)
        return None if failed else torch.cholesky_solve(self.right, factor)

    def squared_error(self, solution: Tensor) -> float:
        """Of these windows, by weight, summed."""
        quadratic = float((solution * (self.products @ solution)).sum())
        error = quadratic - 2.0 * float((solution * self.right).sum()) + self.squares
        return max(0.0, error) if math.isfinite(error) else math.inf


@torch.no_grad()
def solve_head(
    model: TimeLLM,
    train: Windows,
    vali: Windows,
    *,
    weights: Callable[[Tensor], Tensor],
    seed: int,
    between: Callable[[int], None] = lambda _done: None,
) -> Solved:
    """Put the best head into `model`, whatever it was before; the rest stays as it is.

    A training window counts by `weights` of its deviation. It is heard with the noise of a step,
    by random numbers of `seed` alone, and without dropout. `between` is called before each piece of
    work and at the end with the windows that were read, and may raise; nothing is changed then.
    The model is left in evaluation mode. Raises `ArithmeticError` where no finite head is found.
    """
    model.train(False)
    fitted, judged, done = _moments_of(model), _moments_of(model), 0
    prototypes = model.text_prototypes()
    drawn = generator_of(f"what a head begins with, seed {seed}")
    chosen = evenly_spaced(len(train), MOST_FITTED)
    checked = evenly_spaced(len(vali), MOST_CHECKED)
    for windows, numbers in ((train, chosen), (vali, checked)):
        for piece in in_batches(numbers, AT_ONCE):
            between(done)
            x, y = windows.batch(piece)
            noise = None
            if windows is train and model.window_noise > 0.0:
                noise = model.window_noise * torch.randn(x.shape, generator=drawn)
            features, mean, deviation = model.given_to_head(x, prototypes, noise)
            truth, deviation = (y.to(mean.device) - mean) / deviation, deviation.double()
            if windows is train:
                fitted.add(features, truth, weights(deviation))
            else:
                judged.add(features, truth, deviation.square())
            done += len(piece)
    errors = {}
    for penalty in PENALTIES:
        between(done)
        found = fitted.solve(penalty)
        if found is not None:
            errors[penalty] = judged.squared_error(found) / (len(checked) * found.shape[1])
    between(done)
    lowest = min(errors.values(), default=math.inf)
    penalty = max((p for p, e in errors.items() if e <= ENOUGH * lowest < math.inf), default=0.0)
    head = fitted.solve(penalty) if penalty else None
    if head is None:
        raise ArithmeticError("no head was found that forecasts finite numbers")
    model.head.linear.weight.copy_(head[:-1].T)
    model.head.linear.bias.copy_(head[-1])
    return Solved(len(chosen), penalty, errors[penalty])


def _moments_of(model: TimeLLM) -> _Moments:
    return _Moments(model.head.linear.in_features, model.head.linear.out_features)


def evenly_spaced(windows: int, most: int) -> Tensor:
    """Numbers of so many windows from the first to nearly the last, `most` or all of them."""
    count = min(most, windows)
    return torch.arange(count) * windows // count
