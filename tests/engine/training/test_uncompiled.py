"""Optimisers without the compiler's wrappers step as torch's own do, bit for bit."""

from typing import Any

import pytest
import torch
from torch import nn, optim

from timellm_engine.training.uncompiled import UncompiledAdam, UncompiledAdamW, UncompiledSGD

PAIRS: list[tuple[Any, Any, dict[str, Any]]] = [
    (UncompiledAdam, optim.Adam, {}),
    (UncompiledAdamW, optim.AdamW, {}),
    (UncompiledSGD, optim.SGD, {"momentum": 0.9}),
]


def steps(kind: Any, options: dict[str, Any], count: int, state: Any = None) -> tuple[Any, Any]:
    """Weights and optimiser after so many steps on two groups of parameters."""
    generator = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(torch.randn(5, 3, generator=generator)) for _ in range(2)]
    groups = [{"params": weights[:1], "rate": 1.0}, {"params": weights[1:], "rate": 2.0, "lr": 0.1}]
    optimiser = kind(groups, lr=0.01, weight_decay=0.1, fused=True, **options)
    if state is not None:
        optimiser.load_state_dict(state)
    for step in range(count):
        optimiser.zero_grad(set_to_none=True)
        assert all(weight.grad is None for weight in weights)
        sum(((weight - step) ** 2).sum() for weight in weights).backward()  # type: ignore[union-attr]
        optimiser.step()
    return weights, optimiser


@pytest.mark.parametrize(("ours", "torchs", "options"), PAIRS)
def test_steps_are_torchs(ours: Any, torchs: Any, options: dict[str, Any]) -> None:
    assert issubclass(ours, torchs)
    weights, optimiser = steps(ours, options, 5)
    expected, reference = steps(torchs, options, 5)
    assert all(torch.equal(*pair) for pair in zip(weights, expected, strict=True))
    told = [
        {key: value for key, value in group.items() if key != "params"}
        for group in optimiser.param_groups
    ]
    assert told == [
        {key: value for key, value in group.items() if key != "params"}
        for group in reference.param_groups
    ]


@pytest.mark.parametrize(("ours", "torchs", "options"), PAIRS)
def test_each_takes_the_state_of_the_other(ours: Any, torchs: Any, options: dict[str, Any]) -> None:
    _, before = steps(ours, options, 3)
    _, reference = steps(torchs, options, 3)
    mine, theirs = (
        steps(kind, options, 2, state.state_dict())[0]
        for kind, state in ((ours, reference), (torchs, before))
    )
    assert all(torch.equal(*pair) for pair in zip(mine, theirs, strict=True))


def test_a_step_leaves_no_graph() -> None:
    weights, optimiser = steps(UncompiledAdam, {}, 1)
    assert torch.is_grad_enabled()
    assert all(weight.is_leaf and weight.requires_grad for weight in weights)
    assert not any(
        tensor.requires_grad for state in optimiser.state.values() for tensor in state.values()
    )
