"""Attention of a backbone that computes in bfloat16 on a CPU.

torch's fused kernel for the CPU gains nothing from bfloat16, and its backward pass takes several
times as long as the products that are in it. Here each product is one of torch's own, which have
the processor's instructions for bfloat16; between them, scores are softened in float32. Keys and
values that were read ahead take no gradient, so none is computed for them. Everything else, and
every other device and precision, is left to torch's kernel.

Weights are kept for the backward pass in bfloat16, as `transformers`' own plain attention does.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from timellm_engine.model.attention_weights import (
    attended,
    attention_gradients,
    bias_where,
)
from timellm_engine.model.precision import computing_as_held, processor_has_bf16

NAME = "timellm_engine"
"""By which `transformers` knows it."""


def attend_in_bf16(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scale: float
) -> Tensor:
    """What `queries`, `[rows, heads, tokens, width]`, take from what they see; of their shape.

    `keys` and `values` are `[rows, groups, all tokens, width]`, each group for the same number of
    heads, all in bfloat16 on the CPU. The last of all tokens are the ones that ask: only there
    may keys and values have a gradient. `mask` is true, or zero, where a token is seen, and
    false, or far below zero, where not; it is `[rows, heads, tokens, all tokens]`, where 1 in place
    of rows or heads stands for all of them.
    """
    bias = None if mask is None else _bias_of(mask)
    with computing_as_held(queries.device):
        if not torch.is_grad_enabled() or not any(x.requires_grad for x in (queries, keys, values)):
            return attended(queries, keys, values, bias, scale)
        taken: Tensor = _Attention.apply(queries, keys, values, bias, scale)  # type: ignore[no-untyped-call]
    return taken


_biases: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""What was made of masks: every layer is given the same one."""


def _bias_of(mask: Tensor) -> Tensor:
    """What is added to scores in float32: `mask` itself, or far below zero where it is false."""
    if mask.dtype != torch.bool:
        return mask.float()
    bias: Tensor | None = _biases.get(mask)  # type: ignore[no-untyped-call]
    if bias is None:
        bias = _biases[mask] = bias_where(~mask)
    return bias


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        rows, groups, known, width = keys.shape
        weights = queries.new_empty(*queries.shape[:3], known)
        taken = attended(queries, keys, values, bias, scale, weights)
        # The heads of a group ask the same keys: one product with all their queries below each
        # other.
        context.save_for_backward(
            queries.reshape(rows * groups, -1, width),
            *(each.reshape(rows * groups, known, width) for each in (keys, values)),
            weights.view(rows * groups, -1, known),
        )
        context.shape, context.scale = queries.shape, scale
        return taken

    @staticmethod
    def backward(
        context: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, None, None]:
        asked, keys, values, weights = context.saved_tensors
        rows, tokens = context.shape[0], context.shape[2]
        gradient = gradients[0].reshape(asked.shape)
        of_queries, *of_new = attention_gradients(
            gradient, asked, keys, values, weights, context.scale, tokens
        )
        known = keys.shape[1] - tokens
        of_keys, of_values = (
            _behind_what_was_read(new, known, rows) if wanted else None
            for new, wanted in zip(of_new, context.needs_input_grad[1:3], strict=True)
        )
        return of_queries.view(context.shape), of_keys, of_values, None, None


def _behind_what_was_read(gradient: Tensor, known: int, rows: int) -> Tensor:
    """`[rows, groups, all tokens, width]`, zero for those that were read ahead."""
    whole = torch.nn.functional.pad(gradient, (0, 0, known, 0))
    return whole.view(rows, -1, *whole.shape[1:])


def take_over_attention(model: nn.Module) -> bool:
    """Have a `transformers` model attend this way; whether it did what torch's kernel does.

    Only such a model changes: others have attention of a kind of their own.
    """
    if _attention_of(model) != "sdpa":
        return False
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _for_transformers)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)  # type: ignore[operator]
    return _attention_of(model) == NAME


def _attention_of(model: nn.Module) -> str | None:
    """By which name `transformers` has the model attend."""
    return getattr(model.config, "_attn_implementation", None)


def _for_transformers(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    *, dropout: float = 0.0, scaling: float | None = None, is_causal: bool | None = None,
    **named: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention as a layer of `transformers` asks for it; `[rows, tokens, heads, width]`."""
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    by_flag = attention_mask is None and bool(causal) and query.shape[2] > 1
    ordinary = (
        dropout == 0.0
        and named.get("position_bias") is None
        and named.get("softcap") is None
        and key.shape == value.shape
        and not (by_flag and key.shape[2] != query.shape[2])
    )
    if not ordinary or not _in_bf16(query, key, value):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        by_torch: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask,
            dropout=dropout, scaling=scaling, is_causal=is_causal, **named,
        )  # fmt: skip
        return by_torch
    if by_flag:
        tokens = query.shape[2]
        attention_mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool).tril()
    taken = attend_in_bf16(
        query.to(torch.bfloat16),
        key.to(torch.bfloat16),
        value.to(torch.bfloat16),
        attention_mask,
        1.0 / math.sqrt(query.shape[-1]) if scaling is None else scaling,
    )
    return taken.transpose(1, 2).contiguous(), None


def _in_bf16(*tensors: Tensor) -> bool:
    """Whether torch's kernel would compute in bfloat16, on a processor that has it."""
    if tensors[0].device.type != "cpu" or not processor_has_bf16():
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return all(each.dtype == torch.bfloat16 for each in tensors)
