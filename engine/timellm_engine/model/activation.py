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
_CUBIC = 0.044715 * float(_SLOPE)


class TanhGELU(nn.Module):
    """`x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`, of any shape and in the type of `x`."""

    def forward(self, x: Tensor) -> Tensor:
        """Computed in float32; of `x` alone something is kept for the gradient."""
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.gelu(x, approximate="tanh")
        activated: Tensor = _TanhGELU.apply(x)  # type: ignore[no-untyped-call]
        return activated


class _TanhGELU(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        wide = x.float()
        gate = torch.addcmul(_SLOPE, wide, wide, value=_CUBIC).mul_(wide).sigmoid_()
        return gate.mul_(wide).to(x.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        # Its kernel is as fast as anything that is put together.
        (x,) = context.saved_tensors
        of_x: Tensor = torch.ops.aten.gelu_backward(gradients[0], x, approximate="tanh")
        return of_x


def fuse_activations(model: nn.Module) -> None:
    """Put that into every layer of a `transformers` model that has it written out."""
    from transformers.activations import NewGELUActivation

    for part in model.modules():
        for name, child in part.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(part, name, TanhGELU())
