"""Adam whose moments are held in 8 bits (Dettmers et al. 2021), by bitsandbytes.

Each 256 moments share a scale; tensors of fewer than 4,096 weights stay in float32. `paged`: on
a GPU, the moments of large tensors are in memory that it shares with the machine, so they give
way when the card is full and come back for the step. Weight decay is decoupled, as in AdamW.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from timellm_engine.errors import PreflightError
from timellm_engine.model.quantised import check_packages
from timellm_ops.contract.config import TrainSection

_TABLES = ("qmap1", "qmap2")
"""Of a state: the same for every tensor, and never changed."""


def eight_bit_adam(
    train: TrainSection, trainable: Sequence[nn.Parameter] | Sequence[dict[str, Any]]
) -> torch.optim.Optimizer:
    """AdamW with 8-bit moments; Adam where there is no decay, which is then the same.

    Raises `PreflightError` where bitsandbytes is not installed, and for pages without a GPU.
    """
    check_packages("train.optimiser_state", train.optimiser_state, "fp32")
    from bitsandbytes.optim import AdamW

    paged = train.optimiser_state == "paged"
    optimiser: torch.optim.Optimizer = AdamW(
        trainable, lr=train.learning_rate, weight_decay=train.weight_decay, optim_bits=8,
        is_paged=paged,
    )  # fmt: skip
    devices = {p.device.type for group in optimiser.param_groups for p in group["params"]}
    if paged and devices != {"cuda"}:
        raise PreflightError(
            'train.optimiser_state: found "paged", and training is on the CPU, which has no memory '
            'to share; expected "int8", "fp32", or a GPU'
        )
    return optimiser


def state_tensors(optimiser: torch.optim.Optimizer, parameter: nn.Parameter) -> dict[str, Tensor]:
    """What any optimiser remembers of a parameter, by kind; nothing before its first step."""
    state = optimiser.state.get(parameter, {})
    return {
        kind: value if isinstance(value, Tensor) else torch.tensor(float(value))
        for kind, value in state.items()
        if kind not in _TABLES
    }


def take_state(
    optimiser: torch.optim.Optimizer, parameter: nn.Parameter, tensors: dict[str, Tensor]
) -> None:
    """Put back what `state_tensors` gave."""
    if not hasattr(optimiser, "init_state"):
        optimiser.state[parameter] = {k: t.to(parameter.device) for k, t in tensors.items()}
        return
    for group_number, group in enumerate(optimiser.param_groups):
        for number, own in enumerate(group["params"]):
            if own is parameter:
                # Makes the buffers where they belong, in pages or out of them.
                optimiser.init_state(group, parameter, group_number, number)
    state = optimiser.state[parameter]
    for kind, tensor in tensors.items():
        if kind == "step":
            state[kind] = int(tensor)
        else:
            state[kind].copy_(tensor)
