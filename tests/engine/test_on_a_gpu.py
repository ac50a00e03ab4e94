"""What only a real GPU can show: the published function on its kernels, and the same bits again."""

import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from small_packages import needs_packages
from tiny_backbones import CAUSAL, save_backbone, save_model
from tiny_runs import (
    only,
    run_here,
    same,
    stopped_and_gone_on,
    tiny_run,
    tiny_tables,
    weights,
    write_control,
)
from torch import Tensor
from torch.nn import functional

from timellm_engine.data.windows import with_next
from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.parity import compare, load_case
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.build import Job, build
from timellm_engine.training.determinism import use_deterministic_kernels
from timellm_engine.training.schedule import Pace
from timellm_engine.training.step import Stepper
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.contract.validation import parse_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

GOLDEN = Path(os.environ.get("TIMELLM_GOLDEN_DIR", "no-golden"))
QUICK = {"train__epochs": 1, "train__test": "never", "train__device": "cuda"}
SECTION = ModelSection(num_prototypes=40, d_ff=16, n_heads=4)


def model_on(
    device: str, source: str, *, precision: Any = "fp32", recompute: bool = False, dtype: Any = None
) -> TimeLLM:
    """The same model on any device: weights are drawn on the CPU."""
    section = BackboneSection(source=source, dtype=dtype or "float32")
    backbone = load_backbone(section, 0, device)
    torch.manual_seed(1)
    return TimeLLM(
        backbone, SECTION, PromptSection(), "Tides.", 96, 12, precision=precision,
        recompute=recompute,
    ).to(device)  # fmt: skip


def windows() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(6, 96, generator=generator).cumsum(dim=1)
    return x, torch.randn(6, 12, generator=generator)


def gradients(model: TimeLLM, device: str) -> list[Tensor]:
    x, y = (each.to(device) for each in windows())
    functional.mse_loss(model(x), y).backward()  # type: ignore[no-untyped-call]
    found = [p.grad.cpu() for p in model.parameters() if p.requires_grad and p.grad is not None]
    assert len(found) == len(model.trainable_state())
    return found


def source_of(folder: Path, family: str) -> str:
    return family if family == "embedded" else str(save_backbone(folder / family, family))


@pytest.mark.skipif(not (GOLDEN / "gpt2").is_dir(), reason="no reference tensors")
@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "qwen2"])
def test_it_is_the_published_function(family: str) -> None:
    """By the case's own prompts, since the last digits in them are those of one processor."""
    parity = compare(load_case(GOLDEN / family, "cuda"), given_prompts=True)
    assert parity.passed, parity


@pytest.mark.parametrize("family", ["embedded", "gpt2", "qwen2", "opt", "bert"])
def test_forecasts_and_gradients_are_those_of_a_cpu(tmp_path: Path, family: str) -> None:
    source = source_of(tmp_path, family)
    here, there = (model_on(device, source).eval() for device in ("cpu", "cuda"))
    x, _ = windows()
    assert here.prompts(x) == there.prompts(x)
    with torch.no_grad():
        expected, found = here(x), there(x.cuda()).cpu()
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
    for ours, reference in zip(gradients(there, "cuda"), gradients(here, "cpu"), strict=True):
        assert (ours - reference).abs().max() <= 1e-3 * reference.abs().max() + 1e-6


@pytest.mark.parametrize("family", sorted(CAUSAL))
def test_prompts_read_ahead_are_the_same_function(tmp_path: Path, family: str) -> None:
    model = model_on("cuda", source_of(tmp_path, family)).eval()
    rows = windows()[0].cuda()
    ids, patches = model.tokenize(model.prompts(rows.cpu())), model.reprogram(rows)
    with torch.no_grad():
        ahead, plain = model.answer(ids, patches), model.answer_in_one_piece(ids, patches)
    assert model._prefix is not None
    assert (ahead - plain).abs().max() <= 1e-5 * plain.abs().max()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", ["embedded", "gpt2", "qwen2", "opt", "bert"])
def test_layers_computed_again_change_no_bit(tmp_path: Path, family: str, precision: str) -> None:
    use_deterministic_kernels(wanted=True)
    try:
        source, found = source_of(tmp_path, family), []
        for recompute in (False, True):
            model = model_on("cuda", source, precision=precision, recompute=recompute).train()
            torch.cuda.manual_seed(3)
            found.append(gradients(model, "cuda"))
    finally:
        use_deterministic_kernels(wanted=False)
    assert all(torch.equal(kept, again) for kept, again in zip(*found, strict=True))


RUNS = [
    {},
    {"train__precision": "bf16", "backbone__dtype": "bfloat16"},
    {"model__prototypes": "mapping", "model__window_noise": 0.1},
    {"train__accumulate": 2, "train__clip_norm": 1.0, "train__optimiser": "adamw"},
    {"train__activation_checkpointing": True, "train__precision": "bf16"},
    {"model__head_start": "solved", "model__window_noise": 0.1, "train__loss": "weighted_mse"},
]


@pytest.mark.parametrize("changes", RUNS, ids=lambda changes: ", ".join(changes) or "plain")
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    whole = tiny_run(tmp_path / "whole", **QUICK, **changes)
    run_here(whole)
    stopped = stopped_and_gone_on(tmp_path / "stopped", **QUICK, **changes)
    assert same(weights(stopped), weights(whole))


RECORDED = [each for each in RUNS if "train__accumulate" not in each] + [
    {"train__clip_norm": 1.0, "train__optimiser": "adamw", "train__loss": "huber"},
]


@pytest.mark.parametrize("changes", RECORDED, ids=lambda changes: ", ".join(changes) or "plain")
def test_recorded_steps_have_the_bits_of_others(changes: dict[str, Any], tmp_path: Path) -> None:
    found = []
    for recorded in (True, False):
        layout = tiny_run(tmp_path / str(recorded), **QUICK, **changes, train__cuda_graphs=recorded)
        run_here(layout)
        assert "kernel by kernel" not in layout.engine_log.read_text()
        found.append((weights(layout), [event.train_mse for event in only(layout, ev.EpochEnded)]))
    assert found[0][1] == found[1][1]
    assert same(found[0][0], found[1][0])


def test_whether_steps_are_recorded_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    whole = tiny_run(tmp_path / "whole", **QUICK)
    run_here(whole)
    stopping = {**QUICK, "checkpoint__every_steps": 4}
    layout = tiny_run(tmp_path / "stopped", **stopping)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    run_here(tiny_run(tmp_path / "stopped", **stopping, train__cuda_graphs=False), resume=True)
    assert same(weights(layout), weights(whole))


def steps_of(job: Job, count: int) -> tuple[list[float], Stepper]:
    stepper = Stepper(job.config.train, job.model, job.optimiser, job.trainable)
    job.model.train()
    torch.cuda.manual_seed(3)
    batches = [job.data.train.batch(torch.arange(8 * n, 8 * n + 8)) for n in range(count)]
    losses = [
        stepper.take(x, y, Pace(1e-3), following and following[0]).loss
        for (x, y), following in with_next(batches)
    ]
    return losses, stepper


@pytest.mark.parametrize("family", sorted(CAUSAL))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_is_recorded_with_every_family(tmp_path: Path, family: str, precision: str) -> None:
    found = []
    for recorded in (True, False):
        job = job_on_the_gpu(
            backbone__source=source_of(tmp_path / str(recorded), family),
            backbone__layers=2, train__precision=precision, train__cuda_graphs=recorded,
        )  # fmt: skip
        losses, stepper = steps_of(job, 6)
        assert stepper.not_captured is None, stepper.not_captured
        found.append(losses)
    assert found[0] == found[1]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_is_recorded_with_sliding_windows(tmp_path: Path, precision: str) -> None:
    make = partial(
        hf.MistralModel,
        hf.MistralConfig(
            vocab_size=512, hidden_size=32, num_attention_heads=4, num_hidden_layers=2,
            intermediate_size=48, max_position_embeddings=600, num_key_value_heads=2,
            sliding_window=24,
        ),
    )  # fmt: skip
    source, found = str(save_model(tmp_path, make)), []
    for recorded in (True, False):
        job = job_on_the_gpu(
            backbone__source=source, backbone__layers=2, train__precision=precision,
            train__cuda_graphs=recorded,
        )  # fmt: skip
        losses, stepper = steps_of(job, 4)
        assert stepper.not_captured is None, stepper.not_captured
        found.append(losses)
    assert found[0] == found[1]


def test_memory_of_recordings_can_be_had_back_and_steps_stay_the_same() -> None:
    kept, given_back = job_on_the_gpu(), job_on_the_gpu()
    (losses, _), (first, stepper) = steps_of(kept, 6), steps_of(given_back, 3)
    assert stepper.forget_recordings()
    assert not stepper.forget_recordings()
    batches = [given_back.data.train.batch(torch.arange(8 * n, 8 * n + 8)) for n in range(3, 6)]
    assert first + [stepper.take(x, y, Pace(1e-3)).loss for x, y in batches] == losses


def test_a_model_that_waits_for_an_answer_is_trained_unrecorded() -> None:
    class Waiting(torch.nn.Module):
        def forward(self, hidden: Tensor) -> Tensor:
            assert hidden.sum().item() > -math.inf
            return hidden

    found = []
    for recorded in (True, False):
        job = job_on_the_gpu(train__cuda_graphs=recorded)
        job.model.head = torch.nn.Sequential(Waiting(), job.model.head)  # type: ignore[assignment]
        losses, stepper = steps_of(job, 4)
        assert (stepper.not_captured is not None) is recorded
        found.append(losses)
    assert found[0] == found[1]


def test_a_bidirectional_backbone_is_trained_unrecorded(tmp_path: Path) -> None:
    job = job_on_the_gpu(backbone__source=source_of(tmp_path, "bert"), backbone__layers=2)
    losses, stepper = steps_of(job, 3)
    assert stepper.not_captured is not None
    assert "ahead of the patches" in stepper.not_captured
    assert all(torch.isfinite(torch.tensor(losses)))


@needs_packages
@pytest.mark.parametrize(
    "changes",
    [
        {"backbone__dtype": "int8", "train__precision": "bf16"},
        {"backbone__dtype": "nf4", "train__activation_checkpointing": True},
        {"train__optimiser_state": "int8", "model__num_prototypes": 80},
        {"train__optimiser_state": "paged", "model__num_prototypes": 80},
    ],
    ids=lambda changes: ", ".join(map(str, changes.values())),
)
def test_the_means_of_small_cards_resume_exactly(changes: dict[str, Any], tmp_path: Path) -> None:
    whole = tiny_run(tmp_path / "whole", **QUICK, **changes)
    run_here(whole)
    stopped = stopped_and_gone_on(tmp_path / "stopped", **QUICK, **changes)
    assert same(weights(stopped), weights(whole))


@needs_packages
@pytest.mark.parametrize("dtype", ["int8", "nf4"])
def test_codes_give_the_answers_that_they_give_on_a_cpu(tmp_path: Path, dtype: str) -> None:
    source = source_of(tmp_path, "qwen2")
    here, there = (model_on(device, source, dtype=dtype).eval() for device in ("cpu", "cuda"))
    x, _ = windows()
    with torch.no_grad():
        expected, found = here(x), there(x.cuda()).cpu()
    # Everything is computed in bfloat16, 8 bits of mantissa, in another order.
    assert (found - expected).abs().max() <= 3e-2 * expected.abs().max()


def job_on_the_gpu(**changes: Any) -> Job:
    return build(parse_config(tiny_tables(train__device="cuda", **changes), "config.toml"))


@pytest.mark.slow
def test_compiled_parts_are_the_same_function() -> None:
    plain, compiled = job_on_the_gpu(), job_on_the_gpu(train__compile=True)
    x, _ = plain.data.train.batch(torch.arange(5))
    answers = [job.model.eval()(x) for job in (plain, compiled)]
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_goes_from_a_gpu_to_a_cpu(tmp_path: Path) -> None:
    """Not to the same bits: to a run that ends, with errors that differ by rounding."""
    layout = tiny_run(tmp_path, **QUICK, checkpoint__every_steps=4)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    changed = {**QUICK, "train__device": "cpu"}
    run_here(tiny_run(tmp_path, **changed, checkpoint__every_steps=4), resume=True)
    assert [event.epoch for event in only(layout, ev.EpochEnded)] == [1]
    assert only(layout, ev.TrainingStarted)[-1].device == "cpu"
