"""Computing in bfloat16: nearly the same forecasts, and nothing held in it that need not be."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_backbones import save_backbone
from tiny_runs import tiny_tables
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.build import Job, build
from timellm_engine.training.evaluate import evaluate
from timellm_ops.contract.validation import parse_config


def a_job(**changes: Any) -> Job:
    return build(parse_config(tiny_tables(**changes), "config.toml"))


@pytest.fixture(scope="module")
def fp32() -> Job:
    return a_job()


@pytest.fixture(scope="module")
def bf16() -> Job:
    return a_job(train__precision="bf16")


def batch(job: Job) -> tuple[Tensor, Tensor]:
    return job.data.train.batch(torch.arange(12))


def forecast(job: Job) -> Tensor:
    job.model.eval()
    with torch.inference_mode():
        answer: Tensor = job.model(batch(job)[0])
    return answer


def test_forecasts_are_the_same_but_for_the_rounding_of_bfloat16(fp32: Job, bf16: Job) -> None:
    exact, rounded = forecast(fp32), forecast(bf16)
    assert rounded.dtype == torch.float32
    difference = (exact - rounded).abs().max() / exact.abs().max()
    assert 1e-5 < difference < 2e-2


def test_weights_gradients_and_moments_stay_in_float32(bf16: Job) -> None:
    x, y = batch(bf16)
    bf16.model.train()
    functional.mse_loss(bf16.model(x), y).backward()  # type: ignore[no-untyped-call]
    bf16.optimiser.step()
    for parameter in bf16.trainable:
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert bool(parameter.grad.abs().max() > 0)
        assert {t.dtype for t in bf16.optimiser.state[parameter].values()} == {torch.float32}


def test_gradients_point_where_those_of_float32_do() -> None:
    found = []
    for precision in ("fp32", "bf16"):
        job = a_job(train__precision=precision, model__dropout=0.0, model__attention_dropout=0.0)
        x, y = batch(job)
        functional.mse_loss(job.model(x), y).backward()  # type: ignore[no-untyped-call]
        found.append(torch.cat([p.grad.flatten() for p in job.trainable if p.grad is not None]))
    assert functional.cosine_similarity(*found, dim=0) > 0.999


def test_prompts_are_read_ahead_in_bfloat16_too(fp32: Job, bf16: Job) -> None:
    forecast(fp32), forecast(bf16)
    assert fp32.model._prefix is not None
    assert bf16.model._prefix is not None


def test_a_repeated_forecast_has_the_same_bits(bf16: Job) -> None:
    first = forecast(bf16)  # whatever is found out about the backbone on the way
    again = a_job(train__precision="bf16")
    again.model.load_trainable_state(bf16.model.trainable_state())
    assert torch.equal(first, forecast(bf16))
    assert torch.equal(first, forecast(again))


def test_an_evaluation_is_in_the_precision_of_training(fp32: Job, bf16: Job) -> None:
    exact = evaluate(fp32.model, fp32.data.vali, 8)
    bf16.model.load_trainable_state(fp32.model.trainable_state())
    rounded = evaluate(bf16.model, bf16.data.vali, 8)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=2e-2)


def test_folded_prototypes_forecast_the_same_bits_in_bfloat16(bf16: Job) -> None:
    config = bf16.config
    folded = TimeLLM(
        bf16.backbone, config.model, config.prompt, bf16.model.description,
        config.data.seq_len, config.data.pred_len, folded=True, precision="bf16",
    )  # fmt: skip
    folded.load_trainable_state(bf16.model.folded_state())
    folded.eval()
    with torch.inference_mode():
        assert torch.equal(folded(batch(bf16)[0]), forecast(bf16))


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_every_kind_of_backbone_computes_in_it(family: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path, family)
    difference = {}
    exact = forecast(a_job(backbone__source=str(folder)))
    for precision, dtype in (("bf16", "float32"), ("fp32", "bfloat16"), ("bf16", "bfloat16")):
        job = a_job(backbone__source=str(folder), backbone__dtype=dtype, train__precision=precision)
        difference[precision, dtype] = (forecast(job) - exact).abs().max() / exact.abs().max()
    assert all(1e-5 < each < 5e-2 for each in difference.values()), difference


def test_a_model_has_gpus_compute_float32_in_full() -> None:
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = True
        a_job()
        assert [switch.allow_tf32 for switch in switches] == [False, False]
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value
