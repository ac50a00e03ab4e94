"""Prompts read ahead in every kind of causal backbone, sliding windows included."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from tiny_backbones import FAMILIES, save_model
from torch import Tensor

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

WINDOW = 24
"""Tokens that a sliding layer looks back over: fewer than a prompt has."""
_NARROW: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3,
    "intermediate_size": 48, "max_position_embeddings": 600,
}  # fmt: skip
_GROUPED: dict[str, Any] = {**_NARROW, "num_key_value_heads": 2}

ROTARY: dict[str, Any] = {
    "gemma": lambda: hf.GemmaModel(hf.GemmaConfig(**_GROUPED, head_dim=8)),
    "neox": lambda: hf.GPTNeoXModel(hf.GPTNeoXConfig(**_NARROW)),
    "phi": lambda: hf.PhiModel(hf.PhiConfig(**_NARROW)),
    "qwen3": lambda: hf.Qwen3Model(hf.Qwen3Config(**_GROUPED, head_dim=8)),
}
BIASED: dict[str, Any] = {
    "bloom": lambda: hf.BloomModel(
        hf.BloomConfig(vocab_size=512, hidden_size=32, n_head=4, n_layer=3)
    ),
}
"""Families whose attention knows distances and not positions."""
SLIDING: dict[str, Any] = {
    "mistral": lambda: hf.MistralModel(hf.MistralConfig(**_GROUPED, sliding_window=WINDOW)),
    "gemma3": lambda: hf.Gemma3TextModel(
        hf.Gemma3TextConfig(
            **_GROUPED,
            head_dim=8,
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        )
    ),
    "qwen2-sliding": lambda: hf.Qwen2Model(
        hf.Qwen2Config(
            **_GROUPED, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1
        )
    ),
    "gpt-neo": lambda: hf.GPTNeoModel(
        hf.GPTNeoConfig(
            vocab_size=512,
            hidden_size=32,
            num_layers=4,
            num_heads=4,
            window_size=WINDOW,
            attention_types=[[["global", "local"], 2]],
            max_position_embeddings=600,
        )
    ),
}
KNOWN = {name: FAMILIES[name] for name in ("gpt2", "llama", "qwen2", "opt")}
EVERY = {**KNOWN, **ROTARY, **BIASED, **SLIDING}


def model_over(folder: Path, make: Any) -> TimeLLM:
    backbone = load_backbone(BackboneSection(source=str(save_model(folder, make))), seed=0)
    torch.manual_seed(5)
    section = ModelSection(d_model=8, n_heads=2, d_ff=16, num_prototypes=20)
    return TimeLLM(backbone, section, PromptSection(), "Some series.", 48, 8).eval()


def inputs(model: TimeLLM) -> tuple[list[list[int]], Tensor]:
    windows = torch.randn(6, 48, generator=torch.Generator().manual_seed(3))
    ids = model.tokenize(model.prompts(windows * torch.linspace(0.01, 9.0, 6).unsqueeze(1)))
    assert len(set(map(len, ids))) > 1
    patches = torch.randn(6, model.patches, model.word_embeddings.embedding_dim)
    return ids, patches.requires_grad_()


def relative_error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("family", EVERY)
def test_answers_and_gradients_differ_by_rounding_only(family: str, tmp_path: Path) -> None:
    model = model_over(tmp_path, EVERY[family])
    ids, patches = inputs(model)
    answer, plain = model.answer(ids, patches), model.answer_in_one_piece(ids, patches)
    assert model._prefix is not None, "not read ahead"
    assert model._prefix.adjoining == (family in SLIDING)
    assert relative_error(answer, plain) <= 1e-5
    weights = torch.randn_like(plain)
    found, expected = (
        torch.autograd.grad((each * weights).sum(), patches)[0] for each in (answer, plain)
    )
    assert relative_error(found, expected) <= 1e-5


def test_a_state_that_is_no_keys_and_values_is_not_read_ahead(tmp_path: Path) -> None:
    config = hf.MambaConfig(vocab_size=512, hidden_size=32, num_hidden_layers=2)
    model = model_over(tmp_path, lambda: hf.MambaModel(config))
    ids, patches = inputs(model)
    assert torch.equal(model.answer(ids, patches), model.answer_in_one_piece(ids, patches))
    assert model._prefix is None


def test_what_the_last_layer_makes_of_a_prompt_is_not_computed(tmp_path: Path) -> None:
    model = model_over(tmp_path, EVERY["llama"])
    ids, patches = inputs(model)
    model.answer(ids, patches)
    seen: list[tuple[int, int]] = []
    for number, layer in enumerate(model.backbone.layers):  # type: ignore[arg-type]
        layer.mlp.register_forward_hook(
            lambda _module, _inputs, output, n=number: seen.append((n, output.shape[1]))
        )
    model.answer(ids, patches)
    own = max(map(len, ids)) - len(model._prefix._shared)  # type: ignore[union-attr]
    after = model.patches
    assert seen == [(0, own), (1, own), (0, after), (1, after), (2, after)]
