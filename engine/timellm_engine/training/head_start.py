"""What the head begins with: least squares, on what the rest says before it is trained.

A frozen backbone behind patches that are reprogrammed at random makes features of a window (random
features: Rahimi and Recht, NeurIPS 2008), and the linear map that forecasts best from them need not
be found step by step. From there training has only the rest to improve. Not in the published code,
whose head begins at random.
"""

import hashlib
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from timellm_engine.data.windows import Windows, in_batches
from timellm_engine.model.timellm import TimeLLM

MOST_WINDOWS = 32_768
"""Training windows that it is solved over, at most: evenly spaced ones where there are more."""
MOST_CHECKED = 8_192
"""Validation windows that choose the penalty, at most."""
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
    """What least squares needs of windows, in float64 on the CPU, where every device is alike."""

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

    def solve(self, penalty: float) -> Tensor:
        """`[features + 1, pred_len]`, the last row being the intercept, which has no penalty."""
        products = self.products.clone()
        diagonal = products.diagonal()[:-1]
        diagonal += penalty * diagonal.mean()
        solution: Tensor = torch.linalg.solve(products, self.right)
        return solution

    def squared_error(self, solution: Tensor) -> float:
        """Of these windows, by weight, summed."""
        quadratic = float((solution * (self.products @ solution)).sum())
        return quadratic - 2.0 * float((solution * self.right).sum()) + self.squares


def windows_read(train: Windows, vali: Windows) -> int:
    """How many windows are read for it, of both splits together."""
    return len(_evenly(train, MOST_WINDOWS)) + len(_evenly(vali, MOST_CHECKED))


@torch.no_grad()
def solve_head(
    model: TimeLLM,
    train: Windows,
    vali: Windows,
    batch_size: int,
    *,
    exponent: int,
    seed: int,
    between: Callable[[int], None] = lambda _done: None,
) -> Solved:
    """Put the best head into `model`, whatever it was before; the rest stays as it is.

    A training window counts by the power `exponent` of its deviation. It is heard as in a step,
    noise and dropped parts of patches included, by random numbers of `seed` alone: those of
    training are left as they are found. `between` is called before each batch and at the end with
    the windows that were read, and may raise; nothing is changed then. The model is left in
    training mode. Raises `ArithmeticError` where no finite head is found.
    """
    chosen, checked = _evenly(train, MOST_WINDOWS), _evenly(vali, MOST_CHECKED)
    linear, done = model.head.linear, 0
    fitted = _Moments(linear.in_features, linear.out_features)
    judged = _Moments(linear.in_features, linear.out_features)
    prototypes = model.text_prototypes()
    devices = [model.device] if model.device.type == "cuda" else []
    for windows, numbers, moments, power in (
        (train, chosen, fitted, exponent), (vali, checked, judged, 2),
    ):  # fmt: skip
        for piece in in_batches(numbers, batch_size):
            between(done)
            model.train(windows is train)
            x, y = windows.batch(piece)
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(_own_seed(seed, done))
                features, mean, deviation = model.given_to_head(x, prototypes)
            truth = (y.to(mean.device) - mean) / deviation
            moments.add(features, truth, deviation.double() ** power)
            done += len(piece)
    between(done)
    model.train()
    values = len(checked) * linear.out_features
    errors = [judged.squared_error(fitted.solve(penalty)) / values for penalty in PENALTIES]
    lowest = min((error for error in errors if math.isfinite(error)), default=math.inf)
    enough = [number for number, error in enumerate(errors) if error <= ENOUGH * lowest]
    if not math.isfinite(lowest):
        raise ArithmeticError("no head was found that forecasts finite numbers")
    strongest = enough[-1]
    head = fitted.solve(PENALTIES[strongest])
    linear.weight.copy_(head[:-1].T)
    linear.bias.copy_(head[-1])
    return Solved(len(chosen), PENALTIES[strongest], errors[strongest])


def _own_seed(seed: int, done: int) -> int:
    key = hashlib.sha256(f"head after {done} windows with seed {seed}".encode()).digest()
    return int.from_bytes(key[:8], "little") >> 1


def _evenly(windows: Windows, most: int) -> Tensor:
    """Numbers of windows, from the first to the last, `most` or fewer."""
    return torch.arange(0, len(windows), max(1, math.ceil(len(windows) / most)))
