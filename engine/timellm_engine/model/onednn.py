"""Products on a CPU by oneDNN, called as torch's inductor calls it.

torch itself calls it for bfloat16 alone, and has it lay out a weight anew in every product; for
float32 it takes another library, which on AMD's processors leaves a fifth of what they can do. A
weight that stays as it is can stay laid out. These operations are no public ones of torch, which
is why whoever takes them tries them out first.
"""

from functools import cache

import torch
from torch import Tensor

from timellm_engine.model.precision import processor_has_bf16

_ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Largest difference from torch's own product, relative to its largest value."""
_ROWS = 256
"""Rows that a layout is chosen for; it serves any number of them."""


def is_faster(dtype: torch.dtype) -> bool:
    """Whether products of this type are known to gain from it on this processor."""
    if dtype == torch.bfloat16:
        return processor_has_bf16() and _can(dtype)
    return dtype == torch.float32 and _is_amd_with_avx512() and _can(dtype)


@cache
def _can(dtype: torch.dtype) -> bool:
    """Whether this torch has the operations."""
    tried = torch.eye(16, dtype=dtype)
    try:
        return torch.equal(product(tried, laid_out(tried)), tried)
    except Exception:  # noqa: BLE001 - whatever another torch makes of its own operations
        return False


def _is_amd_with_avx512() -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):  # of an older torch
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_f")) and str(able.get("cpu_name")).startswith("AMD")


def laid_out(across: Tensor) -> Tensor:
    """A weight `[outputs, inputs]` as oneDNN wants it, in a tensor that only it can read."""
    with torch.inference_mode(mode=False), torch.no_grad():
        found: Tensor = torch.ops.mkldnn._reorder_linear_weight(  # noqa: SLF001
            across.contiguous(), _ROWS
        )
    return found


def product(
    flat: Tensor, across: Tensor, bias: Tensor | None = None, *, gelu: bool = False
) -> Tensor:
    """`[rows, inputs]` times a weight `[outputs, inputs]`, laid out or not, without a graph.

    `gelu`: what GPT-2's activation makes of it, in the same kernel.
    """
    activation, kind = ("gelu", "tanh") if gelu else ("none", "")
    made: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
        flat, across, bias, activation, [], kind
    )
    return made


def to_try(width: int, dtype: torch.dtype) -> Tensor:
    """Something to try a product with, `[3, width]`."""
    return torch.linspace(-1.0, 1.0, 3 * width).to(dtype).view(3, -1)


def agrees(found: Tensor, exact: Tensor) -> bool:
    """Whether a product is torch's own, `exact`, but for rounding."""
    return bool((found - exact).abs().max() <= _ROUNDING[exact.dtype] * exact.abs().max())


def product_beside(flat: Tensor, shortcut: Tensor, across: Tensor, bias: Tensor | None) -> Tensor:
    """`product` and a shortcut `[rows, outputs]` that is added to it, in the same kernel."""
    made: Tensor = torch.ops.mkldnn._linear_pointwise.binary(  # noqa: SLF001
        flat, shortcut, across, bias, "add"
    )
    return made
