"""What training makes small. Validation and test report MSE and MAE whatever it is."""

from collections.abc import Callable
from typing import assert_never

from torch import Tensor
from torch.nn import functional

from timellm_engine.model.layers import normalise
from timellm_ops.contract.config import TrainSection

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From forecasts and truth `[batch, pred_len]` and the windows before them `[batch, seq_len]`,
wherever these are, all scaled, to the mean over all values, a scalar."""
LEAST_DEVIATION = 0.1
"""A window that swings less than this share of its column's deviation counts as one that does: some
hardly move at all, and would have all of the weight."""


def loss_of(train: TrainSection) -> Loss:
    """The loss that the config names.

    `huber` is `error² / 2` up to `huber_delta` and `huber_delta · (|error| - huber_delta / 2)`
    beyond (Huber 1964), so with a large delta it is half the MSE. `weighted_mse` divides a window's
    squared errors by the deviation of what came before them, or by `LEAST_DEVIATION`: weighted
    least squares, for errors whose variance grows with how widely a window swings.
    """
    match train.loss:
        case "mse":
            return lambda forecast, truth, _windows: functional.mse_loss(forecast, truth)
        case "mae":
            return lambda forecast, truth, _windows: functional.l1_loss(forecast, truth)
        case "huber":
            return lambda forecast, truth, _windows: functional.huber_loss(
                forecast, truth, delta=train.huber_delta
            )
        case "weighted_mse":
            return _weighted_mse
        case _:
            assert_never(train.loss)


def head_weights(train: TrainSection, deviation: Tensor) -> Tensor:
    """How much windows of this deviation count, where forecast and truth are compared in
    deviations of their window, as the head's answers are. `mae` and `huber` are taken for the
    squares that they are of small errors."""
    squares = deviation.square()
    return squares / _divisor(deviation) if train.loss == "weighted_mse" else squares


def _weighted_mse(forecast: Tensor, truth: Tensor, windows: Tensor) -> Tensor:
    _, _, deviation = normalise(windows.to(forecast.device).unsqueeze(-1))
    return ((forecast - truth).square() / _divisor(deviation.squeeze(-1))).mean()


def _divisor(deviation: Tensor) -> Tensor:
    return deviation.clamp(min=LEAST_DEVIATION)
