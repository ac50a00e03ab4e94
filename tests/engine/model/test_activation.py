"""GPT-2's GELU in fewer operations: the same function."""

from pathlib import Path

import pytest
import torch
from tiny_backbones import save_backbone
from torch.nn import functional
from transformers import AutoModel

from timellm_engine.model.activation import TanhGELU
from timellm_engine.model.backbone import load_backbone
from timellm_ops.contract.config import BackboneSection


def test_a_backbone_answers_as_the_library_has_it(tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "llm", "gpt2")
    tokens = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    theirs = AutoModel.from_pretrained(folder).eval()
    ours = load_backbone(BackboneSection(source=str(folder)), 0).model
    assert sum(isinstance(part, TanhGELU) for part in ours.modules()) == 3
    answers = [model(inputs_embeds=tokens).last_hidden_state for model in (ours, theirs)]
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
def test_values_and_slopes_are_torchs_everywhere(dtype: torch.dtype, rounding: float) -> None:
    x = torch.cat([torch.linspace(-12.0, 12.0, 2001), torch.tensor([-1e4, -0.0, 1e4])]).to(dtype)
    x = x.view(4, -1).t().requires_grad_()  # not contiguous
    exact = functional.gelu(x.double(), approximate="tanh")
    given = x.detach().clone()
    found = TanhGELU()(x)
    assert found.dtype == dtype
    assert torch.equal(TanhGELU()(x.detach()), found)
    assert torch.equal(x, given)
    torch.testing.assert_close(found.double(), exact, rtol=rounding, atol=rounding)
    slopes = [torch.autograd.grad(each.sum(), x)[0].double() for each in (found, exact)]
    torch.testing.assert_close(*slopes, rtol=rounding, atol=2 * rounding)
