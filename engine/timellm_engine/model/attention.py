"""Attention of very many queries to a few shared keys, with dropout of the attention weights.

Reprogramming asks for every patch of every row of a batch what mixture of the same 1,000
prototypes it is. In training the weights are dropped out, and torch's CPU kernels that never
store the weights do not know dropout: its fallback writes every weight to memory several times
over and draws the mask number by number. Here the queries are taken in blocks whose weights stay
in the cache, with the same gradients and the same distribution.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.recompute import computed_again

BLOCK_QUERIES = 256
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
    weights = torch.bmm(queries, keys_across).softmax(dim=-1)
    return torch.bmm(weights * keep_mask(weights.shape, dropout), values)


def keep_mask(shape: torch.Size, dropout: float) -> Tensor:
    """True with probability 1 - `dropout`, to within 2^-17, from torch's CPU generator.

    One draw of the generator gives four numbers of 16 bits, each compared with a threshold.
    """
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    threshold = round(dropout * 2**_WORD_BITS) - 2 ** (_WORD_BITS - 1)
    kept: Tensor = words.view(torch.int16)[:count] >= threshold
    return kept.view(shape)
