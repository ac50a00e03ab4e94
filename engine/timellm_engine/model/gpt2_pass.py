"""A frozen GPT-2 on a CPU, in little more operations than it has products.

A layer of `transformers` asks torch for some sixty operations, and autograd for as many again, one
by one from Python: while it asks, a processor with few cores has little to do. Here a layer is
some twenty, its backward pass is written out, and what was read ahead stays where it is needed.
The same function but for rounding; the products are those that `packed` has laid out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from timellm_engine.model.activation import TanhGELU, activated_with_slope
from timellm_engine.model.backbone_attention import attended, softened
from timellm_engine.model.packed import PackedProduct
from timellm_engine.model.precision import computing_as_held


class Memory(NamedTuple):
    """Keys and values of a layer, `[rows, heads, places, width of a head]`, some still empty."""

    keys: Tensor
    values: Tensor


class _Norm(NamedTuple):
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


class _Layer(NamedTuple):
    before_attention: _Norm
    asked: PackedProduct
    """Queries, keys and values."""
    told: PackedProduct
    scale: float
    before_feeding: _Norm
    inwards: PackedProduct
    outwards: PackedProduct


class _Kept(NamedTuple):
    """What a layer's backward pass needs; of one that is computed again, what went in."""

    hidden: Tensor
    rest: "_Rest | None"


class _Rest(NamedTuple):
    mean: Tensor
    raised: Tensor
    queries: Tensor
    weights: Tensor
    between: Tensor
    """What the feed-forward part was given, before its norm."""
    mean_between: Tensor
    raised_between: Tensor
    slope: Tensor


class GPT2Pass:
    """Prompts and patches on their way through the layers.

    `recompute`: of each layer only what went into it is kept for the backward pass.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[_Layer], heads: int, *, recompute: bool
    ) -> None:
        self._layers, self._heads, self._recompute = layers, heads, recompute
        self._positions: nn.Embedding = model.wpe  # type: ignore[assignment]
        self._last_norm = _norm(model.ln_f)
        self._last_keys_and_values = layers[-1].asked.outputs_from(self._last_norm.shape[0])
        self.dtype = self._positions.weight.dtype

    def read(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        """What each layer has of embedded tokens `[rows, tokens, width]` that follow known ones.

        With empty places behind them; `known` is of one row, or nothing. Without a graph.
        """
        with computing_as_held(tokens.device):
            return self._read(tokens, known, room)

    def _read(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        (rows, count, width), begun = tokens.shape, known[0].keys.shape[2] if known else 0
        end = begun + count
        places = torch.arange(begun, end)
        hidden = (tokens + self._positions(places)).view(rows * count, width)
        bias = _hidden_from(places.unsqueeze(1), torch.arange(end))[None, None]
        found = []
        for number, layer in enumerate(self._layers):
            memory = self._empty(rows, end + room)
            if known:
                memory.keys[:, :, :begun] = known[number].keys
                memory.values[:, :, :begun] = known[number].values
            found.append(memory)
            if count == 0:  # a prompt that all windows have in common
                continue
            normed = layer.before_attention(hidden)[0]
            if number + 1 == len(self._layers):
                self._remember(self._last_keys_and_values(normed), memory, begun, end)
                break
            queries = self._ask(layer, normed, memory, begun, end)
            seen = Memory(memory.keys[:, :, :end], memory.values[:, :, :end])
            hidden = self._on(layer, hidden, queries, seen, bias)
        return found

    def answer(
        self, patches: Tensor, positions: Tensor, memory: Sequence[Memory], unseen: Tensor
    ) -> Tensor:
        """The last hidden states at patches `[rows, patches, width]`, of their shape.

        `memory` has its last places empty, for the patches, and is for one answer; `unseen`,
        `[rows, places before those]`, says which of the others are padding.
        """
        hidden = (patches.to(self.dtype) + self._positions(positions)).flatten(end_dim=1)
        bias = _bias_of_patches(unseen, patches.shape[1])
        with computing_as_held(patches.device):
            if torch.is_grad_enabled() and hidden.requires_grad:
                answer: Tensor = _Answer.apply(hidden, self, memory, bias)  # type: ignore[no-untyped-call]
            else:
                answer = self._last_norm(self._to_the_end(hidden, memory, bias))[0]
        return answer.view(patches.shape)

    def _to_the_end(self, hidden: Tensor, memory: Sequence[Memory], bias: Tensor) -> Tensor:
        begun, end = bias.shape[-1] - bias.shape[-2], bias.shape[-1]
        for layer, of_layer in zip(self._layers, memory, strict=True):
            normed = layer.before_attention(hidden)[0]
            queries = self._ask(layer, normed, of_layer, begun, end)
            hidden = self._on(layer, hidden, queries, of_layer, bias)
        return hidden

    def _empty(self, rows: int, places: int) -> Memory:
        width = self._last_norm.shape[0] // self._heads
        shape = (rows, self._heads, places, width)
        return Memory(torch.empty(shape, dtype=self.dtype), torch.empty(shape, dtype=self.dtype))

    def _ask(self, layer: _Layer, normed: Tensor, memory: Memory, begun: int, end: int) -> Tensor:
        """The queries, `[rows, heads, tokens, width of a head]`; keys and values into `memory`."""
        return self._remember(layer.asked.times(normed), memory, begun, end)[0]

    def _remember(self, made: Tensor, memory: Memory, begun: int, end: int) -> Tensor:
        """Put the last two thirds, or halves, of what was made into `memory`.

        Each of them of shape `[rows, heads, tokens, width of a head]`, in one tensor.
        """
        rows, heads, _, width = memory.keys.shape
        parts = made.view(rows, end - begun, -1, heads, width).permute(2, 0, 3, 1, 4)
        memory.keys[:, :, begun:end] = parts[-2]
        memory.values[:, :, begun:end] = parts[-1]
        return parts

    def _on(
        self, layer: _Layer, hidden: Tensor, queries: Tensor, seen: Memory, bias: Tensor
    ) -> Tensor:
        """What the layer makes of `hidden`, without a graph."""
        taken = attended(queries, seen.keys, seen.values, bias, layer.scale)
        between = layer.told.times_beside(taken.transpose(1, 2).reshape(hidden.shape), hidden)
        fed = layer.inwards.activated(layer.before_feeding(between)[0])
        return layer.outwards.times_beside(fed, between)

    def forward(
        self, hidden: Tensor, memory: Sequence[Memory], bias: Tensor
    ) -> tuple[Tensor, list[_Kept]]:
        """`[rows × patches, width]` behind the last layer, and what `backward` needs of each."""
        kept = []
        for layer, of_layer in zip(self._layers, memory, strict=True):
            entered = hidden
            hidden, rest = self._forward(layer, entered, of_layer, bias)
            kept.append(_Kept(entered, None if self._recompute else rest))
        return hidden, kept

    def _forward(
        self, layer: _Layer, hidden: Tensor, memory: Memory, bias: Tensor
    ) -> tuple[Tensor, _Rest]:
        tokens, end = bias.shape[-2:]
        normed, mean, raised = layer.before_attention(hidden)
        queries = self._ask(layer, normed, memory, end - tokens, end)
        keys, values = (each.flatten(end_dim=1) for each in memory)
        queries = queries.reshape(len(keys), tokens, -1)
        scores = torch.bmm(queries, keys.transpose(1, 2)).view(-1, self._heads, tokens, end)
        weights = softened(scores, bias, layer.scale).view(len(keys), tokens, end)
        taken = torch.bmm(weights, values).view(-1, self._heads, tokens, values.shape[-1])
        between = layer.told.times_beside(taken.transpose(1, 2).reshape(hidden.shape), hidden)
        normed, mean_between, raised_between = layer.before_feeding(between)
        fed, slope = activated_with_slope(layer.inwards.times(normed))
        rest = _Rest(mean, raised, queries, weights, between, mean_between, raised_between, slope)
        return layer.outwards.times_beside(fed, between), rest

    def backward(
        self, gradient: Tensor, kept: list[_Kept], memory: Sequence[Memory], bias: Tensor
    ) -> Tensor:
        """The gradient of what `forward` was given; `kept` is used up."""
        for layer, of_layer in zip(reversed(self._layers), reversed(memory), strict=True):
            hidden, rest = kept.pop()
            if rest is None:
                _, rest = self._forward(layer, hidden, of_layer, bias)
            gradient = self._backward(layer, gradient, hidden, rest, of_layer)
        return gradient

    def _backward(
        self, layer: _Layer, gradient: Tensor, hidden: Tensor, rest: _Rest, memory: Memory
    ) -> Tensor:
        of_fed = layer.outwards.transposed(gradient).mul_(rest.slope)
        of_between = layer.before_feeding.back(
            layer.inwards.transposed(of_fed), rest.between, rest.mean_between, rest.raised_between
        ).add_(gradient)
        keys, values = (each.flatten(end_dim=1) for each in memory)
        queries, weights = rest.queries, rest.weights
        heads, (tokens, width) = self._heads, queries.shape[1:]
        told = layer.told.transposed(of_between).view(-1, tokens, heads, width).transpose(1, 2)
        of_taken = told.reshape(queries.shape)
        of_scores = torch.ops.aten._softmax_backward_data(  # noqa: SLF001 - that is its name
            torch.bmm(of_taken, values.transpose(1, 2)), weights, -1, weights.dtype
        )
        # Keys and values that were read ahead take no gradient: the last ones are the patches'.
        of_new, new = of_scores[:, :, -tokens:], weights[:, :, -tokens:]
        made = hidden.new_empty(len(hidden) // tokens, tokens, 3, heads, width)
        for place, found in zip(
            made.permute(2, 0, 3, 1, 4),
            (
                torch.bmm(of_scores, keys).mul_(layer.scale),
                torch.bmm(of_new.transpose(1, 2), queries).mul_(layer.scale),
                torch.bmm(new.transpose(1, 2), of_taken),
            ),
            strict=True,
        ):
            place.copy_(found.view(place.shape))
        of_normed = layer.asked.transposed(made.view(len(hidden), -1))
        return layer.before_attention.back(of_normed, hidden, rest.mean, rest.raised).add_(
            of_between
        )

    def last_norm(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The norm behind the last layer."""
        return self._last_norm(hidden)

    def last_norm_back(
        self, gradient: Tensor, hidden: Tensor, mean: Tensor, raised: Tensor
    ) -> Tensor:
        """The gradient of what it was given."""
        return self._last_norm.back(gradient, hidden, mean, raised)


class _Answer(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, hidden: Tensor, gpt2: GPT2Pass, memory: Sequence[Memory], bias: Tensor
    ) -> Tensor:
        last, kept = gpt2.forward(hidden, memory, bias)
        answer, mean, raised = gpt2.last_norm(last)
        context.gpt2, context.memory, context.bias, context.kept = gpt2, memory, bias, kept
        context.save_for_backward(last, mean, raised)
        return answer

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        gpt2, last = context.gpt2, context.saved_tensors
        gradient = gpt2.last_norm_back(gradients[0].to(gpt2.dtype), *last)
        of_hidden = gpt2.backward(gradient, context.kept, context.memory, context.bias)
        return of_hidden, None, None, None


def gpt2_pass(model: nn.Module, *, recompute: bool = False) -> GPT2Pass | None:
    """A pass through a GPT-2 of `transformers` whose products are all laid out; else nothing."""
    if type(model).__name__ != "GPT2Model":
        return None
    layers = [_layer(block) for block in model.h]  # type: ignore[union-attr]
    found = [layer for layer in layers if layer is not None]
    if len(found) < len(layers):
        return None
    heads = int(model.config.num_attention_heads)  # type: ignore[union-attr, arg-type]
    return GPT2Pass(model, found, heads, recompute=recompute)


def _layer(block: Any) -> _Layer | None:
    parts = (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
    asked, told, inwards, outwards = (vars(part).get("forward") for part in parts)
    if not isinstance(block.mlp.act, TanhGELU) or hasattr(block, "crossattention"):
        return None
    for product in (asked, told, inwards, outwards):
        if not isinstance(product, PackedProduct):
            return None
    return _Layer(
        _norm(block.ln_1), asked, told, float(block.attn.scaling), _norm(block.ln_2), inwards,
        outwards,
    )  # fmt: skip


def _norm(norm: Any) -> _Norm:
    return _Norm(list(norm.normalized_shape), norm.weight, norm.bias, norm.eps)


def _hidden_from(asking: Tensor, places: Tensor) -> Tensor:
    """What is added to scores: far below zero for places behind the one that asks."""
    return torch.zeros(len(asking), len(places)).masked_fill_(places > asking, _UNSEEN)


def _bias_of_patches(unseen: Tensor, patches: int) -> Tensor:
    """The same of patches behind what was read, `[rows, 1, patches, places]`."""
    rows, known = unseen.shape
    bias = torch.zeros(rows, 1, patches, known + patches)
    bias[..., :known].masked_fill_(unseen[:, None, None, :], _UNSEEN)
    own = torch.arange(patches)
    bias[..., known:] = _hidden_from(own.unsqueeze(1), own)
    return bias


_UNSEEN = torch.finfo(torch.float32).min
