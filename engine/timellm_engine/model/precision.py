"""In which precision a model computes, which is not the one that its weights are held in."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, assert_never

import torch

Precision = Literal["fp32", "bf16"]


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it, `bf16` makes matrix products and convolutions in bfloat16.

    Norms and softmax are computed in float32 within them (torch's autocast), and gradients come
    out in the type of the weights. `fp32` leaves everything as it is.
    """
    match precision:
        case "fp32":
            return nullcontext()
        case "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        case _:
            assert_never(precision)


def compute_float32_in_full() -> None:
    """From here on in this process, GPUs round nothing that is said to be computed in float32.

    torch lets convolutions take TF32, 10 bits of mantissa, unless it is told otherwise.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def computing_as_held(device: torch.device) -> AbstractContextManager[object]:
    """Within it, everything is computed in the type that it is held in."""
    return torch.autocast(device.type, enabled=False)


def processor_has_bf16() -> bool:
    """Whether the CPU has instructions for products in bfloat16."""
    if not hasattr(torch.cpu, "get_capabilities"):  # of an older torch
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
