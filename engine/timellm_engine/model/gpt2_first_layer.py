"""What the first layer of a frozen GPT-2 makes of the words of prompts, made once for each.

Before a layer has looked around, a word at its place is the same in every prompt: its query, key
and value are products with nothing else in them. Prompts that say numbers are made of some hundred
such words, again and again.
"""

import torch
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.gpt2_parts import Parts
from timellm_ops.contract.engine_memory import KEPT_WORDS_BYTES

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

    def __init__(self, parts: Parts, most_bytes: int = KEPT_WORDS_BYTES) -> None:
        self._parts = parts
        self._vocabulary, width = parts.words.weight.shape
        self._kept = parts.words.weight.new_empty(0, 3 * width)
        self._most = most_bytes // (3 * width * self._kept.element_size())
        self._rows: dict[int, int] = {}
        """Of what is kept, by word and place."""

    @torch.no_grad()
    def queries_keys_and_values(self, tokens: Tensor, begun: int) -> Tensor:
        """`[rows × tokens, 3 × width]` of `[rows, tokens]` from place `begun` on."""
        places = torch.arange(begun, begun + tokens.shape[1])
        wanted: list[int] = (tokens + self._vocabulary * places).flatten().tolist()
        missing = list(dict.fromkeys(each for each in wanted if each not in self._rows))
        if not missing:
            return self._kept[[self._rows[each] for each in wanted]]
        made = self._make(missing)
        self._keep(missing, made)
        new = {each: row for row, each in enumerate(missing)}
        of_made = [at for at, each in enumerate(wanted) if each in new]
        of_kept = [at for at, each in enumerate(wanted) if each not in new]
        found = made.new_empty(len(wanted), made.shape[1])
        found[of_made] = made[[new[wanted[at]] for at in of_made]]
        found[of_kept] = self._kept[[self._rows[wanted[at]] for at in of_kept]]
        return found

    def is_settled(self) -> bool:
        """Whether words have the same bits in any company, which a library need not give."""
        places = min(_TRIED, len(self._parts.positions.weight), self._vocabulary)
        wanted = [self._vocabulary * place + place for place in range(places)]
        found = self._make(wanted)
        backwards = self._make(wanted[::-1]).flip(0)
        alone = torch.cat([self._make([each]) for each in wanted])
        return torch.equal(found, backwards) and torch.equal(found, alone)

    def _keep(self, missing: list[int], made: Tensor) -> None:
        """As many of what was made as there is still room for."""
        held = len(self._rows)
        count = min(len(missing), self._most - held)
        if held + count > len(self._kept):
            larger = self._kept.new_empty(min(self._most, 2 * (held + count)), made.shape[1])
            larger[:held] = self._kept[:held]
            self._kept = larger
        self._kept[held : held + count] = made[:count]
        self._rows.update(zip(missing[:count], range(held, held + count), strict=True))

    def _make(self, wanted: list[int]) -> Tensor:
        asked, layer = torch.tensor(wanted), self._parts.layers[0]
        hidden = self._parts.words(asked % self._vocabulary)
        hidden = hidden + self._parts.positions(asked // self._vocabulary)
        normed = layer.before_attention(hidden)[0]
        whole = functional.pad(normed, (0, 0, 0, -len(wanted) % _BLOCK))
        blocks = [layer.asked.times(block) for block in torch.split(whole, _BLOCK)]
        return torch.cat(blocks)[: len(wanted)]
