"""What a block of queries takes from shared keys, some of its attention weights dropped: the parts.

Without a graph; `attention.py` and `attention_again.py` make one of them.
"""

import math

import torch
from torch import Tensor

_DEVIATIONS = 8
"""By which more numbers are drawn than places are to be expected: one block in 10^15 needs more."""


class Scratch:
    """Memory for the weights of a block, taken by one block after the other.

    Pieces of this size that come and go among small ones that stay leave holes in a heap, which
    take more than the pieces do.
    """

    def __init__(self, heads: int, queries: int, keys: int, dtype: torch.dtype) -> None:
        count = heads * queries * keys
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


def block_weights(
    queries: Tensor, keys_across: Tensor, dropout: float, scratch: Scratch | None = None
) -> tuple[Tensor, Tensor]:
    """Attention weights before some are dropped, and what is left of them without being raised.

    `queries` are `[heads, queries, width]` and scaled, `keys_across` `[heads, width, keys]`.
    """
    shape = torch.Size((*queries.shape[:2], keys_across.shape[2]))
    scores = torch.bmm(queries, keys_across, out=scratch.scores(shape) if scratch else None)
    weights = torch.softmax(scores, -1, out=scratch.weights(shape) if scratch else None)
    left = scratch.left(shape).copy_(weights) if scratch else weights.clone()
    left.view(-1).index_fill_(0, dropped_places(left.numel(), dropout), 0)
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


def dropped_places(count: int, share: float) -> Tensor:
    """Which of `count` places are dropped, each by itself with probability `share`; ascending.

    How many places lie between two of them is a geometric variable: its logarithm takes one number
    of torch's CPU generator, and only dropped places have to be drawn.
    """
    expected = count * share
    drawn = math.ceil(expected + _DEVIATIONS * math.sqrt(expected * (1.0 - share))) + _DEVIATIONS
    between = torch.rand(drawn).neg_().log1p_().mul_(1.0 / math.log1p(-share))
    places = between.clamp_(max=count).long().add_(1).cumsum_(0).sub_(1)
    return places[: int(torch.searchsorted(places, count))]
