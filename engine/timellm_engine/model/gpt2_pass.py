"""A frozen GPT-2 on a CPU, in little more operations than it has products.

A layer of `transformers` asks torch for some sixty operations, and autograd for as many again, one
by one from Python: while it asks, a processor with few cores has little to do. Here a layer is
some twenty, its backward pass is written out, and what was read ahead stays where it is needed.
The same function but for rounding.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from timellm_engine.model.activation import activated_with_slope
from timellm_engine.model.attention_weights import (
    attended,
    attention_gradients,
    bias_where,
)
from timellm_engine.model.gpt2_first_layer import settled_first_layer
from timellm_engine.model.gpt2_parts import Layer, Parts
from timellm_engine.model.precision import computing_as_held


class Memory(NamedTuple):
    """Keys and values of a layer, `[rows, heads, places, width of a head]`, some still empty."""

    keys: Tensor
    values: Tensor


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
    `keeps_words`: what the first layer makes of words is made once, where it may be.
    """

    def __init__(self, parts: Parts, *, recompute: bool = False, keeps_words: bool = True) -> None:
        self._parts, self._recompute = parts, recompute
        self._width = parts.last_norm.shape[0]
        self._last_keys_and_values = parts.layers[-1].asked.outputs_from(self._width)
        self._dtype = parts.positions.weight.dtype
        self._first = settled_first_layer(parts) if keeps_words else None

    def read(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        """What each layer has of `tokens`, `[rows, tokens]`, that follow known ones.

        With empty places behind them; `known` is of one row, or nothing. Without a graph.
        """
        with computing_as_held(tokens.device):
            return self._read(tokens, known, room)

    def _read(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        (rows, count), begun = tokens.shape, known[0].keys.shape[2] if known else 0
        end = begun + count
        places = torch.arange(begun, end)
        hidden = (self._parts.words(tokens) + self._parts.positions(places)).flatten(end_dim=1)
        bias = bias_where(torch.arange(end) > places.unsqueeze(1))[None, None]
        found = []
        for number, layer in enumerate(self._parts.layers):
            memory = self._empty(rows, end + room)
            if known:
                memory.keys[:, :, :begun] = known[number].keys
                memory.values[:, :, :begun] = known[number].values
            found.append(memory)
            if count == 0:  # a prompt that all windows have in common
                continue
            last = number + 1 == len(self._parts.layers)
            if number == 0 and self._first is not None:
                made = self._first.queries_keys_and_values(tokens, begun)
            else:
                times = self._last_keys_and_values if last else layer.asked.times
                made = times(layer.before_attention(hidden)[0])
            queries = self._remember(made, memory, begun, end)[0]
            if last:
                break
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
        hidden = patches.to(self._dtype) + self._parts.positions(positions)
        hidden, bias = hidden.flatten(end_dim=1), _bias_of_patches(unseen, patches.shape[1])
        with computing_as_held(patches.device):
            if torch.is_grad_enabled() and hidden.requires_grad:
                answer: Tensor = _Answer.apply(hidden, self, memory, bias)  # type: ignore[no-untyped-call]
            else:
                answer = self._parts.last_norm(self._to_the_end(hidden, memory, bias))[0]
        return answer.view(patches.shape)

    def _to_the_end(self, hidden: Tensor, memory: Sequence[Memory], bias: Tensor) -> Tensor:
        begun, end = bias.shape[-1] - bias.shape[-2], bias.shape[-1]
        for layer, of_layer in zip(self._parts.layers, memory, strict=True):
            normed = layer.before_attention(hidden)[0]
            queries = self._ask(layer, normed, of_layer, begun, end)
            hidden = self._on(layer, hidden, queries, of_layer, bias)
        return hidden

    def _empty(self, rows: int, places: int) -> Memory:
        shape = (rows, self._parts.heads, places, self._width // self._parts.heads)
        return Memory(torch.empty(shape, dtype=self._dtype), torch.empty(shape, dtype=self._dtype))

    def _ask(self, layer: Layer, normed: Tensor, memory: Memory, begun: int, end: int) -> Tensor:
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
        self, layer: Layer, hidden: Tensor, queries: Tensor, seen: Memory, bias: Tensor
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
        for layer, of_layer in zip(self._parts.layers, memory, strict=True):
            entered = hidden
            hidden, rest = self._forward(layer, entered, of_layer, bias)
            kept.append(_Kept(entered, None if self._recompute else rest))
        return hidden, kept

    def _forward(
        self, layer: Layer, hidden: Tensor, memory: Memory, bias: Tensor
    ) -> tuple[Tensor, _Rest]:
        tokens, end = bias.shape[-2:]
        normed, mean, raised = layer.before_attention(hidden)
        queries = self._ask(layer, normed, memory, end - tokens, end)
        weights = queries.new_empty(*queries.shape[:3], end)
        taken = attended(queries, *memory, bias, layer.scale, weights)
        between = layer.told.times_beside(taken.transpose(1, 2).reshape(hidden.shape), hidden)
        normed, mean_between, raised_between = layer.before_feeding(between)
        fed, slope = activated_with_slope(layer.inwards.times(normed))
        rest = _Rest(
            mean, raised, queries.flatten(end_dim=1), weights.flatten(end_dim=1), between,
            mean_between, raised_between, slope,
        )  # fmt: skip
        return layer.outwards.times_beside(fed, between), rest

    def backward(
        self, gradient: Tensor, kept: list[_Kept], memory: Sequence[Memory], bias: Tensor
    ) -> Tensor:
        """The gradient of what `forward` was given; `kept` is used up.

        Raises `RuntimeError` where it has been used up before.
        """
        if not kept:
            raise RuntimeError("a GPT-2 that is passed through goes backward once")
        for layer, of_layer in zip(reversed(self._parts.layers), reversed(memory), strict=True):
            hidden, rest = kept.pop()
            if rest is None:
                _, rest = self._forward(layer, hidden, of_layer, bias)
            gradient = self._backward(layer, gradient, hidden, rest, of_layer)
        return gradient

    def _backward(
        self, layer: Layer, gradient: Tensor, hidden: Tensor, rest: _Rest, memory: Memory
    ) -> Tensor:
        of_fed = layer.outwards.transposed(gradient).mul_(rest.slope)
        of_between = layer.before_feeding.back(
            layer.inwards.transposed(of_fed), rest.between, rest.mean_between, rest.raised_between
        ).add_(gradient)
        keys, values = (each.flatten(end_dim=1) for each in memory)
        heads, (tokens, width) = self._parts.heads, rest.queries.shape[1:]
        told = layer.told.transposed(of_between).view(-1, tokens, heads, width).transpose(1, 2)
        of_made = hidden.new_empty(len(hidden) // tokens, tokens, 3, heads, width)
        found = attention_gradients(
            told.reshape(rest.queries.shape), rest.queries, keys, values, rest.weights,
            layer.scale, tokens,
        )  # fmt: skip
        for place, each in zip(of_made.permute(2, 0, 3, 1, 4), found, strict=True):
            place.copy_(each.view(place.shape))
        of_normed = layer.asked.transposed(of_made.view(len(hidden), -1))
        return layer.before_attention.back(of_normed, hidden, rest.mean, rest.raised).add_(
            of_between
        )

    def last_norm(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The norm behind the last layer, and what its backward pass needs."""
        return self._parts.last_norm(hidden)

    def last_norm_back(self, gradient: Tensor, *of_norm: Tensor) -> Tensor:
        """The gradient of what it was given: `of_norm` is that, and what it gave beside."""
        return self._parts.last_norm.back(gradient.to(self._dtype).contiguous(), *of_norm)


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
        with computing_as_held(gradients[0].device):
            gradient = gpt2.last_norm_back(gradients[0], *last)
            of_hidden = gpt2.backward(gradient, context.kept, context.memory, context.bias)
        return of_hidden, None, None, None


def _bias_of_patches(unseen: Tensor, patches: int) -> Tensor:
    """What is added to the scores of patches behind what was read, `[rows, 1, patches, places]`."""
    own = torch.arange(patches)
    later = (own > own.unsqueeze(1)).expand(len(unseen), -1, -1)
    padding = unseen.unsqueeze(1).expand(-1, patches, -1)
    return bias_where(torch.cat([padding, later], dim=-1)).unsqueeze(1)
