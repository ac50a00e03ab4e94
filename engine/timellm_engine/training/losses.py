"""What training makes small. Validation and test report MSE and MAE whatever it is."""

from collections.abc import Callable
from typing import assert_never

from torch import Tensor
from torch.nn import functional

from timellm_ops.contract.config import TrainSection

Loss = Callable[[Tensor, Tensor], Tensor]
"""From forecasts and truth of one shape, scaled, to the mean over all values, a scalar."""


def loss_of(train: TrainSection) -> Loss:
    """The loss that the config names.

    `huber` is `error² / 2` up to `huber_delta` and `huber_delta · (|error| - huber_delta / 2)`
    beyond (Huber 1964), so with a large delta it is half the MSE.
    """
    match train.loss:
        case "mse":
            return functional.mse_loss
        case "mae":
            return functional.l1_loss
        case "huber":
            return lambda forecast, truth: functional.huber_loss(
                forecast, truth, delta=train.huber_delta
            )
        case _:
            assert_never(train.loss)
