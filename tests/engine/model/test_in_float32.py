"""A backbone held in bfloat16 and computed in float32: exact, and for as long as it is wanted."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from small_packages import needs_packages
from tiny_backbones import FAMILIES, WIDE, save_backbone
from torch import Tensor, nn
from transformers import AutoModel

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.in_float32 import computed_in_float32
from timellm_ops.contract.config import BackboneSection


def narrow(source: Path | str, dtype: Any = "bfloat16") -> Backbone:
    return load_backbone(BackboneSection(source=str(source), dtype=dtype), 0)


def answer(model: nn.Module, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(inputs_embeds=tokens).last_hidden_state
    return found


def off(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def some_tokens(backbone: Backbone) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 7, backbone.embedding_size, generator=generator).bfloat16().float()


@pytest.mark.parametrize("family", [*sorted(FAMILIES), WIDE])
def test_it_is_the_answer_of_the_same_weights_in_float32(tmp_path: Path, family: str) -> None:
    source = save_backbone(tmp_path, family)
    backbone = narrow(source)
    wide = AutoModel.from_pretrained(source, dtype=torch.bfloat16).float().eval()
    tokens = some_tokens(backbone)
    with computed_in_float32(backbone.model):
        found = answer(backbone.model, tokens)
        words = backbone.word_embeddings(torch.tensor([3, 1]))
    assert found.dtype == words.dtype == torch.float32
    assert off(found, answer(wide, tokens)) <= 1e-5
    assert off(answer(backbone.model, tokens.bfloat16()).float(), found) > 1e-4
    assert torch.equal(words, wide.get_input_embeddings()(torch.tensor([3, 1])))


@pytest.mark.parametrize("family", ["qwen2", WIDE])
@pytest.mark.parametrize("ended_by", [None, RuntimeError, KeyboardInterrupt])
def test_afterwards_weights_are_the_very_ones_that_they_were(
    tmp_path: Path, family: str, ended_by: type[BaseException] | None
) -> None:
    backbone = narrow(save_backbone(tmp_path, family))
    tokens = some_tokens(backbone)
    broken = [ended_by] if ended_by is not None else []

    def maybe_end(*_call: Any) -> None:
        if broken:
            raise broken.pop()

    held = {name: (p.dtype, p.data_ptr()) for name, p in backbone.model.named_parameters()}
    before = answer(backbone.model, tokens.bfloat16())
    with_weights = [
        layer
        for layer in backbone.model.modules()
        if any(True for _ in layer.parameters(recurse=False))
        and not isinstance(layer, nn.Embedding)
    ]
    ending = nullcontext() if ended_by is None else pytest.raises(ended_by)
    with ending, computed_in_float32(backbone.model):
        with_weights[2].register_forward_pre_hook(maybe_end)
        answer(backbone.model, tokens)
    assert not broken
    assert held == {n: (p.dtype, p.data_ptr()) for n, p in backbone.model.named_parameters()}
    assert torch.equal(answer(backbone.model, tokens.bfloat16()), before)


def test_one_weight_at_a_time_is_written_out(tmp_path: Path) -> None:
    backbone = narrow(save_backbone(tmp_path, "qwen2"))
    seen = []
    for layer in backbone.model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(
                lambda *_: seen.append(
                    sum(p.dtype == torch.float32 for p in backbone.model.parameters())
                ),
                prepend=True,
            )
    with computed_in_float32(backbone.model):
        answer(backbone.model, some_tokens(backbone))
    assert len(seen) == 3 * 7
    assert set(seen) == {1, 2}, "more than a layer's weight and bias"


@needs_packages
@pytest.mark.parametrize("dtype", ["int8", "nf4"])
def test_a_backbone_of_codes_answers_by_what_they_stand_for(tmp_path: Path, dtype: str) -> None:
    backbone = narrow(save_backbone(tmp_path, "qwen2"), dtype)
    tokens = some_tokens(backbone)
    with computed_in_float32(backbone.model):
        found = answer(backbone.model, tokens)
    assert found.dtype == torch.float32
    assert 1e-4 < off(answer(backbone.model, tokens.bfloat16()).float(), found) < 0.1
