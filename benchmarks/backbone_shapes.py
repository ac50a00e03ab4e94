"""Backbones of real families' shapes with random weights, for benchmarks."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timellm_engine.model.embedded import embedded_tokenizer
from timellm_ops.backbones import facts_of_settings
from timellm_ops.contract.backbone_facts import BackboneFacts

SHAPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "gpt2-small": ("gpt2", {"n_embd": 768, "n_head": 12, "vocab_size": 50_257}, "float32"),
    "qwen2.5-0.5b": (
        "qwen2",
        {
            "vocab_size": 151_936, "hidden_size": 896, "intermediate_size": 4_864,
            "num_attention_heads": 14, "num_key_value_heads": 2,
        },
        "float32",
    ),
    "qwen2.5-3b": (
        "qwen2",
        {
            "vocab_size": 151_936, "hidden_size": 2_048, "intermediate_size": 11_008,
            "num_attention_heads": 16, "num_key_value_heads": 2,
        },
        "bfloat16",
    ),
    "small-grouped": (
        "qwen2",
        {
            "vocab_size": 2_000, "hidden_size": 128, "intermediate_size": 688,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2_048,
        },
        "bfloat16",
    ),
    "tiny": ("gpt2", {"n_embd": 64, "n_head": 4, "vocab_size": 1_000}, "float32"),
    "tiny-grouped": (
        "qwen2",
        {
            "vocab_size": 1_000, "hidden_size": 64, "intermediate_size": 96,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 600,
        },
        "float32",
    ),
}  # fmt: skip
"""A family of `transformers`, its settings without a depth, and the precision of its file."""

LAYERS = {"small-grouped": 2, "tiny": 2, "tiny-grouped": 2}
"""Of the shapes that are not taken with `DEFAULT_LAYERS`."""
DEFAULT_LAYERS = 6


def settings_of(shape: str, layers: int) -> dict[str, Any]:
    """The shape's `config.json`, but for what is the family's default."""
    family, settings, _ = SHAPES[shape]
    depth = "n_layer" if family == "gpt2" else "num_hidden_layers"
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return {"model_type": family, **settings, depth: layers, **ends}


def facts_of(shape: str, layers: int) -> BackboneFacts:
    """What is known of the shape without making it."""
    facts = facts_of_settings(settings_of(shape, layers))
    assert facts is not None
    return facts


def silence() -> None:
    """No progress bars between the figures."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def write_backbone(shape: str, layers: int, folder: Path, device: str = "cpu") -> Tensor:
    """Save it as a user's folder would be; its word embeddings, `[vocabulary, width]`.

    Its weights are drawn on `device`: billions of them take minutes on a CPU.
    """
    from transformers import AutoConfig, AutoModel

    silence()
    settings = settings_of(shape, layers)
    dtype = getattr(torch, SHAPES[shape][2])
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModel.from_config(config, dtype=dtype)
    model.save_pretrained(folder)
    embedded_tokenizer().save_pretrained(folder)
    words: Tensor = model.get_input_embeddings().weight.detach().cpu()
    return words
