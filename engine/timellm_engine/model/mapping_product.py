"""A mapping times the word embeddings, in memory that is kept from step to step.

The mapping has a number for every word and prototype. Rounded, and again as a gradient, it is
hundreds of MB, in pieces so large that the C library takes each from the system anew, page by page,
in every step: a tenth of a step in bfloat16. GPUs have an allocator that keeps such pieces.
"""

from typing import Any

import torch
from torch import Tensor


class MappingMemory:
    """What one mapping needs beside itself; taken with the first step."""

    def __init__(self) -> None:
        self._rounded: Tensor | None = None
        self._gradient: torch.UntypedStorage | None = None

    def rounded(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """A tensor like `weight` in another type, with whatever was in it last."""
        if self._rounded is None or self._rounded.dtype != dtype:
            with torch.inference_mode(mode=False):
                self._rounded = torch.empty_like(weight, dtype=dtype, requires_grad=False)
        return self._rounded

    def gradient(self, weight: Tensor) -> Tensor:
        """A tensor like `weight` for its gradient; a new one where it has a gradient already.

        Only the storage is kept: a tensor that somebody holds would be copied by autograd.
        """
        if weight.grad is not None:
            return torch.empty_like(weight)
        if self._gradient is None:
            self._gradient = torch.empty_like(weight).untyped_storage()
        empty = torch.empty(0, dtype=weight.dtype)
        return empty.set_(self._gradient, 0, weight.shape, weight.stride())


def mixed(weight: Tensor, words: Tensor, memory: MappingMemory) -> Tensor:
    """`[prototypes, vocabulary]` times `[vocabulary, embedding]`, made in the type of `words`.

    `words` are frozen. Kept memory is for CPUs, and not for what autocast would convert.
    """
    converted = torch.is_autocast_enabled("cpu") and (
        torch.get_autocast_dtype("cpu") != words.dtype
    )
    if words.device.type != "cpu" or converted:
        return weight.to(words.dtype) @ words
    product: Tensor = _Mixed.apply(weight, words, memory)  # type: ignore[no-untyped-call]
    return product


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, weight: Tensor, words: Tensor, memory: MappingMemory) -> Tensor:
        context.weight, context.words, context.memory = weight, words, memory
        if weight.dtype != words.dtype:
            weight = memory.rounded(weight, words.dtype).copy_(weight)
        return torch.mm(weight, words)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        weight, words, memory = context.weight, context.words, context.memory
        gradient = memory.gradient(weight)
        if weight.dtype == words.dtype:
            torch.mm(gradients[0], words.t(), out=gradient)
        else:
            # The rounded weight itself is not needed any more.
            rounded = memory.rounded(weight, words.dtype)
            gradient.copy_(torch.mm(gradients[0], words.t(), out=rounded))
        return gradient, None, None
