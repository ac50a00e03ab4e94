"""GPT-2's activation, in fewer operations.

GPT-2 takes GELU by its tanh approximation (Hendrycks & Gimpel 2016), and `transformers` writes it
out in eight operations, of which four keep what they made for the gradient. torch has the same
function as one kernel that keeps nothing but its input, equal but for rounding. On a CPU that one
waits for a hyperbolic tangent, which is `2 sigmoid(2 t) - 1`: by torch's sigmoid it is faster.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = torch.tensor(1.5957691216057308)  # 2 * sqrt(2 / pi)
_ONE = torch.ones(())
_CUBIC = 0.044715 * float(_SLOPE)


class TanhGELU(nn.Module):
    """`x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`, of any shape and in the type of `x`."""

    def forward(self, x: Tensor) -> Tensor:
        """Computed in float32; as much as `x` is kept for the gradient."""
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.gelu(x, approximate="tanh")
        if torch.is_grad_enabled() and x.requires_grad:
            activated: Tensor = _TanhGELU.apply(x)  # type: ignore[no-untyped-call]
            return activated
        wide = x.float()
        return _steepness(wide).mul_(wide).sigmoid_().mul_(wide).to(x.dtype)


def _steepness(wide: Tensor) -> Tensor:
    """What `x` is multiplied with in the sigmoid."""
    return torch.addcmul(_SLOPE, wide, wide, value=_CUBIC)


def activated_with_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """The activation of `x` and its derivative there, both like `x`, without a graph."""
    wide = x.float()
    gate = _steepness(wide).mul_(wide).sigmoid_()
    bend = torch.addcmul(_SLOPE, wide, wide, value=3.0 * _CUBIC)
    activated = gate * wide if wide is x else wide.mul_(gate)
    # The slope is the gate, and the activation times the rest of the gate times that bend.
    return activated.to(x.dtype), gate.lerp_(_ONE, bend.mul_(activated)).to(x.dtype)


class _TanhGELU(torch.autograd.Function):
    """Makes its slope along with itself: the backward pass is one multiplication."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        activated, slope = activated_with_slope(x)
        context.save_for_backward(slope)
        return activated

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (slope,) = context.saved_tensors
        of_x: Tensor = gradients[0] * slope
        return of_x


def fuse_activations(model: nn.Module) -> None:
    """Put that into every layer of a `transformers` model that has it written out."""
    from transformers.activations import NewGELUActivation

    for part in model.modules():
        for name, child in part.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(part, name, TanhGELU())
