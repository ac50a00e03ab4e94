"""Products of a frozen backbone in bfloat16 on a CPU, its weights laid out for the processor.

oneDNN, which makes torch's products there, lays a weight out anew in every product. A frozen
weight can stay laid out, for either direction in its own way, and is then no longer needed as it
was: its memory holds the second layout. Calling oneDNN so is a matter of torch's inductor, which
is why it is tried out before it is used.
"""

import math
from collections import Counter

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
    so is everything where this torch cannot do it. The layouts are no part of the model's state: a
    weight that has been laid out keeps its shape and type, and is no number wherever it is read.
    """
    if not processor_has_bf16():
        return 0
    packed = 0
    # One that an embedding holds too, or another layer, would be gone for that one.
    holders = Counter(id(each) for _, each in model.named_parameters(remove_duplicate=False))
    for layer in model.modules():
        weight, across = getattr(layer, "weight", None), _across(layer)
        if weight is None or across is None or holders[id(weight)] > 1:
            continue
        product = _packed(across, getattr(layer, "bias", None))
        if product is None:
            return packed
        layer.forward = product
        weight.data = weight.new_full((1, 1), math.nan).expand(weight.shape)
        packed += 1
    for part in model.modules():
        _fuse_feed_forward(part)
    return packed


@torch.no_grad()
def pack_if_it_answers_as_before(model: nn.Module, tokens: Tensor) -> int:
    """`pack_products` of a backbone; undone where it then answers `tokens` in another way.

    Which a family would that reads the weights of its layers by itself. `tokens` are
    `[rows, tokens, embedding]`.
    """
    if not processor_has_bf16() or all(_across(layer) is None for layer in model.modules()):
        return 0
    before = model(inputs_embeds=tokens).last_hidden_state
    packed = pack_products(model)
    try:
        agrees = _close(model(inputs_embeds=tokens).last_hidden_state, before)
    except Exception:  # noqa: BLE001 - whatever a family does with a weight
        agrees = False
    if agrees:
        return packed
    unpack_products(model)
    return 0


def unpack_products(model: nn.Module) -> None:
    """Have every layer compute by its own code again, with the very weights that it had."""
    for layer in model.modules():
        computed = layer.__dict__.get("forward")
        if isinstance(computed, _Product):
            across = computed.laid_out.to_dense()
            layer.weight.data = across if type(layer) is nn.Linear else across.t().contiguous()
        if isinstance(computed, _Product | _FeedForward):
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
    inputs, gradient = (_spread(width, weight.dtype) for width in reversed(weight.shape))
    try:
        product = _Product(weight, offset)
        agrees = _close(
            product.times(inputs), nn.functional.linear(inputs, weight, offset)
        ) and _close(product.transposed(gradient), torch.mm(gradient, weight))
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return None
    return product if agrees else None


def _spread(width: int, dtype: torch.dtype) -> Tensor:
    """Something to try a product with."""
    return torch.linspace(-1.0, 1.0, 3 * width).to(dtype).view(3, -1)


def _close(found: Tensor, exact: Tensor) -> bool:
    return bool((found - exact).abs().max() <= _ROUNDING * exact.abs().max())


class _Product:
    """`[..., inputs]` to `[..., outputs]`, with a gradient for the input alone."""

    def __init__(self, across: Tensor, bias: Tensor | None) -> None:
        self.bias = bias
        self.laid_out, self._laid_across = _laid_out(across), _laid_out(across.t())

    def __call__(self, x: Tensor) -> Tensor:
        flat = x.to(torch.bfloat16).reshape(-1, x.shape[-1])
        return multiplied(flat, self).view(*x.shape[:-1], -1)

    def activated(self, x: Tensor) -> Tensor:
        """GPT-2's activation of the product, as one kernel that no gradient goes through."""
        flat = x.to(torch.bfloat16).reshape(-1, x.shape[-1])
        return _made(flat, self.laid_out, self.bias, "gelu", "tanh").view(*x.shape[:-1], -1)

    def times(self, inputs: Tensor) -> Tensor:
        """`[rows, inputs]` to `[rows, outputs]`, without a graph."""
        return _made(inputs, self.laid_out, self.bias)

    def transposed(self, gradient: Tensor) -> Tensor:
        """`[rows, outputs]` to `[rows, inputs]`, without a graph."""
        return _made(gradient, self._laid_across)


def _laid_out(across: Tensor) -> Tensor:
    """A weight `[outputs, inputs]` as oneDNN wants it, in a tensor that only it can read."""
    with torch.inference_mode(mode=False), torch.no_grad():
        laid_out: Tensor = torch.ops.mkldnn._reorder_linear_weight(  # noqa: SLF001
            across.contiguous(), _ROWS
        )
    return laid_out


def _made(
    flat: Tensor, laid_out: Tensor, bias: Tensor | None = None, activation: str = "none",
    kind: str = "",
) -> Tensor:  # fmt: skip
    made: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
        flat, laid_out, bias, activation, [], kind
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
