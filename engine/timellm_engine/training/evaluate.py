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
    values = done = 0
    with torch.inference_mode():
        prototypes = model.text_prototypes()
        sums = torch.zeros(2, dtype=torch.float64, device=prototypes.device)
        for numbers in in_batches(torch.arange(len(windows)), batch_size):
            between(done)
            x, y = windows.batch(numbers)
            forecast = model(x, prototypes)
            difference = (forecast - y.to(forecast.device)).double()
            # Nobody waits for a GPU here: it works while the next prompts are written.
            sums = sums + torch.stack([difference.square().sum(), difference.abs().sum()])
            values += difference.numel()
            done += len(numbers)
        squared, absolute = sums.tolist()
    between(done)
    return Errors(squared / values, absolute / values)
