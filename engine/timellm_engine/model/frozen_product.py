"""Products with a frozen weight, however it is held: a gradient goes to the input alone."""

from typing import Any, Protocol

import torch
from torch import Tensor


class FrozenProduct(Protocol):
    """A weight that is multiplied with, and transposed for the backward pass."""

    def times(self, inputs: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`, without a graph."""

    def transposed(self, gradient: Tensor) -> Tensor:
        """`[..., outputs]` to `[..., inputs]`, without a graph."""


def multiplied(inputs: Tensor, weight: FrozenProduct) -> Tensor:
    """The product, with a graph where one is wanted; it keeps no tensor."""
    if not (inputs.requires_grad and torch.is_grad_enabled()):
        return weight.times(inputs)
    product: Tensor = _Product.apply(inputs, weight)  # type: ignore[no-untyped-call]
    return product


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, inputs: Tensor, weight: FrozenProduct) -> Tensor:
        context.weight = weight
        return weight.times(inputs)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.weight.transposed(gradients[0]), None
