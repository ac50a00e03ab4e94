"""Activation checkpointing: compute a part again in the backward pass instead of keeping it.

Of a part only what goes into it is kept (Chen et al. 2016). The second time has the kernels and
the precision of the first, so gradients are the same to the bit; it costs a forward pass more. The
parts draw no random numbers: a frozen model drops nothing out. `torch.utils.checkpoint` would do
the same, but its first call imports torch's compiler: two seconds and 80 MB. The one of
`transformers` is for models in training mode, which a frozen one never is, and takes the keys and
values of the prompts away.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def computed_again(function: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    """What `function` gives, to be computed again for its gradient; as it is without one.

    Gradients go to `inputs` alone, which all that has one must be among.
    """
    has_gradient = torch.is_grad_enabled() and any(
        isinstance(value, Tensor) and value.requires_grad for value in inputs
    )
    if not has_gradient:
        return function(*inputs, **named)
    return _ComputedAgain.apply(partial(function, **named), *inputs)  # type: ignore[no-untyped-call]


def compute_layers_again(backbone: nn.Module) -> int:
    """Have every layer of a frozen backbone computed again; how many there are.

    A layer must leave what it is given as it was: the caches see to keys and values.
    """
    depth = int(backbone.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    for part in backbone.modules():
        if isinstance(part, nn.ModuleList) and len(part) == depth:
            for layer in part:
                layer.forward = partial(computed_again, layer.forward)
            return depth
    return 0


class _ComputedAgain(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, function: Callable[..., Any], *inputs: Any) -> Any:
        kept = [value if isinstance(value, Tensor) else None for value in inputs]
        context.function = function
        context.inputs = [None if isinstance(value, Tensor) else value for value in inputs]
        kind = next(tensor.device.type for tensor in kept if tensor is not None)
        context.autocast = (kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))
        context.save_for_backward(*kept)
        # With a graph that is dropped at once: some kernels are chosen by whether there is one.
        with torch.enable_grad():
            found = function(*_begun(kept, context.inputs, context.needs_input_grad[1:])[1])
        if isinstance(found, tuple):
            return tuple(v.detach() if isinstance(v, Tensor) else v for v in found)
        return found.detach()

    @staticmethod
    def backward(context: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        leaves, inputs = _begun(context.saved_tensors, context.inputs, context.needs_input_grad[1:])
        kind, dtype, enabled = context.autocast
        with (
            torch.enable_grad(),
            torch.autocast(kind, dtype=dtype, enabled=enabled),
        ):
            found = context.function(*inputs)
        outputs = found if isinstance(found, tuple) else (found,)
        wanted = [leaf for leaf in leaves if leaf is not None and leaf.requires_grad]
        given = [
            (output, gradient)
            for output, gradient in zip(outputs, gradients, strict=True)
            if isinstance(output, Tensor) and output.requires_grad and gradient is not None
        ]
        answers = iter(
            torch.autograd.grad(
                [output for output, _ in given], wanted, [gradient for _, gradient in given]
            )
        )
        return (
            None,
            *(
                next(answers) if leaf is not None and leaf.requires_grad else None
                for leaf in leaves
            ),
        )


def _begun(
    tensors: Sequence[Tensor | None], others: Sequence[Any], needed: Sequence[bool]
) -> tuple[list[Tensor | None], list[Any]]:
    """The beginning of a graph of its own, and what to give to the function.

    Which are views of it: autocast takes leaves for weights and would convert each but once, which
    rounds the sum of its gradients.
    """
    leaves = [
        None if tensor is None else tensor.detach().requires_grad_(needs)
        for tensor, needs in zip(tensors, needed, strict=True)
    ]
    with torch.enable_grad():
        given = [
            other if leaf is None else leaf.view_as(leaf)
            for leaf, other in zip(leaves, others, strict=True)
        ]
    return leaves, given
