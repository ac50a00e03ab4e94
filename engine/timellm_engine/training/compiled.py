"""The backbone's feed-forward parts, compiled by `torch.compile`.

They are most of a backbone's work, draw no random numbers, and see tensors of any length the same
way: one compiled form serves every layer, prompts of every length, and patches. A rehearsal makes
all forms at once, on shapes that are always the same, so that a run that is resumed has the very
kernels that it was begun with. What torch's compiler imports takes seconds: here, and only here.
"""

import torch

from timellm_engine.errors import BackboneError, PreflightError, one_line
from timellm_engine.model.packed import unpack_products
from timellm_engine.model.timellm import TimeLLM

_ROWS = 2
"""Windows of the rehearsal: a single one would be compiled for single ones."""


def compile_feed_forward(model: TimeLLM) -> int:
    """Compile them, in whatever precision `model` computes; how many parts there are.

    Weights, gradients and torch's random numbers are left as they are. Raises `BackboneError` for
    a backbone whose layers have no such part, and `PreflightError` where nothing can be compiled.
    """
    parts = [
        part for name, part in model.backbone.named_modules() if name.rpartition(".")[2] == "mlp"
    ]
    if not parts:
        raise BackboneError(
            "train.compile", "true", "false with this backbone, whose layers have no such part"
        )
    device = model.word_embeddings.weight.device
    unpack_products(model.backbone)
    model.reading_ahead()  # found by the backbone's own code: what tries ways hooks into its parts
    try:
        from torch._inductor import config

        # A pool of processes would outlive what it is for: there are few kernels to make.
        config.compile_threads = 1
        # What `determinism` does not tell it, so that a start need not import it.
        config.deterministic = torch.are_deterministic_algorithms_enabled()
        for part in parts:
            part.compile(dynamic=True)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            _rehearse(model, device)
    except Exception as error:
        raise PreflightError(
            "train.compile: found true, but torch's compiler does not work here "
            f"({one_line(error)}); expected false, or "
            + ("Triton" if device.type == "cuda" else "a C++ compiler such as g++")
        ) from error
    return len(parts)


def _rehearse(model: TimeLLM, device: torch.device) -> None:
    """A step without its end, and an evaluation: they need every form that there will be."""
    windows = torch.arange(model.seq_len, device=device).float().sin().repeat(_ROWS, 1)
    was_training = model.training
    model.train()
    model(windows).sum().backward()
    model.zero_grad(set_to_none=True)
    model.eval()
    with torch.inference_mode():
        model(windows)
    model.train(was_training)
