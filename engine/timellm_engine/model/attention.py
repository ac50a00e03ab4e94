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

from timellm_engine.model.precision import computing_as_held
from timellm_engine.model.recompute import computed_again
from timellm_ops.contract.engine_memory import BLOCK_QUERIES

_WORD_BITS = 16


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
    keys_across = keys.transpose(1, 2)
    blocks = []
    for block in torch.split(scaled, BLOCK_QUERIES, dim=1):
        given = (block, keys_across, values, dropout)
        blocks.append(
            computed_again(_of_block, *given, random=True) if recompute else _of_block(*given)
        )
    return torch.cat(blocks, dim=1) * (1.0 / (1.0 - dropout))


def _of_block(queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float) -> Tensor:
    """What some of the queries take, before it is raised to make up for what is dropped."""
    given = [queries, keys_across, values]
    if torch.is_autocast_enabled("cpu"):
        given = [each.to(torch.get_autocast_dtype("cpu")) for each in given]
    with computing_as_held(queries.device):
        taken: Tensor = _Block.apply(*given, dropout)  # type: ignore[no-untyped-call]
    return taken


class _Block(torch.autograd.Function):
    """Keeps the weights, before and after some are dropped, in the type of the products."""

    @staticmethod
    def forward(
        context: Any, queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float
    ) -> Tensor:
        weights = torch.bmm(queries, keys_across).softmax(dim=-1)
        left = keep_mask(weights.shape, dropout, weights.dtype).mul_(weights)
        context.save_for_backward(queries, keys_across, values, weights, left)
        return torch.bmm(left, values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        queries, keys_across, values, weights, left = context.saved_tensors
        (gradient,) = gradients
        of_values = torch.bmm(left.transpose(1, 2), gradient)
        of_scores = torch.bmm(gradient, values.transpose(1, 2)).mul_(left)
        mean = of_scores.sum(dim=-1, keepdim=True)
        of_scores.addcmul_(weights, mean, value=-1.0)
        of_queries = torch.bmm(of_scores, keys_across.transpose(1, 2))
        of_keys = torch.bmm(of_scores.transpose(1, 2), queries).transpose(1, 2)
        return of_queries, of_keys, of_values, None


def keep_mask(shape: torch.Size, dropout: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """One with probability 1 - `dropout`, to within 2^-17, from torch's CPU generator; else zero.

    One draw of the generator gives four numbers of 16 bits, each compared with a threshold.
    """
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    threshold = round(dropout * 2**_WORD_BITS) - 2 ** (_WORD_BITS - 1)
    kept = torch.empty(shape, dtype=dtype)
    torch.ge(words.view(torch.int16)[:count], threshold, out=kept.view(-1))
    return kept
