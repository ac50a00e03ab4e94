"""What is computed again for its gradient has the same gradient, to the bit, and is not kept."""

import dataclasses
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_backbones import WIDE, save_backbone
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.errors import BackboneError
from timellm_engine.model.attention import attend
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.recompute import compute_layers_again, computed_again
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SECTION = ModelSection(num_prototypes=40, d_ff=16, n_heads=4)


def gradients(backbone: Backbone, precision: Any, *, recompute: bool) -> list[Tensor]:
    """Of a step with dropout; and what is drawn after it."""
    torch.manual_seed(1)
    model = TimeLLM(
        backbone, SECTION, PromptSection(), "Tides.", 96, 12, precision=precision,
        recompute=recompute,
    ).train()  # fmt: skip
    x, y = torch.randn(6, 96).cumsum(dim=1), torch.randn(6, 12)
    functional.mse_loss(model(x), y).backward()  # type: ignore[no-untyped-call]
    found = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    assert len(found) == len(model.trainable_state())
    return [*found, torch.rand(3)]


def loaded(source: str, precision: Any) -> Backbone:
    """Held in the type that it computes in, as a run is that wants to be fast."""
    dtype: Any = "float32" if precision == "fp32" else "bfloat16"
    return load_backbone(BackboneSection(source=source, dtype=dtype), 0, "cpu", precision)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", ["embedded", "gpt2", WIDE, "qwen2", "opt", "bert"])
def test_gradients_and_random_numbers_are_the_same_to_the_bit(
    tmp_path: Path, family: str, precision: str
) -> None:
    source = family if family == "embedded" else str(save_backbone(tmp_path / family, family))
    kept, again = (
        gradients(loaded(source, precision), precision, recompute=recompute)
        for recompute in (False, True)
    )
    assert all(torch.equal(found, expected) for found, expected in zip(again, kept, strict=True))


def test_what_a_function_makes_on_its_way_is_gone_until_the_backward_pass() -> None:
    made: list[weakref.ref[Tensor]] = []

    def function(x: Tensor) -> Tensor:
        between = x.exp()
        made.append(weakref.ref(between))
        return between.sin()

    x = torch.randn(5, requires_grad=True)
    kept = function(x)
    assert made[0]() is not None
    again = computed_again(function, x)
    assert torch.equal(again, kept)
    assert made[1]() is None
    again.sum().backward()
    assert len(made) == 3


def test_without_a_gradient_nothing_is_computed_twice() -> None:
    calls = []

    def function(x: Tensor) -> Tensor:
        calls.append(x)
        return x * 2.0

    x = torch.randn(5)
    assert torch.equal(computed_again(function, x), x * 2.0)
    with torch.no_grad():
        computed_again(function, x.clone().requires_grad_())
    assert len(calls) == 2


def test_attention_weights_of_a_block_are_computed_again() -> None:
    inputs = [torch.randn(2, 600, 8), torch.randn(2, 30, 8), torch.randn(2, 30, 8)]
    found = []
    for recompute in (False, True):
        torch.manual_seed(2)
        own = [tensor.clone().requires_grad_() for tensor in inputs]
        attended = attend(*own, dropout=0.3, recompute=recompute)
        attended.square().sum().backward()
        found.append([attended.detach(), *(tensor.grad for tensor in own)])
    for kept, again in zip(*found, strict=True):
        assert kept is not None
        assert again is not None
        assert torch.equal(kept, again)


class Layerless(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.config = load_backbone(BackboneSection(layers=1), 0).model.config
        self.parts = nn.ModuleList(nn.Identity() for _ in range(layers))


def test_a_backbone_whose_layers_cannot_be_told_apart_is_refused() -> None:
    assert compute_layers_again(Layerless(1)) == 1
    assert compute_layers_again(Layerless(3)) == 0
    whole = load_backbone(BackboneSection(layers=1), 0)
    whole.model.config = dataclasses.replace(whole.model.config, num_hidden_layers=9)
    backbone = dataclasses.replace(whole, layers=9)
    with pytest.raises(BackboneError, match=r"train\.activation_checkpointing: found true"):
        TimeLLM(backbone, SECTION, PromptSection(), "Tides.", 96, 12, recompute=True)
