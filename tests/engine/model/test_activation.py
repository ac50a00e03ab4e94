"""GPT-2's GELU as one kernel: the same function."""

from pathlib import Path

import torch
from tiny_backbones import save_backbone
from torch import nn
from transformers import AutoModel

from timellm_engine.model.backbone import load_backbone
from timellm_ops.contract.config import BackboneSection


def test_a_backbone_answers_as_the_library_has_it(tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "llm", "gpt2")
    tokens = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    theirs = AutoModel.from_pretrained(folder).eval()
    ours = load_backbone(BackboneSection(source=str(folder)), 0).model
    assert sum(isinstance(part, nn.GELU) for part in ours.modules()) == 3
    answers = [model(inputs_embeds=tokens).last_hidden_state for model in (ours, theirs)]
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-5)
