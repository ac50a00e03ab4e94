"""Noise on the windows that patches are cut from: in training only, and not in the prompt."""

import torch
from torch import Tensor

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SEQ_LEN, PRED_LEN = 48, 8


class Listening(TimeLLM):
    """Keeps the prompts and the rows that it was asked about."""

    heard: list[str]
    seen: Tensor

    def prompts(self, rows: Tensor) -> list[str]:
        self.heard = super().prompts(rows)
        return self.heard

    def reprogram(self, rows: Tensor, prototypes: Tensor | None = None) -> Tensor:
        self.seen = rows
        return super().reprogram(rows, prototypes)


def model(noise: float) -> Listening:
    torch.manual_seed(5)
    section = ModelSection(
        d_model=8, n_heads=2, d_ff=16, num_prototypes=20, dropout=0.0, attention_dropout=0.0,
        window_noise=noise,
    )  # fmt: skip
    backbone = load_backbone(BackboneSection(layers=1), seed=0)
    return Listening(backbone, section, PromptSection(), "Some series.", SEQ_LEN, PRED_LEN)


def test_patches_are_of_a_noisy_window_and_the_prompt_of_the_window_itself() -> None:
    x = torch.randn(64, SEQ_LEN)
    noisy, plain = model(0.5).train(), model(0.0).train()
    noisy(x)
    plain(x)
    assert noisy.heard == plain.heard
    added = noisy.seen - plain.seen
    torch.testing.assert_close(added.std(), torch.tensor(0.5), rtol=0.05, atol=0.0)
    assert abs(added.mean().item()) < 0.05


def test_there_is_none_out_of_training() -> None:
    x = torch.randn(4, SEQ_LEN)
    noisy, plain = model(0.5).eval(), model(0.0).eval()
    assert torch.equal(noisy(x), plain(x))


def test_no_noise_draws_no_random_numbers() -> None:
    plain = model(0.0).train()
    before = torch.get_rng_state()
    plain(torch.ones(2, SEQ_LEN).cumsum(1))
    assert torch.equal(before, torch.get_rng_state())
