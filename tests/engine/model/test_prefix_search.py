"""A way of reading prompts ahead is taken where it is the same function, and only there."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from test_in_float32 import narrow
from test_prefix_families import EVERY, SLIDING
from tiny_backbones import save_model
from torch import Tensor, nn

from timellm_engine.model.backbone import Backbone
from timellm_engine.model.prefix import PromptPrefix, common_beginning
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import ModelSection, PromptSection


def rounding_by_length(backbone: Backbone) -> Backbone:
    """One whose layers, in bfloat16 alone, round in ways that depend on how many tokens they get.

    What deep backbones do on some processors, here in three layers.
    """

    def rounded(_layer: nn.Module, _given: Any, hidden: Tensor) -> Tensor:
        if hidden.dtype == torch.float32:
            return hidden
        return hidden * (1.0 + (hidden.shape[1] % 7) / 70)

    layers: Any = backbone.model.layers
    for layer in layers:
        layer.mlp.register_forward_hook(rounded)
    return backbone


def model_over(backbone: Backbone, precision: Any = "bf16") -> TimeLLM:
    torch.manual_seed(5)
    section = ModelSection(d_model=8, n_heads=2, d_ff=16, num_prototypes=20)
    return TimeLLM(
        backbone, section, PromptSection(), "Some series.", 48, 8, precision=precision
    ).eval()


@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral", "qwen2-sliding"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_where_rounding_hides_what_is_wrong_the_way_of_reading_is_found_in_float32(
    tmp_path: Path, family: str, precision: str
) -> None:
    backbone = rounding_by_length(narrow(save_model(tmp_path, EVERY[family])))
    model = model_over(backbone, precision)
    x = torch.randn(4, 48, generator=torch.Generator().manual_seed(3))
    ids, patches = model.tokenize(model.prompts(x)), model.reprogram(x).detach()
    plain = model._hidden_in_one_piece(ids, patches)
    shared = common_beginning(ids)
    for adjoining in (False, True):
        tried = PromptPrefix(backbone, shared, adjoining=adjoining)
        assert not tried.agrees(plain, ids, patches), "this trial could not tell"
    found = model.reading_ahead()
    assert found is not None
    assert found.adjoining == (family in SLIDING)
    assert found.dtype == torch.bfloat16
    assert model.answer(ids, patches).isfinite().all()
    assert all(p.dtype == torch.bfloat16 for p in backbone.model.parameters())


def test_what_is_no_answer_in_bfloat16_is_not_taken(tmp_path: Path) -> None:
    backbone = narrow(save_model(tmp_path, EVERY["llama"]))

    def broken(_layer: nn.Module, given: Any, hidden: Tensor) -> Tensor:
        beside_a_cache = hidden.dtype == torch.bfloat16 and hidden.shape[1] < 20
        return hidden * torch.nan if beside_a_cache else hidden

    layers: Any = backbone.model.layers
    layers[1].mlp.register_forward_hook(broken)
    assert model_over(backbone).reading_ahead() is None


def test_a_family_that_reads_its_parts_weights_itself_is_read_in_one_piece(tmp_path: Path) -> None:
    """Weights that were not written out meet numbers in float32."""
    config = hf.MambaConfig(vocab_size=512, hidden_size=32, num_hidden_layers=2)
    model = model_over(narrow(save_model(tmp_path, lambda: hf.MambaModel(config))))
    x = torch.randn(2, 48, generator=torch.Generator().manual_seed(3))
    assert model(x).isfinite().all()
    assert model.reading_ahead() is None


@pytest.mark.parametrize("inference", [False, True])
def test_training_goes_on_after_a_trial_in_either_mode(tmp_path: Path, inference: bool) -> None:
    backbone = rounding_by_length(narrow(save_model(tmp_path, EVERY["llama"])))
    model = model_over(backbone)
    x = torch.randn(2, 48, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode() if inference else nullcontext():
        model(x)
    assert model.reading_ahead() is not None
    assert not any(p.is_inference() for p in backbone.model.parameters())
    model.train()(x).sum().backward()
    assert model.head.linear.weight.grad is not None


def test_what_is_wrong_in_float32_too_is_not_taken(tmp_path: Path) -> None:
    backbone = narrow(save_model(tmp_path, EVERY["llama"]))
    layers: Any = backbone.model.layers
    layers[1].mlp.register_forward_hook(lambda _l, _g, hidden: hidden * (1 + hidden.shape[1] / 50))
    model = model_over(backbone)
    x = torch.randn(4, 48, generator=torch.Generator().manual_seed(3))
    ids, patches = model.tokenize(model.prompts(x)), model.reprogram(x).detach()
    answered = model.answer(ids, patches)
    assert model.reading_ahead() is None
    assert torch.equal(answered, model.answer_in_one_piece(ids, patches))
