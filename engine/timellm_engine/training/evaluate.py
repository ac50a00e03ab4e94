"""MSE and MAE over every window of a split."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from timellm_engine.data.windows import Windows, in_batches
from timellm_engine.training.step import Forecaster


class Errors(NamedTuple):
    """Mean squared and mean absolute error over all values of all windows, on scaled data."""

    mse: float
    mae: float


def evaluate(
    model: Forecaster,
    windows: Windows,
    batch_size: int,
    between: Callable[[int], None] = lambda _done: None,
) -> Errors:
    """The errors of `model`, which is left in evaluation mode.

    Sums are in float64 and divided once, so neither the size of a batch nor a last, smaller one
    weighs in. Prototypes are made once for all. `between` is called before each batch and at the
    end with the windows that are done, and may raise to end it there.
    """
    model.train(False)
    squared = absolute = 0.0
    values = done = 0
    with torch.inference_mode():
        prototypes = model.text_prototypes()
        for numbers in in_batches(torch.arange(len(windows)), batch_size):
            between(done)
            x, y = windows.batch(numbers)
            difference = (model(x, prototypes) - y).double()
            squared += difference.square().sum().item()
            absolute += difference.abs().sum().item()
            values += difference.numel()
            done += len(numbers)
    between(done)
    return Errors(squared / values, absolute / values)
