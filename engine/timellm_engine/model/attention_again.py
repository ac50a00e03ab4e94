"""Attention whose weights, some of them dropped, are computed again for the gradient.

With the random numbers of the first time, so gradients are those of `attention.py`, to the bit.
"""

from typing import Any

import torch
from torch import Tensor

from timellm_engine.model.attention_block import Scratch, block_gradients, block_weights
from timellm_engine.model.precision import computing_as_held
from timellm_ops.contract.engine_memory import BLOCK_QUERIES


def attend_again(
    queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float, dtype: torch.dtype
) -> Tensor:
    """What scaled `queries` take, before it is raised to make up for what is dropped.

    Products are made in `dtype`; gradients of the blocks are added up in the type of the inputs.
    """
    taken: Tensor = _Again.apply(queries, keys_across, values, dropout, dtype)  # type: ignore[no-untyped-call]
    return taken


class _Again(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, queries: Tensor, keys_across: Tensor, values: Tensor, dropout: float,
        dtype: torch.dtype,
    ) -> Tensor:  # fmt: skip
        context.save_for_backward(queries, keys_across, values)
        context.dropout, context.dtype, context.states = dropout, dtype, []
        taken = torch.empty_like(queries, dtype=dtype)
        keys_across, values = keys_across.to(dtype), values.to(dtype)
        scratch = _scratch(queries, keys_across)
        with computing_as_held(queries.device):
            for block, into in zip(_blocks(queries), _blocks(taken), strict=True):
                context.states.append(torch.get_rng_state())
                _, left = block_weights(block.to(dtype), keys_across, dropout, scratch)
                into.copy_(torch.bmm(left, values))
        return taken

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys_across, values = context.saved_tensors
        of_inputs = tuple(torch.zeros_like(each) for each in context.saved_tensors)
        keys_across, values = keys_across.to(context.dtype), values.to(context.dtype)
        scratch = _scratch(queries, keys_across)
        parts = zip(
            _blocks(queries), _blocks(gradients[0]), _blocks(of_inputs[0]), context.states,
            strict=True,
        )  # fmt: skip
        with computing_as_held(queries.device), torch.random.fork_rng(devices=[]):
            # In the order in which torch would add up the gradients of a graph.
            for block, gradient, of_block, state in reversed(list(parts)):
                torch.set_rng_state(state)
                given = block.to(context.dtype), keys_across
                weights = block_weights(*given, context.dropout, scratch)
                found = block_gradients(gradient, *given, values, *weights, scratch)
                for total, part in zip((of_block, *of_inputs[1:]), found, strict=True):
                    total.add_(part)
        return *of_inputs, None, None


def _blocks(rows: Tensor) -> tuple[Tensor, ...]:
    """Views of some queries each."""
    return torch.split(rows, BLOCK_QUERIES, dim=1)


def _scratch(queries: Tensor, keys_across: Tensor) -> Scratch:
    heads, count, _ = queries.shape
    block = min(BLOCK_QUERIES, count)
    return Scratch(heads, block, keys_across.shape[2], keys_across.dtype)
