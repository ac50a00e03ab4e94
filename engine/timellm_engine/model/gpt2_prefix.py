"""Prompts that are read ahead by a GPT-2 whose layers are passed through in few operations."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from timellm_engine.model.backbone import Backbone
from timellm_engine.model.gpt2_parts import parts_of
from timellm_engine.model.gpt2_pass import GPT2Pass, Memory
from timellm_engine.model.prefix import LaidOut, PromptPrefix


class GPT2Prefix(PromptPrefix):
    """`PromptPrefix` on a CPU, where a pass of our own takes the backbone's layers."""

    def __init__(self, backbone: Backbone, shared: tuple[int, ...], gpt2: GPT2Pass) -> None:
        super().__init__(backbone, shared)
        self._gpt2 = gpt2
        self._memory_of_shared: Sequence[Memory] | None = None

    def agrees(
        self, plain: Tensor, ids: list[list[int]], patches: Tensor, *, times: float = 1.0
    ) -> bool:
        """Also with a gradient, and with that of the backbone's own layers."""
        if not super().agrees(plain, ids, patches, times=times):
            return False
        try:
            with torch.inference_mode(mode=False), torch.enable_grad():
                given = patches.clone()
                answer, gradient = _with_gradient(self, ids, given)
                theirs = PromptPrefix(self._backbone, self._shared)
                _, expected = _with_gradient(theirs, ids, given)
                alike = _alike(gradient, expected, self.dtype)
                return alike and self._is_only_rounded(answer, plain, times)
        except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
            return False

    def read(self, prompts: LaidOut, patches: int) -> list[Memory]:
        """Keys and values, with places behind them for those of the patches."""
        with torch.inference_mode(mode=False), torch.no_grad():
            known: Sequence[Memory] = ()
            if prompts.known:
                if self._memory_of_shared is None:
                    self._memory_of_shared = self._through(torch.tensor([self._shared]), (), 0)
                known = self._memory_of_shared
            return self._through(prompts.tokens, known, patches)

    def answer_to(self, patches: Tensor, prompts: LaidOut, read: Any) -> Tensor:
        """`answer_after`, the prompts having been read."""
        ends = (prompts.known + prompts.lengths).unsqueeze(1)
        positions = ends + torch.arange(patches.shape[1])
        unseen = torch.arange(prompts.known + prompts.tokens.shape[1]) >= ends
        return self._gpt2.answer(patches, positions, read, unseen)

    def _through(self, tokens: Tensor, known: Sequence[Memory], room: int) -> list[Memory]:
        return self._gpt2.read(tokens, known, room)


_SHARE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Of a gradient's length: what two ways of computing it may be apart, by their rounding."""


def _alike(found: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether two gradients are the same but for rounding in a type; single numbers may be off."""
    return bool((found - expected).norm() <= _SHARE[dtype] * expected.norm())


def gpt2_pass(backbone: Backbone, *, recompute: bool = False) -> GPT2Pass | None:
    """A pass through a backbone that is such a GPT-2; else nothing."""
    parts = parts_of(backbone.model)
    return None if parts is None else GPT2Pass(parts, recompute=recompute)


def _with_gradient(
    prefix: PromptPrefix, ids: list[list[int]], patches: Tensor
) -> tuple[Tensor, Tensor]:
    """The answer, and the gradient at the patches of a sum that weighs every number of it."""
    own = patches.detach().requires_grad_()
    answer = prefix.answer(ids, own)
    weighed = torch.linspace(-1.0, 1.0, answer.numel()).view(answer.shape)
    (gradient,) = torch.autograd.grad((answer.float() * weighed).sum(), own)
    return answer.detach(), gradient
