"""The optimisers, and how the pace of a step reaches them.

All but those with a state in 8 bits are torch's own, with torch's own meaning of weight decay: it
is applied to every trainable weight, biases included; to the gradient by `adam` and `sgd`, and to
the weight itself by `adamw`. Their fused kernels go through memory once: five times as fast on
a CPU, the same but for rounding, and the same bits on every repetition.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import torch
from torch import nn

from timellm_engine.training.schedule import MOMENTUM, Pace
from timellm_engine.training.small_optimiser import eight_bit_adam
from timellm_engine.training.uncompiled import (
    UncompiledAdam,
    UncompiledAdamW,
    UncompiledSGD,
)
from timellm_ops.contract.config import TrainSection


def make_optimiser(
    train: TrainSection, trainable: Sequence[nn.Parameter] | Sequence[dict[str, Any]]
) -> torch.optim.Optimizer:
    """The optimiser that the config names, for these parameters or groups of them.

    A group's `rate` multiplies the schedule's learning rate.
    """
    if train.optimiser_state != "fp32":
        return eight_bit_adam(train, trainable)
    lr, decay = train.learning_rate, train.weight_decay
    match train.optimiser:
        case "adam":
            return UncompiledAdam(trainable, lr=lr, weight_decay=decay, fused=True)
        case "adamw":
            return UncompiledAdamW(trainable, lr=lr, weight_decay=decay, fused=True)
        case "sgd":
            return UncompiledSGD(
                trainable, lr=lr, momentum=MOMENTUM, weight_decay=decay, fused=True
            )
        case _:
            assert_never(train.optimiser)


def set_pace(optimiser: torch.optim.Optimizer, pace: Pace) -> None:
    """Make the optimiser's next step at this pace."""
    for group in optimiser.param_groups:
        group["lr"] = pace.lr * group.get("rate", 1.0)
        if "betas" in group:
            group["betas"] = (pace.momentum, group["betas"][1])
        else:
            group["momentum"] = pace.momentum
