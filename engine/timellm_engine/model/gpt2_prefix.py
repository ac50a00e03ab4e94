"""Prompts that are read ahead by a GPT-2 whose layers are passed through in few operations."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timellm_engine.model.backbone import Backbone
from timellm_engine.model.gpt2_pass import GPT2Pass, Memory
from timellm_engine.model.prefix import LaidOut, PromptPrefix


class GPT2Prefix(PromptPrefix):
    """`PromptPrefix` on a CPU, where `gpt2_pass` takes the backbone's layers."""

    def __init__(self, backbone: Backbone, shared: tuple[int, ...], gpt2: GPT2Pass) -> None:
        super().__init__(backbone, shared)
        self._gpt2 = gpt2
        self._memory_of_shared: Sequence[Memory] | None = None

    def read(self, prompts: LaidOut, patches: int) -> list[Memory]:
        """Keys and values, with places behind them for those of the patches."""
        with torch.inference_mode(mode=False), torch.no_grad():
            if self._memory_of_shared is None:
                self._memory_of_shared = self._through(torch.tensor([self._shared]), (), 0)
            known = self._memory_of_shared if prompts.known else ()
            return self._through(prompts.tokens, known, patches)

    def answer_to(self, patches: Tensor, prompts: LaidOut, memory: Any) -> Tensor:
        """`answer_after`, the prompts having been read."""
        ends = (prompts.known + prompts.lengths).unsqueeze(1)
        positions = ends + torch.arange(patches.shape[1])
        unseen = torch.arange(prompts.known + prompts.tokens.shape[1]) >= ends
        return self._gpt2.answer(patches, positions, memory, unseen)

    def _through(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        return self._gpt2.read(self._backbone.word_embeddings(tokens), known, room)
