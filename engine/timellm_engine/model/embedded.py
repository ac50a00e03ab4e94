"""The embedded backbone: a small frozen GPT-2 of our own that needs no download.

Its weights are random, drawn from a seed, and never trained, so nothing has to be shipped but
the recipe. Reprogramming is learned against whatever the backbone computes (random features),
and the whole chain, prompt included, can run and be tested anywhere.

64 wide with 4 heads is the smallest shape that leaves a head 16 dimensions and `d_ff` a range to
choose from. It has 2 layers: depth adds nothing but time to random features, and on a CPU time
is what the embedded backbone is for. 1,024 positions are GPT-2's.
"""

import math
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from timellm_engine.draws import normal_draws
from timellm_engine.model.file_tokenizer import FileTokenizer
from timellm_engine.model.gpt2 import GPT2, GPT2Config

SPECIFICATION: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 512,
    "n_positions": 1024,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "activation_function": "gelu_pytorch_tanh",
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
"""The configuration, in the keys of `transformers.GPT2Config`."""

END_OF_TEXT = "<|endoftext|>"
TOKENIZER_FILE = "embedded_tokenizer.json"

_EMBEDDING_STD = 0.02


def embedded_model(layers: int, seed: int) -> GPT2:
    """The first `layers` layers of the backbone that `seed` draws, on the CPU, in float32.

    Every tensor is drawn by its own name, so a truncated backbone has the very weights of the
    whole one.
    """
    config = GPT2Config(
        vocab_size=SPECIFICATION["vocab_size"],
        max_position_embeddings=SPECIFICATION["n_positions"],
        hidden_size=SPECIFICATION["n_embd"],
        num_hidden_layers=layers,
        num_attention_heads=SPECIFICATION["n_head"],
    )
    model = GPT2(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(_draw(name, parameter.shape, seed))
    return model


def _draw(name: str, shape: torch.Size, seed: int) -> Tensor:
    """GPT-2's initialisation: which tensors are drawn, and how widely."""
    if name.endswith(".bias"):
        return torch.zeros(shape)
    if ".ln_" in f".{name}":
        return torch.ones(shape)
    std = _EMBEDDING_STD
    if name.endswith("c_proj.weight"):
        std /= math.sqrt(2 * SPECIFICATION["n_layer"])
    return seeded_normal(f"{seed}:{name}", shape, std)


def seeded_normal(key: str, shape: tuple[int, ...], std: float) -> Tensor:
    """Nearly normal numbers that depend on `key` alone, as `draws.normal_draws` has them."""
    return torch.from_numpy(normal_draws(key, math.prod(shape), std).reshape(shape))


def embedded_tokenizer() -> FileTokenizer:
    """The byte-level BPE tokenizer that `embedded_tokenizer` trained, from the package's data."""
    with resources.as_file(resources.files(__package__) / "assets" / TOKENIZER_FILE) as path:
        return FileTokenizer(path, END_OF_TEXT)
