"""GPT-2's base model (Radford et al. 2019), as much of it as the embedded backbone needs.

The same function as `transformers.GPT2Model`, bit for bit, under the same names of weights and
arguments. Importing that one takes longer than `import torch` does, since it brings torch's
compiler and its distributed tensors with it; the embedded backbone is there to begin at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class GPT2Config:
    """The shape of the model."""

    vocab_size: int
    max_position_embeddings: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int


class Answer(NamedTuple):
    """What the model says."""

    last_hidden_state: Tensor
    """`[rows, tokens, hidden]`, after the final norm."""


class LayerCache(NamedTuple):
    """What one layer has read, both `[rows, heads, tokens, width of a head]`."""

    keys: Tensor
    values: Tensor


class GPT2Cache:
    """Keys and values of every layer, for the tokens that have been read so far."""

    def __init__(self) -> None:
        self.layers: list[LayerCache] = []
        self.only_reads = False
        self._complete = False

    @property
    def length(self) -> int:
        """How many tokens have been read."""
        return self.layers[0].keys.shape[2] if self.layers else 0

    def update(self, keys: Tensor, values: Tensor, layer: int) -> LayerCache:
        """Take the keys and values of more tokens; all that the layer has now."""
        if layer < len(self.layers):
            read = self.layers[layer]
            keys = torch.cat([read.keys, keys], dim=2)
            values = torch.cat([read.values, values], dim=2)
        both = LayerCache(keys, values)
        if not self._complete:
            self.layers[layer : layer + 1] = [both]
        return both

    def complete(self) -> None:
        """From here on, what comes is handed back with what was read and not kept.

        Nothing is read after it, and a layer that is computed again finds what it found first.
        """
        self._complete = True

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, a pass over tokens ends where the last layer has keys and values for them.

        What the model would say is not computed, and what it gives is nothing to look at.
        """
        self.only_reads = True
        try:
            yield
        finally:
            self.only_reads = False


class GPT2(nn.Module):
    """The decoder without a language-model head; without dropout, and its weights unset."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.wte = nn.Embedding(config.vocab_size, width)
        self.wpe = nn.Embedding(config.max_position_embeddings, width)
        self.h = nn.ModuleList(
            Block(width, config.num_attention_heads, layer)
            for layer in range(config.num_hidden_layers)
        )
        self.ln_f = nn.LayerNorm(width)

    def get_input_embeddings(self) -> nn.Embedding:
        """The token embeddings, by the name that `transformers` has for asking."""
        return self.wte

    def forward(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: GPT2Cache | None = None,
        use_cache: bool | None = None,  # noqa: ARG002 - said by who gives a cache
    ) -> Answer:
        """The answer to embedded tokens `[rows, tokens, hidden]` that follow what `cache` has read.

        `attention_mask`, `[rows, all tokens]`, is zero for tokens that nobody is to see, those in
        the cache included. Positions go on from the cache unless `position_ids` says otherwise.
        """
        known, count = (cache.length if cache is not None else 0), inputs_embeds.shape[1]
        if position_ids is None:
            position_ids = torch.arange(known, known + count, device=inputs_embeds.device)[None]
        mask = _mask(known, count, attention_mask, inputs_embeds.device)
        hidden = inputs_embeds + self.wpe(position_ids)
        for block in self.h:
            assert isinstance(block, Block)  # noqa: S101 - for the type checker
            if cache is not None and cache.only_reads and block is self.h[-1]:
                block.read(hidden, cache)
                return Answer(hidden)
            hidden = block(hidden, mask, cache)
        return Answer(self.ln_f(hidden))


def _mask(
    known: int, count: int, attention_mask: Tensor | None, device: torch.device
) -> Tensor | None:
    """Which tokens each of `count` new ones sees, for broadcasting over rows and heads.

    `None` where that are all tokens before it, which the kernels know by themselves.
    """
    seen = None if attention_mask is None else attention_mask.to(device, torch.bool)
    if (known == 0 or count == 1) and (seen is None or bool(seen.all())):
        return None
    new = torch.arange(known, known + count, device=device)
    before = torch.arange(known + count, device=device)[None, :] <= new[:, None]
    return before[None, None] if seen is None else before & seen[:, None, None, :]


class Block(nn.Module):
    """One layer: attention and feed-forward, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, layer)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, hidden: Tensor, mask: Tensor | None, cache: GPT2Cache | None) -> Tensor:
        """The next hidden states."""
        hidden = self.attn(self.ln_1(hidden), mask, cache) + hidden
        fed: Tensor = self.mlp(self.ln_2(hidden))
        return hidden + fed

    def read(self, hidden: Tensor, cache: GPT2Cache) -> None:
        """Put keys and values into the cache, and compute no more than that."""
        self.attn.project(self.ln_1(hidden), cache)


class Attention(nn.Module):
    """Causal self-attention in several heads."""

    def __init__(self, width: int, heads: int, layer: int) -> None:
        super().__init__()
        self._heads, self._layer = heads, layer
        self.c_attn = Projection(width, 3 * width)
        self.c_proj = Projection(width, width)

    def project(self, hidden: Tensor, cache: GPT2Cache | None) -> tuple[Tensor, LayerCache]:
        """Queries of the tokens; keys and values of them and of all that were read before."""
        rows, count, width = hidden.shape
        shape = (rows, count, self._heads, width // self._heads)
        queries, keys, values = (
            part.view(shape).transpose(1, 2) for part in self.c_attn(hidden).split(width, dim=2)
        )
        if cache is None:
            return queries, LayerCache(keys, values)
        return queries, cache.update(keys, values, self._layer)

    def forward(self, hidden: Tensor, mask: Tensor | None, cache: GPT2Cache | None) -> Tensor:
        """What each token takes from those it sees."""
        queries, read = self.project(hidden, cache)
        attended = functional.scaled_dot_product_attention(
            queries, read.keys, read.values, attn_mask=mask,
            is_causal=mask is None and hidden.shape[1] > 1,
        )  # fmt: skip
        mixed: Tensor = self.c_proj(attended.transpose(1, 2).reshape(hidden.shape))
        return mixed


class FeedForward(nn.Module):
    """Each token by itself, four times as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = Projection(width, 4 * width)
        self.c_proj = Projection(4 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """GELU by its tanh approximation, which is the one of GPT-2."""
        fed: Tensor = self.c_proj(functional.gelu(self.c_fc(hidden), approximate="tanh"))
        return fed


class Projection(nn.Module):
    """A linear layer whose weight is `[inputs, outputs]`, as GPT-2 has always stored it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight)
        return flat.view(*x.shape[:-1], -1)
