"""What a config becomes: the device, the threads, and the numbers that are announced."""

import os
from typing import Any

import pytest
import torch
from tiny_runs import tiny_tables

from timellm_engine.errors import PreflightError, one_line
from timellm_engine.training.build import (
    build,
    choose_device,
    choose_threads,
    place_of,
    visible_index,
)
from timellm_ops.contract.config import Config
from timellm_ops.contract.validation import parse_config

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def config(**changes: Any) -> Config:
    return parse_config(tiny_tables(**changes), "config.toml")


@no_gpu
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert choose_device(config()).type == "cpu"
    with pytest.raises(PreflightError, match=r'train.device: found "cuda"'):
        choose_device(config(train__device="cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_with_a_gpu_auto_is_the_one_that_is_watched() -> None:
    assert choose_device(config()).type == "cuda"
    assert choose_device(config(train__device="cpu")).type == "cpu"
    with pytest.raises(PreflightError, match=r"gpu.index: found 99"):
        choose_device(config(gpu__index=99))


def test_threads_are_as_configured_and_else_within_the_affinity() -> None:
    before = torch.get_num_threads()
    try:
        choose_threads(3)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1000)
        choose_threads(None)
        assert torch.get_num_threads() <= len(os.sched_getaffinity(0))
    finally:
        torch.set_num_threads(before)


def test_the_numbers_that_are_announced() -> None:
    before = torch.get_num_threads()
    job = build(config())
    torch.set_num_threads(before)
    told = job.announcement(2, 5)
    assert (told.train_samples, told.vali_samples, told.test_samples) == (93, 13, 29)
    assert (told.steps_per_epoch, told.start_epoch, told.start_iteration) == (6, 2, 5)
    assert told.trainable_parameters == sum(p.numel() for p in job.model.trainable_state().values())
    assert told.frozen_parameters == sum(p.numel() for p in job.backbone.model.parameters())


def test_the_same_seed_draws_the_same_weights_and_another_does_not() -> None:
    first, again, other = (
        build(config(**changes)).model.trainable_state() for changes in ({}, {}, {"run__seed": 7})
    )
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["prototypes.values"], other["prototypes.values"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RuntimeError("CUDA out of memory.\nTried to"), "RuntimeError: CUDA out of memory."),
        (KeyError(), "KeyError"),
        (ValueError("\n\n  second line"), "ValueError: second line"),
    ],
)
def test_an_exception_as_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_the_watched_gpu_is_found_among_the_visible_ones() -> None:
    assert visible_index(1, None) == 1
    assert visible_index(1, "0,1") == 1
    assert visible_index(3, "3") == 0
    assert visible_index(0, "GPU-1a2b") == 0


def test_the_watched_gpu_is_found_by_its_uuid() -> None:
    seen = ["1a2b-77", "1a2c-78"]
    assert place_of("GPU-1a2c-78", seen) == 1
    assert place_of("GPU-1a2b", [f"GPU-{uuid}" for uuid in seen]) == 0
    assert place_of("GPU-1a2", seen) is None
    assert place_of("GPU-9", seen) is None
    assert place_of("MIG-5", seen) == 0
