"""What a block of queries takes from shared keys, some of its attention weights dropped: the parts.

Without a graph; `attention.py` and `attention_again.py` make one of them.
"""

import math

import torch
from torch import Tensor

_WORD_BITS, _IN_A_DRAW = 16, 4


class Scratch:
    """Memory for the weights of a block, taken by one block after the other.

    Pieces of this size that come and go among small ones that stay leave holes in a heap, which
    take more than the pieces do.
    """

    def __init__(self, heads: int, queries: int, keys: int, dtype: torch.dtype) -> None:
        count = heads * queries * keys
        self._words = torch.empty(-(-count // _IN_A_DRAW), dtype=torch.int64)
        self._scores, self._weights, self._left = (
            torch.empty(count, dtype=dtype) for _ in range(3)
        )

    def scores(self, shape: torch.Size) -> Tensor:
        """For products of queries and keys, `[heads, queries, keys]`."""
        return self._scores[: shape.numel()].view(shape)

    def weights(self, shape: torch.Size) -> Tensor:
        """For weights before some are dropped."""
        return self._weights[: shape.numel()].view(shape)

    def left(self, shape: torch.Size) -> Tensor:
        """For those that are left."""
        return self._left[: shape.numel()].view(shape)

    def words(self, count: int) -> Tensor:
        """For draws of the generator."""
        return self._words[:count]


def block_weights(
    queries: Tensor, keys_across: Tensor, dropout: float, scratch: Scratch | None = None
) -> tuple[Tensor, Tensor]:
    """Attention weights before some are dropped, and what is left of them without being raised.

    `queries` are `[heads, queries, width]` and scaled, `keys_across` `[heads, width, keys]`.
    """
    shape = torch.Size((*queries.shape[:2], keys_across.shape[2]))
    scores = torch.bmm(queries, keys_across, out=scratch.scores(shape) if scratch else None)
    weights = torch.softmax(scores, -1, out=scratch.weights(shape) if scratch else None)
    left = keep_mask(shape, dropout, weights.dtype, scratch).mul_(weights)
    return weights, left


def block_gradients(
    gradient: Tensor, queries: Tensor, keys_across: Tensor, values: Tensor, weights: Tensor,
    left: Tensor, scratch: Scratch | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of queries, keys and values, shaped as they are."""
    of_values = torch.bmm(left.transpose(1, 2), gradient)
    into = scratch.scores(left.shape) if scratch else None
    of_scores = torch.bmm(gradient, values.transpose(1, 2), out=into).mul_(left)
    mean = of_scores.sum(dim=-1, keepdim=True)
    of_scores.addcmul_(weights, mean, value=-1.0)
    of_queries = torch.bmm(of_scores, keys_across.transpose(1, 2))
    of_keys = torch.bmm(of_scores.transpose(1, 2), queries).transpose(1, 2)
    return of_queries, of_keys, of_values


def keep_mask(
    shape: torch.Size,
    dropout: float,
    dtype: torch.dtype = torch.float32,
    scratch: Scratch | None = None,
) -> Tensor:
    """One with probability 1 - `dropout`, to within 2^-17, from torch's CPU generator; else zero.

    One draw of the generator gives four numbers of 16 bits, each compared with a threshold.
    """
    count = math.prod(shape)
    draws = -(-count // _IN_A_DRAW)
    words = scratch.words(draws) if scratch else torch.empty(draws, dtype=torch.int64)
    words.random_(-(2**63), None)
    threshold = round(dropout * 2**_WORD_BITS) - 2 ** (_WORD_BITS - 1)
    kept = scratch.left(shape) if scratch else torch.empty(shape, dtype=dtype)
    torch.ge(words.view(torch.int16)[:count], threshold, out=kept.view(-1))
    return kept
