"""Scores of a frozen backbone's attention on a CPU, softened into weights; and their gradients.

Products are torch's own, of all heads at once; between them scores are in float32.
"""

import torch
from torch import Tensor

_UNSEEN = torch.finfo(torch.float32).min


def bias_where(hidden: Tensor) -> Tensor:
    """What is added to scores in float32: far below zero where a place is hidden, else zero."""
    return torch.zeros(hidden.shape).masked_fill_(hidden, _UNSEEN)


def softened(scores: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Weights of scores, in their type, and in their memory where they are not in float32.

    `bias` goes with `[..., heads, tokens, all tokens]`.
    """
    wide = scores.float().mul_(scale) if bias is None else torch.add(bias, scores, alpha=scale)
    torch.softmax(wide, dim=-1, out=wide)
    return wide if wide.dtype == scores.dtype else scores.copy_(wide)


def attended(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float
) -> Tensor:
    """What `queries`, `[rows, heads, tokens, width]`, take, without a graph; of their shape.

    `keys` and `values` are `[rows, groups, all tokens, width]`. Row by row, whose scores stay in
    the cache until they are used.
    """
    taken = torch.empty_like(queries, memory_format=torch.contiguous_format)
    for row, (asked, known, told) in enumerate(zip(queries, keys, values, strict=True)):
        groups, _, width = known.shape
        scores = torch.bmm(asked.reshape(groups, -1, width), known.transpose(1, 2))
        seen = None if bias is None else bias[row if len(bias) > 1 else 0]
        weights = softened(scores.view(*asked.shape[:2], -1), seen, scale)
        torch.bmm(weights.view(scores.shape), told, out=taken[row].view(groups, -1, width))
    return taken


def attention_gradients(
    gradient: Tensor, queries: Tensor, keys: Tensor, values: Tensor, weights: Tensor,
    scale: float, new: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of queries, and of the last `new` keys and values: those read ahead take none.

    `queries` and `gradient`, of what they took, are `[groups, asking, width]`, `keys` and
    `values` `[groups, all tokens, width]`, `weights` `[groups, asking, all tokens]`.
    """
    of_scores = torch.ops.aten._softmax_backward_data(  # noqa: SLF001 - that is its name
        torch.bmm(gradient, values.transpose(1, 2)), weights, -1, weights.dtype
    )
    of_queries = torch.bmm(of_scores, keys).mul_(scale)
    of_keys = torch.bmm(of_scores[:, :, -new:].transpose(1, 2), queries).mul_(scale)
    of_values = torch.bmm(weights[:, :, -new:].transpose(1, 2), gradient)
    return of_queries, of_keys, of_values
