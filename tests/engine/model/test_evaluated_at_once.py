"""Without a gradient, large batches go through the backbone a few windows at a time."""

import pytest
import torch

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.contract.shapes import evaluated_at_once

PATCHES, HIDDEN = 64, 64
SOME = evaluated_at_once(PATCHES, HIDDEN)
MODEL = ModelSection(d_model=8, n_heads=2, d_ff=8, num_prototypes=6)


@pytest.fixture(scope="module")
def model() -> TimeLLM:
    backbone = load_backbone(BackboneSection(layers=1), seed=0)
    torch.manual_seed(7)
    return TimeLLM(backbone, MODEL, PromptSection(), "Tides.", 512, 8).eval()


def seen_by_the_head(model: TimeLLM, x: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    rows: list[int] = []
    hook = model.head.register_forward_hook(lambda _m, given, _a: rows.append(len(given[0])))
    forecasts = model(x)
    hook.remove()
    return forecasts, rows


def test_the_forecasts_are_those_of_the_whole_batch(model: TimeLLM) -> None:
    x = torch.randn(SOME + 3, 512, generator=torch.Generator().manual_seed(0)).cumsum(dim=1)
    with torch.inference_mode():
        forecasts, rows = seen_by_the_head(model, x)
    assert rows == [SOME, 3]
    torch.testing.assert_close(forecasts[-5:], model(x[-5:]).detach(), rtol=1e-4, atol=1e-4)


def test_with_a_gradient_a_batch_is_taken_whole(model: TimeLLM) -> None:
    x = torch.randn(SOME + 1, 512, generator=torch.Generator().manual_seed(0)).cumsum(dim=1)
    assert seen_by_the_head(model, x)[1] == [SOME + 1]


@pytest.mark.parametrize("hidden", [64, 768, 10**9])
def test_a_wider_backbone_is_given_fewer_but_never_none(hidden: int) -> None:
    assert 1 <= evaluated_at_once(PATCHES, hidden) <= SOME
