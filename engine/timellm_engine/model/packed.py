"""Products of a frozen backbone on a CPU, its weights laid out for the processor.

oneDNN, which makes torch's products in bfloat16, lays a weight out anew in every product, and in
float32 torch may not ask it at all. A frozen weight can stay laid out, for either direction in its
own way, and is then no longer needed as it was: its memory holds the second layout.
"""

import math
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from timellm_engine.model import onednn
from timellm_engine.model.frozen_product import multiplied
from timellm_ops.contract.engine_memory import FEWEST_LAID_OUT, MOST_LAID_OUT


def pack_products(model: nn.Module, most_bytes: int = MOST_LAID_OUT) -> int:
    """Lay out the weights of every product of a frozen model; how many have been.

    Of weights whose type gains from it on this CPU; others are left as they are, and so is
    everything where this torch cannot do it, or where those in float32 are more than
    `most_bytes`. The layouts are no part of the model's state: a weight that has been laid out
    keeps its shape and type, and is no number wherever it is read.
    """
    if not _are_wanted(model, most_bytes):
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
    return packed


@torch.no_grad()
def pack_if_it_answers_as_before(model: nn.Module, tokens: Tensor) -> int:
    """`pack_products` of a backbone; undone where it then answers `tokens` in another way.

    Which a family would that reads the weights of its layers by itself. `tokens` are
    `[rows, tokens, embedding]`.
    """
    if not _are_wanted(model, MOST_LAID_OUT):
        return 0
    _let_go_of_the_file(model)
    before = model(inputs_embeds=tokens).last_hidden_state
    packed = pack_products(model)
    try:
        agrees = onednn.agrees(model(inputs_embeds=tokens).last_hidden_state, before)
    except Exception:  # noqa: BLE001 - whatever a family does with a weight
        agrees = False
    if agrees:
        return packed
    unpack_products(model)
    return 0


def _are_wanted(model: nn.Module, most_bytes: int) -> bool:
    """Whether there are products to lay out, those in float32 of no more than so many bytes."""
    found = [across for layer in model.modules() if (across := _across(layer)) is not None]
    wide_bytes = sum(each.nbytes for each in found if each.dtype == torch.float32)
    return bool(found) and wide_bytes <= most_bytes


def _let_go_of_the_file(model: nn.Module) -> None:
    """Copy weights in float32, which may have been read in place from a file of that type.

    As long as one of them is there, so is all of the file that was ever looked at.
    """
    for parameter in model.parameters():
        if parameter.dtype == torch.float32:
            parameter.data = parameter.data.clone()


def unpack_products(model: nn.Module) -> None:
    """Have every layer compute by its own code again, with the very weights that it had."""
    for layer in model.modules():
        computed = layer.__dict__.get("forward")
        if isinstance(computed, PackedProduct):
            across = computed.laid_out.to_dense()
            layer.weight.data = across if type(layer) is nn.Linear else across.t().contiguous()
            del layer.forward


def _across(layer: nn.Module) -> Tensor | None:
    """The weight of a layer that is a product, as `[outputs, inputs]`."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or weight.numel() < FEWEST_LAID_OUT:
        return None
    if weight.device.type != "cpu" or weight.requires_grad or not onednn.is_faster(weight.dtype):
        return None
    if type(layer) is nn.Linear:
        return weight
    return weight.t() if type(layer).__name__ == "Conv1D" else None


def _packed(across: Tensor, bias: Tensor | None) -> "PackedProduct | None":
    """The product, if it can be made and is the one that it should be."""
    weight, offset = across.detach(), None if bias is None else bias.detach()
    inputs, gradient = (onednn.to_try(width, weight.dtype) for width in reversed(weight.shape))
    try:
        product = PackedProduct(weight, offset)
        agrees = onednn.agrees(
            product.times(inputs), nn.functional.linear(inputs, weight, offset)
        ) and onednn.agrees(product.transposed(gradient), torch.mm(gradient, weight))
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return None
    return product if agrees else None


class PackedProduct:
    """`[..., inputs]` to `[..., outputs]`, with a gradient for the input alone."""

    def __init__(self, across: Tensor, bias: Tensor | None) -> None:
        self.bias, self._dtype = bias, across.dtype
        self.laid_out, self._laid_across = onednn.laid_out(across), onednn.laid_out(across.t())

    def __call__(self, x: Tensor) -> Tensor:
        """What a layer's `forward` gives, with a graph where one is wanted."""
        flat = x.to(self._dtype).reshape(-1, x.shape[-1])
        return multiplied(flat, self).view(*x.shape[:-1], -1)

    def in_float32(self, x: Tensor) -> Tensor:
        """The same product by torch's own code, its weight written out in float32 for it."""
        bias = None if self.bias is None else self.bias.float()
        return nn.functional.linear(x, self.laid_out.to_dense().float(), bias)

    def activated(self, inputs: Tensor) -> Tensor:
        """GPT-2's activation of `times`, as one kernel."""
        return onednn.product(inputs, self.laid_out, self.bias, gelu=True)

    def times(self, inputs: Tensor) -> Tensor:
        """`[rows, inputs]` to `[rows, outputs]`, without a graph."""
        return onednn.product(inputs, self.laid_out, self.bias)

    def times_beside(self, inputs: Tensor, shortcut: Tensor) -> Tensor:
        """`times`, with a shortcut `[rows, outputs]` added to it, as one kernel."""
        return onednn.product_beside(inputs, shortcut, self.laid_out, self.bias)

    def outputs_from(self, first: int) -> Callable[[Tensor], Tensor]:
        """`times` with the outputs from one on alone, laid out once more."""
        across = onednn.laid_out(self.laid_out.to_dense()[first:])
        bias = None if self.bias is None else self.bias[first:]
        return lambda inputs: onednn.product(inputs, across, bias)

    def transposed(self, gradient: Tensor) -> Tensor:
        """`[rows, outputs]` to `[rows, inputs]`, without a graph."""
        return onednn.product(gradient, self._laid_across)
