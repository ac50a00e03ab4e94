"""Trying a run: a few real steps, and what they come to beside what was foretold."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_backbones import save_backbone
from tiny_runs import tiny_tables
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.measure import measure
from timellm_ops.backbones import find_facts
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.contract.plan import MeasureQuestion
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.activations import Pass, needs


def question(**changes: Any) -> MeasureQuestion:
    config = parse_config(tiny_tables(**changes), "tiny")
    return MeasureQuestion(config=config, steps=2, batches=2)


def test_a_few_steps_tell_time_and_memory() -> None:
    told: list[tuple[int, int]] = []
    found = measure(question(), lambda _what, done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]
    assert found.device == "cpu"
    assert found.seconds_per_step > 0.0
    assert found.windows_per_second > 0.0
    assert found.prompt_tokens > 50
    assert found.training_peak_bytes > 100 << 20
    assert found.evaluation_peak_bytes > 100 << 20
    assert found.trainable_parameters > 0


def test_more_steps_than_an_epoch_has_are_made_with_full_batches() -> None:
    found = measure(question(train__batch_size=64), lambda *_: None)
    assert found.steps == 2


class Kept:
    """How much autograd keeps of a forward pass, beyond the model's own tensors."""

    def __init__(self, model: TimeLLM) -> None:
        self._own = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
        self._found: dict[int, Tensor] = {}

    def take(self, tensor: Tensor) -> Tensor:
        at = tensor.untyped_storage().data_ptr()
        if at not in self._own:
            self._found[at] = tensor
        return tensor

    @property
    def bytes(self) -> int:
        return sum(tensor.untyped_storage().nbytes() for tensor in self._found.values())


@pytest.mark.parametrize(
    ("family", "attention_dropout"),
    [("embedded", 0.1), ("embedded", 0.0), ("gpt2", 0.0), ("qwen2", 0.1), ("bert", 0.0)],
)
def test_what_a_pass_keeps_is_about_what_was_foretold(
    tmp_path: Path, family: str, attention_dropout: float
) -> None:
    source = family if family == "embedded" else str(save_backbone(tmp_path / family, family))
    backbone = load_backbone(BackboneSection(source=source), seed=0)
    section = ModelSection(
        num_prototypes=100, d_ff=16, n_heads=4, attention_dropout=attention_dropout
    )
    model = TimeLLM(backbone, section, PromptSection(), "Tides.", 256, 24)
    x, y = torch.randn(24, 256).cumsum(dim=1), torch.randn(24, 24)
    model.train()
    model(x)
    kept = Kept(model)
    with torch.autograd.graph.saved_tensors_hooks(kept.take, lambda tensor: tensor):
        loss = functional.mse_loss(model(x), y)
    assert loss.requires_grad
    tokens = max(map(len, model.tokenize(model.prompts(x))))
    facts = find_facts(source).facts
    assert facts is not None
    of = Pass(
        rows=24, patches=model.patches, tokens=tokens, shared=0, device="cpu", bytes_each=4,
        training=True,
    )  # fmt: skip
    foretold = sum(need.kept for need in needs(of, section, facts, facts.layers, 256, 24))
    # The overhead of the allocator, and what is alive but not kept, are foretold as well.
    assert 0.9 < foretold / kept.bytes < 2.0
