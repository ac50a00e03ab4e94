"""Small random language models of several families, saved as a user's folder would be."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    OPTConfig,
    OPTModel,
    Qwen2Config,
    Qwen2Model,
    RobertaConfig,
    RobertaModel,
)

from timellm_engine.model.embedded import embedded_tokenizer

_SHAPE: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3,
}  # fmt: skip
WIDE = "gpt2, wide"
_WIDE = {**_SHAPE, "intermediate_size": 48, "max_position_embeddings": 600}

FAMILIES: dict[str, Any] = {
    "gpt2": lambda: GPT2Model(GPT2Config(vocab_size=512, n_embd=32, n_head=4, n_layer=3)),
    "llama": lambda: LlamaModel(LlamaConfig(**_WIDE, num_key_value_heads=2)),
    "qwen2": lambda: Qwen2Model(Qwen2Config(**_WIDE, num_key_value_heads=2)),
    "opt": lambda: OPTModel(
        OPTConfig(**_SHAPE, ffn_dim=48, max_position_embeddings=600, word_embed_proj_dim=16)
    ),
    "bert": lambda: BertModel(BertConfig(**_WIDE)),
    "roberta": lambda: RobertaModel(RobertaConfig(**_WIDE, pad_token_id=1)),
}
CAUSAL = {"gpt2", "llama", "qwen2", "opt"}


def wide_gpt2(layers: int = 3) -> GPT2Model:
    """One whose products are large enough to be laid out for a processor."""
    return GPT2Model(GPT2Config(vocab_size=512, n_embd=256, n_head=4, n_layer=layers))


def save_backbone(folder: Path, family: str = "gpt2", seed: int = 0) -> Path:
    """A model of a family with its tokenizer."""
    return save_model(folder, {**FAMILIES, WIDE: wide_gpt2}[family], seed)


def save_model(folder: Path, make: Any, seed: int = 0) -> Path:
    """A model with its tokenizer; wide weights, so that every part of it shows in the answer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=min(0.2, 1.2 / parameter.shape[-1] ** 0.5))
    model.save_pretrained(folder)
    embedded_tokenizer().save_pretrained(folder)
    return folder
