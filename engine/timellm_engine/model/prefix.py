"""Prompts of a causal backbone as keys and values: the same function for far less work.

Nothing trainable comes before the patches, so in a causal backbone the prompt's keys and values
carry no gradient: what all prompts begin with is computed once, the rest of each prompt without
a graph, and only the patches run forward and backward. In a bidirectional backbone the prompt
sees the patches, and none of this holds.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from timellm_engine.model.backbone import Backbone
from timellm_engine.model.gpt2 import GPT2, GPT2Cache

if TYPE_CHECKING:
    from timellm_engine.model.reading import ReadingCache

_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2}
"""Largest difference from the plain way, relative to the largest value, that is only rounding."""

_KeysAndValues = list[tuple[Tensor, Tensor]]

_ON_A_GPU = 8
"""Prompts of a batch on a GPU are padded to a multiple of so many tokens, so that few lengths
occur: a step is recorded once for each of them, and tensor cores like such numbers."""


class LaidOut(NamedTuple):
    """The prompts of some windows as tensors, without the tokens that are known already."""

    known: int
    """Tokens that each begins with, whose keys and values are at hand."""
    tokens: Tensor
    """`[rows, tokens]`, each row padded with whatever."""
    lengths: Tensor
    """Of each row without its padding, `[rows]`."""


def common_beginning(ids: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The tokens that every row begins with."""
    length = 0
    for tokens in zip(*ids, strict=False):
        if len(set(tokens)) > 1:
            break
        length += 1
    return tuple(ids[0][:length])


class PromptPrefix:
    """Answers at the patches, the prompts being read ahead of them.

    `shared` are tokens that most prompts begin with. A row's prompt is as long as its own text.
    `adjoining`: it ends where the patches begin, which a backbone with sliding windows needs; else
    padding follows it up to the longest, which spares a copy of all keys and values. `dtype` is
    what the backbone takes and gives, the type of its weights where nothing is said. Raises
    whatever a backbone raises that does not take keys and values; `agrees` finds that out.
    """

    def __init__(
        self,
        backbone: Backbone,
        shared: tuple[int, ...],
        *,
        adjoining: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._backbone, self._shared, self.adjoining = backbone, shared, adjoining
        self.dtype = dtype or backbone.word_embeddings.weight.dtype
        parameters = inspect.signature(backbone.model.forward).parameters
        self._argument = "cache" if "cache" in parameters else "past_key_values"
        self._read_shared: _KeysAndValues | None = None

    def agrees(
        self, plain: Tensor, ids: list[list[int]], patches: Tensor, *, times: float = 1.0
    ) -> bool:
        """Whether `answer` is `plain`, the answer in one piece, but for rounding, or `times` that.

        Raises `torch.OutOfMemoryError`: a way must not be chosen by how much memory is free.
        """
        try:
            with torch.no_grad():
                return self._is_only_rounded(self.answer(ids, patches), plain, times)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever a family makes of keys and values it has not
            return False

    def _is_only_rounded(self, found: Tensor, expected: Tensor, times: float = 1.0) -> bool:
        """Whether two answers differ by no more than rounding in their type, or so many times."""
        limit = times * _TOLERANCE[self.dtype] * expected.abs().max()
        return bool((found - expected).abs().max() <= limit)

    def answer(self, ids: list[list[int]], patches: Tensor) -> Tensor:
        """Last hidden states at `patches`, `[rows, patches, embedding]`, each after its prompt."""
        return self.answer_after(self.lay_out(ids, patches.device), patches)

    def lay_out(self, ids: list[list[int]], device: torch.device) -> LaidOut:
        """The prompts of these tokens on the device that is to read them."""
        known = len(self._shared)
        if any(tuple(row[:known]) != self._shared for row in ids):
            known = 0
        lengths = [len(row) - known for row in ids]
        longest = self._padded_to(known, max(lengths), device)
        padded = [[*row[known:], *([0] * (longest - len(row) + known))] for row in ids]
        tokens = torch.tensor(padded, dtype=torch.long).view(len(ids), longest)
        return LaidOut(known, tokens.to(device), torch.tensor(lengths).to(device))

    def _padded_to(self, known: int, longest: int, device: torch.device) -> int:
        if device.type == "cpu":
            return longest
        rounded = -(-longest // _ON_A_GPU) * _ON_A_GPU
        limit = self._backbone.max_positions
        return longest if limit is not None and known + rounded > limit else rounded

    def answer_after(self, prompts: LaidOut, patches: Tensor) -> Tensor:
        """`answer`, the prompts being laid out; all of it is the device's work."""
        return self.answer_to(patches, prompts, self.read(prompts, patches.shape[1]))

    def read(self, prompts: LaidOut, patches: int) -> Any:  # noqa: ARG002 - others need it
        """What `answer_to` needs of the prompts, for one answer at so many patches a row."""
        # Outside of inference mode, whose tensors could not be part of a later graph.
        with torch.inference_mode(mode=False), torch.no_grad():
            cache = self._cache(len(prompts.lengths) if prompts.known else 0)
            if prompts.tokens.shape[1]:
                with cache.reading():
                    self._run(self._backbone.word_embeddings(prompts.tokens), cache)
            if self.adjoining:
                assert not isinstance(cache, GPT2Cache)  # noqa: S101 - it sees all, as GPT-2 does
                cache.move_to_the_end(prompts.tokens.shape[1] - prompts.lengths)
        cache.complete()
        return cache

    def answer_to(self, patches: Tensor, prompts: LaidOut, read: Any) -> Tensor:
        """`answer_after`, the prompts having been read."""
        (rows, count, _), device = patches.shape, patches.device
        known, lengths, longest = prompts.known, prompts.lengths, prompts.tokens.shape[1]
        padding = longest - lengths
        # The patches do not see the padding, and positions go on as if it were not there.
        places = torch.arange(known + longest, device=device)
        seen = torch.ones(rows, known + longest + count, dtype=torch.long, device=device)
        seen[:, : known + longest] = (
            places >= padding.unsqueeze(1)
            if self.adjoining
            else places < known + lengths.unsqueeze(1)
        )
        return self._run(
            patches.to(self.dtype),
            read,
            attention_mask=seen,
            position_ids=(known + lengths).unsqueeze(1) + torch.arange(count, device=device),
        )

    def _cache(self, rows: int) -> "ReadingCache | GPT2Cache":
        """Keys and values of the shared tokens for so many rows; of nothing for 0."""
        cache = self._empty_cache()
        if rows and self._shared:
            if self._read_shared is None:
                self._read_shared = self._read(self._shared)
            for layer, (keys, values) in enumerate(self._read_shared):
                cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        return cache

    def _empty_cache(self) -> "ReadingCache | GPT2Cache":
        if isinstance(self._backbone.model, GPT2):
            return GPT2Cache()
        from timellm_engine.model.reading import ReadingCache

        return ReadingCache(self._backbone.layers)

    def _read(self, tokens: tuple[int, ...]) -> _KeysAndValues:
        device = self._backbone.word_embeddings.weight.device
        cache = self._cache(0)
        embedded = self._backbone.word_embeddings(torch.tensor([tokens], device=device))
        with cache.reading():
            self._run(embedded, cache)
        # Of their own: a view would hold on to all that its layer had computed beside it.
        return [(layer.keys.contiguous(), layer.values.contiguous()) for layer in cache.layers]

    def _run(
        self, inputs: Tensor, cache: "ReadingCache | GPT2Cache", **arguments: Tensor
    ) -> Tensor:
        answer = self._backbone.model(
            inputs_embeds=inputs, use_cache=True, **{self._argument: cache}, **arguments
        )
        hidden: Tensor = answer.last_hidden_state
        return hidden
