"""What the first layer of a frozen GPT-2 makes of the words of prompts, made once for each.

Before a layer has looked around, a word at its place is the same in every prompt: its query, key
and value are products with nothing else in them. Prompts that say numbers are made of some hundred
such words, again and again.
"""

import torch
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.gpt2_parts import Parts
from timellm_engine.model.precision import computing_as_held
from timellm_ops.contract.engine_memory import FIRST_LAYER_BYTES

_BLOCK = 16
"""Rows of a product. Always as many, so that a word has the same bits whatever came before it:
then a run that is resumed, and has made none of them yet, goes on with the same ones."""
_TRIED = 2 * _BLOCK + 1
"""Words whose bits are looked at: backwards, each has another place in its block."""


def settled_first_layer(parts: Parts) -> "FirstLayer | None":
    """One whose words have the same bits in any company; nothing where they have not."""
    found = FirstLayer(parts)
    return found if found.is_settled() else None


class FirstLayer:
    """Queries, keys and values of words at places; as many are kept as `most_bytes` hold."""

    def __init__(self, parts: Parts, most_bytes: int = FIRST_LAYER_BYTES) -> None:
        self._parts = parts
        self._vocabulary, width = parts.words.weight.shape
        self._made = parts.words.weight.new_empty(0, 3 * width)
        self._most = most_bytes // (3 * width * self._made.element_size())
        self._rows: dict[int, int] = {}
        """Of what has been made, by word and place."""

    @torch.no_grad()
    def asked(self, tokens: Tensor, begun: int) -> Tensor:
        """`[rows × tokens, 3 × width]` of `[rows, tokens]` from place `begun` on."""
        places = torch.arange(begun, begun + tokens.shape[1])
        wanted: list[int] = (tokens + self._vocabulary * places).flatten().tolist()
        missing = list(dict.fromkeys(each for each in wanted if each not in self._rows))
        if len(self._rows) + len(missing) > self._most:
            return self._without_keeping(wanted, missing)
        if missing:
            self._keep(missing)
        return self._made.index_select(0, torch.tensor([self._rows[each] for each in wanted]))

    def is_settled(self) -> bool:
        """Whether words have the same bits in any company, which a library need not give."""
        places = min(_TRIED, len(self._parts.positions.weight), self._vocabulary)
        wanted = [self._vocabulary * place + place for place in range(places)]
        found = self._make(wanted)
        backwards = self._make(wanted[::-1]).flip(0)
        alone = torch.cat([self._make([each]) for each in wanted])
        return torch.equal(found, backwards) and torch.equal(found, alone)

    def _keep(self, missing: list[int]) -> None:
        held = len(self._rows)
        if held + len(missing) > len(self._made):
            room = min(self._most, 2 * (held + len(missing)))
            larger = self._made.new_empty(room, self._made.shape[1])
            larger[:held] = self._made[:held]
            self._made = larger
        self._made[held : held + len(missing)] = self._make(missing)
        self._rows.update(zip(missing, range(held, held + len(missing)), strict=True))

    def _without_keeping(self, wanted: list[int], missing: list[int]) -> Tensor:
        new = {each: row for row, each in enumerate(missing)}
        made = self._make(missing)
        rows = [self._made[self._rows[e]] if e in self._rows else made[new[e]] for e in wanted]
        return torch.stack(rows)

    def _make(self, wanted: list[int]) -> Tensor:
        asked = torch.tensor(wanted)
        hidden = self._parts.words(asked % self._vocabulary)
        hidden = hidden + self._parts.positions(asked // self._vocabulary)
        layer = self._parts.layers[0]
        normed = layer.before_attention(hidden)[0]
        whole = functional.pad(normed, (0, 0, 0, -len(wanted) % _BLOCK))
        blocks = torch.split(whole, _BLOCK)
        with computing_as_held(normed.device):
            return torch.cat([layer.asked.times(block) for block in blocks])[: len(wanted)]
