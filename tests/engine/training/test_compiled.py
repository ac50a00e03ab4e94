"""Compiled feed-forward parts: the same function, the same bits after a resume, or one line."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_backbones import save_backbone
from tiny_runs import run_here, same, tiny_run, tiny_tables, weights

from timellm_engine.errors import BackboneError, PreflightError
from timellm_engine.training.build import Job, build
from timellm_engine.training.compiled import compile_feed_forward
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import parse_config

needs_a_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")


@pytest.fixture(autouse=True)
def nothing_compiled_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    yield
    torch.compiler.reset()


def job_of(**changes: object) -> Job:
    return build(parse_config(tiny_tables(**changes), "config.toml"))


def as_at_a_new_start(layout: RunLayout, *, resume: bool = False) -> None:
    torch.compiler.reset()
    run_here(layout, resume=resume)


@needs_a_compiler
@pytest.mark.slow
def test_it_is_the_same_function_from_the_same_beginning() -> None:
    plain, drawn = job_of(), torch.get_rng_state()
    compiled, drawn_too = job_of(train__compile=True), torch.get_rng_state()
    assert torch.equal(drawn, drawn_too)
    assert same(plain.model.trainable_state(), compiled.model.trainable_state())
    assert all(parameter.grad is None for parameter in compiled.trainable)
    x, _ = plain.data.train.batch(torch.arange(5))
    answers = [job.model.eval()(x) for job in (plain, compiled)]
    torch.testing.assert_close(*answers, rtol=1e-5, atol=1e-6)
    for answer in answers:
        answer.square().mean().backward()
    for ours, theirs in zip(compiled.trainable, plain.trainable, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


@needs_a_compiler
@pytest.mark.slow
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_interrupted(tmp_path: Path) -> None:
    keeping = {"checkpoint__every_steps": 4, "checkpoint__keep": 2, "train__compile": True}
    whole = tiny_run(tmp_path / "whole", **keeping)
    as_at_a_new_start(whole)
    resumed = RunLayout(shutil.copytree(whole.root, tmp_path / "resumed"))
    for name in ("last", ".previous-last", "step-12"):
        shutil.rmtree(resumed.checkpoints / name, ignore_errors=True)
    shutil.rmtree(resumed.bundle)
    lines = resumed.engine_events.read_bytes().splitlines(keepends=True)
    ends = (b'"TestEvaluated"', b'"TrainingFinished"')
    resumed.engine_events.write_bytes(
        b"".join(line for line in lines if not any(end in line for end in ends))
    )
    as_at_a_new_start(resumed, resume=True)
    assert same(weights(whole), weights(resumed))


@needs_a_compiler
@pytest.mark.slow
def test_lengths_that_were_never_seen_need_no_new_compilation() -> None:
    job = job_of(train__compile=True)
    made = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert made > 0
    for windows in (3, 7):
        x, _ = job.data.train.batch(torch.arange(windows))
        job.model.train()(x).sum().backward()
        with torch.inference_mode():
            job.model.eval()(x)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == made


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize("wanted", [True, False])
def test_the_compiler_hears_whether_kernels_must_be_repeatable(wanted: bool) -> None:
    from torch._inductor import config

    config.deterministic = not wanted
    try:
        job_of(run__deterministic=wanted, train__compile=True)
        assert config.deterministic is wanted
    finally:
        config.deterministic = False
        torch.set_deterministic_debug_mode("default")


def test_a_backbone_without_such_parts_is_told_by_the_key(tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "bert", "bert")
    job = job_of(backbone__source=str(folder), model__d_ff=8)
    with pytest.raises(BackboneError, match=r"train\.compile: found true; expected false"):
        compile_feed_forward(job.model)


def test_a_machine_without_a_compiler_is_one_line() -> None:
    from torch._inductor import config

    job = job_of()
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(
            PreflightError, match=r"train\.compile: found true.*InvalidCxxCompiler.*; expected"
        ) as said,
    ):
        compile_feed_forward(job.model)
    assert "\n" not in str(said.value)
