"""The parts of a frozen GPT-2 of `transformers` whose products are all laid out."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from timellm_engine.model.activation import TanhGELU
from timellm_engine.model.packed import PackedProduct


class Norm(NamedTuple):
    """A layer norm over the last dimension, without a graph."""

    shape: list[int]
    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The normalised rows; their means, and what they were multiplied with."""
        return torch.native_layer_norm(hidden, self.shape, self.weight, self.bias, self.epsilon)

    def back(self, gradient: Tensor, hidden: Tensor, mean: Tensor, raised: Tensor) -> Tensor:
        """The gradient of `hidden`."""
        found: Tensor = torch.ops.aten.native_layer_norm_backward(
            gradient, hidden, self.shape, mean, raised, self.weight, self.bias,
            [True, False, False],
        )[0]  # fmt: skip
        return found


class Layer(NamedTuple):
    """Attention and feed-forward part, each behind a norm and beside a shortcut."""

    before_attention: Norm
    asked: PackedProduct
    """Queries, keys and values."""
    told: PackedProduct
    scale: float
    """Of scores."""
    before_feeding: Norm
    inwards: PackedProduct
    outwards: PackedProduct


class Parts(NamedTuple):
    """All that prompts and patches meet on their way."""

    heads: int
    words: nn.Embedding
    positions: nn.Embedding
    layers: tuple[Layer, ...]
    last_norm: Norm


def parts_of(model: nn.Module) -> Parts | None:
    """The parts of such a model; nothing of any other, or of one that is built otherwise."""
    if type(model).__name__ != "GPT2Model":
        return None
    try:
        return _parts(model)
    except (AttributeError, TypeError):  # what another version of `transformers` has elsewhere
        return None


def _parts(model: Any) -> Parts | None:
    layers = [_layer(block) for block in model.h]
    found = tuple(layer for layer in layers if layer is not None)
    if not found or len(found) < len(layers):
        return None
    heads = int(model.config.num_attention_heads)
    return Parts(heads, model.wte, model.wpe, found, _norm(model.ln_f))


def _layer(block: Any) -> Layer | None:
    parts = (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
    asked, told, inwards, outwards = (vars(part).get("forward") for part in parts)
    if not isinstance(block.mlp.act, TanhGELU) or hasattr(block, "crossattention"):
        return None
    for product in (asked, told, inwards, outwards):
        if not isinstance(product, PackedProduct):
            return None
    return Layer(
        _norm(block.ln_1), asked, told, float(block.attn.scaling), _norm(block.ln_2), inwards,
        outwards,
    )  # fmt: skip


def _norm(norm: Any) -> Norm:
    return Norm(list(norm.normalized_shape), norm.weight, norm.bias, float(norm.eps))
