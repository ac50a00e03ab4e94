"""Scores of a frozen backbone's attention on a CPU, softened into weights; and their gradients.

Products are torch's own, of all heads at once; between them scores are in float32.
"""

import torch
from torch import Tensor

_UNSEEN = torch.finfo(torch.float32).min


def bias_where(hidden: Tensor) -> Tensor:
    """What is added to scores in float32: far below zero where a place is hidden, else zero."""
    return torch.zeros(hidden.shape).masked_fill_(hidden, _UNSEEN)


def attended(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    scale: float,
    weights: Tensor | None = None,
) -> Tensor:
    """What `queries`, `[rows, heads, tokens, width]`, take, without a graph; of their shape.

    `keys` and `values` are `[rows, groups, all tokens, width]`; `bias`, which is added to the
    scaled scores, goes with `[rows, heads, tokens, all tokens]`. Row by row, whose scores stay in
    the cache until they are used; the weights are left in `weights`, of that shape, where they
    are wanted.
    """
    (rows, heads, tokens, width), (groups, known) = queries.shape, keys.shape[1:3]
    taken = queries.new_empty(rows, groups, heads // groups * tokens, width)
    wide = torch.empty(heads, tokens, known)
    if weights is None:
        weights = (wide if queries.dtype == wide.dtype else queries.new_empty(wide.shape)).expand(
            rows, -1, -1, -1
        )
    bias = torch.zeros(1, 1, 1, 1) if bias is None else bias
    for asked, across, told, scores, grouped, added, found in zip(
        queries.reshape(taken.shape),
        keys.transpose(2, 3),
        values,
        weights,
        weights.view(rows, groups, -1, known),
        bias.expand(rows, -1, -1, -1),
        taken,
        strict=True,
    ):
        torch.bmm(asked, across, out=grouped)
        _soften(scores, added, scale, wide)
        torch.bmm(grouped, told, out=found)
    return taken.view(queries.shape)


def _soften(scores: Tensor, bias: Tensor, scale: float, wide: Tensor) -> None:
    """Make weights of scores, in their place; `wide` is room for them in float32."""
    if scores.dtype == wide.dtype:
        wide = scores
    torch.add(bias, scores, alpha=scale, out=wide)
    torch.softmax(wide, dim=-1, out=wide)
    if wide is not scores:
        scores.copy_(wide)


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
