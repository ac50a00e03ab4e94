"""A frozen backbone computed in float32 for a while, whatever its weights are held in.

A way of computing that is the same function can be told from one that is not only where rounding
hides nothing, and in bfloat16 it adds up over dozens of layers. Here every part writes its own
weights out for as long as it takes, so that a backbone of gigabytes needs no second one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from timellm_engine.model.packed import PackedProduct


@contextmanager
def computed_in_float32(model: nn.Module) -> Iterator[None]:
    """Within it, `model` takes and gives float32, and computes in it from one end to the other.

    Embeddings give their rows in float32. Weights are the very tensors again at the end, however
    that comes. Without a graph only.
    """
    with ExitStack() as undone:
        for layer in model.modules():
            _compute_in_float32(layer, undone)
        yield


def _compute_in_float32(layer: nn.Module, undone: ExitStack) -> None:
    packed = layer.__dict__.get("forward")
    if isinstance(packed, PackedProduct):
        layer.forward = packed.in_float32
        undone.callback(setattr, layer, "forward", packed)
        return
    held = [each for each in layer.parameters(recurse=False) if each.dtype == torch.bfloat16]
    if not held:
        return
    if isinstance(layer, nn.Embedding):
        # Some of its rows are wanted, and all of them may be a gigabyte.
        undone.callback(layer.register_forward_hook(_widened).remove)
        return
    written = _WrittenOut(held)
    undone.callback(written.put_back)  # whatever ends it, a key as well as an error
    for handle in (
        layer.register_forward_pre_hook(written.write_out),
        layer.register_forward_hook(written.put_back, always_call=True),
    ):
        undone.callback(handle.remove)


class _WrittenOut:
    """The weights of one part, in float32 while it computes."""

    def __init__(self, held: list[nn.Parameter]) -> None:
        self._held = [(parameter, parameter.data) for parameter in held]

    def write_out(self, *_call: Any) -> None:
        for parameter, narrow in self._held:
            parameter.data = narrow.float()

    def put_back(self, *_call: Any) -> None:
        for parameter, narrow in self._held:
            parameter.data = narrow


def _widened(_layer: nn.Module, _given: Any, rows: Tensor) -> Tensor:
    return rows.float()
