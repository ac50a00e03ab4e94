"""Attention in bfloat16 on a CPU: torch's own, but for rounding, for every shape and mask."""

from pathlib import Path

import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_backbones import save_backbone
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.backbone_attention import NAME, attend_in_bf16, take_over_attention
from timellm_engine.model.precision import processor_has_bf16
from timellm_ops.contract.config import BackboneSection

ROUNDING = 3e-2
"""Largest difference of sums in bfloat16, relative to the largest value or to what is summed."""

needs_bf16 = pytest.mark.skipif(
    not processor_has_bf16(), reason="this processor has no instructions for bfloat16"
)


def close(found: Tensor, exact: Tensor) -> bool:
    scale = exact.abs().max().clamp(min=1.0)
    return bool((found.double() - exact).abs().max() <= ROUNDING * scale)


masks = st.sampled_from(["none", "causal", "random", "far below zero"])


def mask_of(kind: str, rows: int, tokens: int, known: int) -> Tensor | None:
    if kind == "none":
        return None
    if kind == "causal":
        return torch.ones(1, 1, tokens, known, dtype=torch.bool).tril(known - tokens)
    seen = torch.rand(rows, 1, tokens, known) < 0.6
    seen[..., 0] = True  # somebody is always seen
    if kind == "random":
        return seen
    return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.bfloat16).min)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 3), groups=st.integers(1, 3), heads_of_each=st.integers(1, 3),
    tokens=st.integers(1, 9), read=st.integers(0, 9), width=st.sampled_from([2, 8, 20]),
    kind=masks, seed=st.integers(0, 99),
)  # fmt: skip
def test_answers_and_gradients_are_torchs(
    rows: int, groups: int, heads_of_each: int, tokens: int, read: int, width: int, kind: str,
    seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    known = read + tokens

    def numbers(heads: int, length: int) -> Tensor:
        return torch.randn(rows, heads, length, width, dtype=torch.bfloat16)

    asked = numbers(groups * heads_of_each, tokens).requires_grad_()
    before = [numbers(groups, read) for _ in range(2)]
    new = [numbers(groups, tokens).requires_grad_() for _ in range(2)]
    mask, scale = mask_of(kind, rows, tokens, known), width**-0.5
    keys, values = (torch.cat(both, dim=2) for both in zip(before, new, strict=True))
    found = attend_in_bf16(asked, keys, values, mask, scale)
    weights = torch.randn(found.shape)
    of_found = torch.autograd.grad((found.float() * weights).sum(), [asked, *new])

    wide = functional.scaled_dot_product_attention(
        asked.double(), keys.double(), values.double(),
        attn_mask=mask.double() if mask is not None and mask.dtype != torch.bool else mask,
        scale=scale, enable_gqa=True,
    )  # fmt: skip
    of_wide = torch.autograd.grad((wide * weights.double()).sum(), [asked, *new])
    with torch.no_grad():
        assert close(attend_in_bf16(asked, keys, values, mask, scale), wide)
    assert found.dtype == torch.bfloat16
    assert close(found, wide)
    assert all(close(one, other.double()) for one, other in zip(of_found, of_wide, strict=True))


def test_what_was_read_ahead_takes_no_gradient() -> None:
    asked = torch.randn(1, 2, 3, 8, dtype=torch.bfloat16)
    both = torch.randn(2, 1, 2, 7, 8, dtype=torch.bfloat16).requires_grad_()
    attend_in_bf16(asked, both[0], both[1], None, 0.3).float().sum().backward()
    assert both.grad is not None
    assert not bool(both.grad[..., :4, :].any())
    assert bool(both.grad[1, ..., 4:, :].any())


def test_the_same_bits_with_and_without_a_graph() -> None:
    asked, keys, values = torch.randn(3, 2, 4, 6, 8, dtype=torch.bfloat16)
    alone = attend_in_bf16(asked, keys, values, None, 0.3)
    with torch.autocast("cpu", torch.bfloat16):
        within = attend_in_bf16(asked.clone().requires_grad_(), keys, values, None, 0.3)
    assert torch.equal(alone, within)


FAMILIES = ("gpt2", "llama", "qwen2", "bert")


@pytest.mark.parametrize("family", FAMILIES)
def test_in_float32_a_backbone_answers_with_torchs_bits(family: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path, family)
    tokens = torch.randn(2, 9, 32)
    mask = (torch.arange(9) < torch.tensor([[9], [5]])).long()
    theirs = hf.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    ours = hf.AutoModel.from_pretrained(folder).eval()
    assert take_over_attention(ours)
    for arguments in ({}, {"attention_mask": mask}):
        answers = [m(inputs_embeds=tokens, **arguments).last_hidden_state for m in (ours, theirs)]
        assert torch.equal(*answers)


@needs_bf16
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_in_bfloat16_it_answers_the_same_but_for_rounding(
    family: str, dtype: str, tmp_path: Path
) -> None:
    folder = save_backbone(tmp_path, family)
    ours = load_backbone(BackboneSection(source=str(folder), dtype=dtype), 0).model
    theirs = hf.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    tokens = torch.randn(2, 9, 32)
    mask = (torch.arange(9) < torch.tensor([[9], [5]])).long()
    for arguments in ({}, {"attention_mask": mask}):
        exact = theirs(inputs_embeds=tokens, **arguments).last_hidden_state.double()
        with torch.autocast("cpu", torch.bfloat16):
            rounded = ours(
                inputs_embeds=tokens.to(getattr(torch, dtype)), **arguments
            ).last_hidden_state
        kept = (
            mask.bool() if arguments else torch.ones_like(mask, dtype=torch.bool)
        )  # nobody looks at what padding says
        difference = (rounded.double() - exact)[kept].abs().max() / exact.abs().max()
        assert 1e-5 < difference < 5e-2


def test_a_model_with_attention_of_its_own_kind_keeps_it(tmp_path: Path) -> None:
    model = hf.AutoModel.from_pretrained(save_backbone(tmp_path), attn_implementation="eager")
    assert not take_over_attention(model)
    assert model.config._attn_implementation == "eager"


def test_backbones_are_loaded_with_it(tmp_path: Path) -> None:
    model = load_backbone(BackboneSection(source=str(save_backbone(tmp_path))), 0).model
    assert model.config._attn_implementation == NAME  # type: ignore[union-attr]
