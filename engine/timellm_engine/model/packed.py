"""Products of a frozen backbone in bfloat16 on a CPU, its weights laid out for the processor.

oneDNN, which makes torch's products there, lays a weight out anew in every product. A frozen
weight can stay laid out, beside itself: its own layout is the one for the backward pass. That
layout is torch's inductor's way of calling oneDNN, which is why it is tried out before it is used.
"""

import torch
from torch import Tensor, nn

from timellm_engine.model.activation import TanhGELU
from timellm_engine.model.frozen_product import multiplied
from timellm_engine.model.precision import processor_has_bf16
from timellm_ops.contract.engine_memory import FEWEST_LAID_OUT

_ROWS = 256
"""Rows that the layout is chosen for; it serves any number of them."""
_ROUNDING = 2e-2


def pack_products(model: nn.Module) -> int:
    """Lay out the weights of every product of a frozen model; how many have been.

    Of weights in bfloat16 on a CPU that has instructions for it; others are left as they are, and
    so is everything where this torch cannot do it. The layouts are no part of the model's state.
    """
    if not processor_has_bf16():
        return 0
    packed = 0
    for layer in model.modules():
        across = _across(layer)
        if across is None:
            continue
        product = _packed(across, getattr(layer, "bias", None))
        if product is None:
            return packed
        layer.forward = product
        packed += 1
    for part in model.modules():
        _fuse_feed_forward(part)
    return packed


def unpack_products(model: nn.Module) -> None:
    """Have every layer compute by its own code again, as torch's compiler wants it."""
    for layer in model.modules():
        if isinstance(layer.__dict__.get("forward"), _Product | _FeedForward):
            del layer.forward


def _across(layer: nn.Module) -> Tensor | None:
    """The weight of a layer that is a product, as `[outputs, inputs]`."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or weight.numel() < FEWEST_LAID_OUT:
        return None
    if weight.dtype != torch.bfloat16 or weight.device.type != "cpu" or weight.requires_grad:
        return None
    if type(layer) is nn.Linear:
        return weight
    return weight.t() if type(layer).__name__ == "Conv1D" else None


def _packed(across: Tensor, bias: Tensor | None) -> "_Product | None":
    """The product, if it can be made and is the one that it should be."""
    weight, offset = across.detach(), None if bias is None else bias.detach()
    trial = torch.linspace(-1.0, 1.0, 3 * weight.shape[1]).to(weight.dtype).view(3, -1)
    exact = nn.functional.linear(trial, weight, offset)
    try:
        product = _Product(weight, offset)
        found = product(trial)
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return None
    agrees = bool((found - exact).abs().max() <= _ROUNDING * exact.abs().max())
    return product if agrees else None


class _Product:
    """`[..., inputs]` to `[..., outputs]`, with a gradient for the input alone."""

    def __init__(self, across: Tensor, bias: Tensor | None) -> None:
        self.across, self.bias = across, bias
        with torch.inference_mode(mode=False), torch.no_grad():
            self.laid_out = torch.ops.mkldnn._reorder_linear_weight(  # noqa: SLF001
                across.contiguous(), _ROWS
            )

    def __call__(self, x: Tensor) -> Tensor:
        flat = x.to(self.across.dtype).reshape(-1, x.shape[-1])
        return multiplied(flat, self).view(*x.shape[:-1], -1)

    def activated(self, x: Tensor) -> Tensor:
        """GPT-2's activation of the product, as one kernel that no gradient goes through."""
        flat = x.to(self.across.dtype).reshape(-1, x.shape[-1])
        return self._made(flat, "gelu", "tanh").view(*x.shape[:-1], -1)

    def times(self, inputs: Tensor) -> Tensor:
        """`[rows, inputs]` to `[rows, outputs]`, without a graph."""
        return self._made(inputs, "none", "")

    def transposed(self, gradient: Tensor) -> Tensor:
        """`[rows, outputs]` to `[rows, inputs]`, by the weight in its own layout."""
        return torch.mm(gradient, self.across)

    def _made(self, flat: Tensor, activation: str, kind: str) -> Tensor:
        made: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            flat, self.laid_out, self.bias, activation, [], kind
        )
        return made


class _FeedForward:
    """GPT-2's feed-forward part: of prompts, and in an evaluation, with one kernel less."""

    def __init__(self, part: nn.Module, inwards: _Product, outwards: _Product) -> None:
        self._part, self._inwards, self._outwards = part, inwards, outwards

    def __call__(self, hidden: Tensor) -> Tensor:
        if torch.is_grad_enabled() and hidden.requires_grad:
            fed: Tensor = type(self._part).forward(self._part, hidden)
            return fed
        return self._outwards(self._inwards.activated(hidden))


def _fuse_feed_forward(part: nn.Module) -> None:
    """Put that into a part of `transformers`' GPT-2 whose products have been laid out."""
    if type(part).__name__ != "GPT2MLP" or not isinstance(part.act, TanhGELU):
        return
    products = [part.c_fc.__dict__.get("forward"), part.c_proj.__dict__.get("forward")]
    if all(isinstance(each, _Product) for each in products):
        part.forward = _FeedForward(part, *products)  # type: ignore[arg-type]
