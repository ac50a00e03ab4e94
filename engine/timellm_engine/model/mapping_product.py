"""A mapping times the word embeddings, and its gradient, in memory that is kept between steps.

The mapping has a number for every word and prototype. Rounded, and again as a gradient, it is
hundreds of MB, in pieces so large that the C library takes each from the system anew, page by page,
in every step: a tenth of a step in bfloat16. GPUs have an allocator that keeps such pieces.
Words are frozen, so in bfloat16 they stay laid out for the product, beside themselves.
"""

from typing import Any

import torch
from torch import Tensor

from timellm_engine.model import onednn
from timellm_ops.contract.engine_memory import WORDS_AT_ONCE


class MappingMemory:
    """What one mapping needs beside itself; taken with the first step."""

    def __init__(self) -> None:
        self._rounded: Tensor | None = None
        self._gradient: torch.UntypedStorage | None = None
        self._in_pieces: bool | None = None
        self._words: Tensor | None = None
        self._laid_out: Tensor | None = None

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

    def laid_out(self, words: Tensor) -> Tensor | None:
        """The words for oneDNN, `[embedding, vocabulary]`, if they are in bfloat16 and it pays."""
        if self._words is not words:
            self._words, self._laid_out = words, _laid_out(words)
        return self._laid_out

    def takes_pieces(self, words: Tensor) -> bool:
        """Whether a gradient is made piece by piece by oneDNN, which is tried once.

        In float32, where oneDNN is faster than the library that torch asks.
        """
        if self._in_pieces is None:
            large = words.dtype == torch.float32 and len(words) > WORDS_AT_ONCE
            wanted = large and onednn.is_faster(words.dtype)
            self._in_pieces = wanted and _agree(words[:WORDS_AT_ONCE])
        return self._in_pieces


@torch.no_grad()
def _laid_out(words: Tensor) -> Tensor | None:
    large = words.dtype == torch.bfloat16 and len(words) > WORDS_AT_ONCE
    if not large or not onednn.is_faster(words.dtype):
        return None
    tried = onednn.to_try(len(words), words.dtype)
    try:
        found = onednn.laid_out(words.t())
        agrees = onednn.agrees(onednn.product(tried, found), tried @ words)
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return None
    return found if agrees else None


def _agree(words: Tensor) -> bool:
    """Whether oneDNN's product is torch's, but for rounding."""
    tried = onednn.to_try(words.shape[1], words.dtype)
    try:
        found = onednn.product(tried, words)
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return False
    return onednn.agrees(found, torch.mm(tried, words.t()))


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
        across = memory.laid_out(words)
        return torch.mm(weight, words) if across is None else onednn.product(weight, across)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        weight, words, memory = context.weight, context.words, context.memory
        gradient = memory.gradient(weight)
        if weight.dtype != words.dtype:
            # The rounded weight itself is not needed any more.
            rounded = memory.rounded(weight, words.dtype)
            gradient.copy_(torch.mm(gradients[0], words.t(), out=rounded))
        elif memory.takes_pieces(words):
            places = gradient.split(WORDS_AT_ONCE, dim=1)
            for place, some in zip(places, words.split(WORDS_AT_ONCE), strict=True):
                place.copy_(onednn.product(gradients[0], some))
        else:
            torch.mm(gradients[0], words.t(), out=gradient)
        return gradient, None, None
