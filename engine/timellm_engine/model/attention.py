"""Attention of very many queries to a few shared keys, with dropout of the attention weights.

Reprogramming asks for every patch of every row of a batch what mixture of the same 1,000
prototypes it is. In training the weights are dropped out, and torch's CPU kernels that never
store the weights do not know dropout: its fallback writes every weight to memory several times
over and draws the mask number by number. Here the queries are taken in blocks whose weights stay
in the cache, with the same gradients and the same distribution.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.attention_again import attend_again
from timellm_engine.model.attention_block import block_gradients, block_weights
from timellm_engine.model.precision import computing_as_held
from timellm_ops.contract.engine_memory import BLOCK_QUERIES


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, dropout: float, *, recompute: bool = False
) -> Tensor:
    """Scaled dot-product attention, `[heads, queries, width]` to `[heads, queries, width]`.

    `keys` and `values` are `[heads, keys, width]`. A share `dropout` of the attention weights is
    set to zero and the others are raised to make up for it; zero means no dropout. `recompute`:
    a block's weights are computed again for the gradient instead of being kept.
    """
    if dropout == 0.0 or queries.device.type != "cpu":
        attended = functional.scaled_dot_product_attention(
            queries.unsqueeze(0), keys.unsqueeze(0), values.unsqueeze(0), dropout_p=dropout
        )
        return attended.squeeze(0)
    scaled = queries * (1.0 / math.sqrt(queries.shape[-1]))
    dtype = _of_products(queries)
    given = keys.transpose(1, 2), values, dropout, dtype
    if recompute:
        attended = attend_again(scaled, *given)
    else:
        blocks = torch.split(scaled, BLOCK_QUERIES, dim=1)
        attended = torch.cat([_of_block(block, *given) for block in blocks], dim=1)
    return attended * (1.0 / (1.0 - dropout))


def _of_products(queries: Tensor) -> torch.dtype:
    """The type that products are made in."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return queries.dtype


def _of_block(
    queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float, dtype: torch.dtype
) -> Tensor:
    """What some of the queries take, before it is raised to make up for what is dropped."""
    given = [each.to(dtype) for each in (queries, keys_across, values)]
    with computing_as_held(queries.device):
        taken: Tensor = _Block.apply(*given, dropout)  # type: ignore[no-untyped-call]
    return taken


class _Block(torch.autograd.Function):
    """Keeps the weights, before and after some are dropped, in the type of the products."""

    @staticmethod
    def forward(
        context: Any, queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float
    ) -> Tensor:
        weights, left = block_weights(queries, keys_across, dropout)
        context.save_for_backward(queries, keys_across, values, weights, left)
        return torch.bmm(left, values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        return *block_gradients(gradients[0], *context.saved_tensors), None
