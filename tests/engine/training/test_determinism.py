"""Deterministic kernels are asked for, and what has none is told by the config's key."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import tiny_tables
from torch.nn import functional

from timellm_engine.errors import PreflightError
from timellm_engine.model.prompts import lower_median
from timellm_engine.training.build import build
from timellm_engine.training.determinism import refused_kernel, use_deterministic_kernels
from timellm_ops.contract.validation import parse_config


@pytest.fixture(autouse=True)
def any_kernel_afterwards() -> Iterator[None]:
    yield
    use_deterministic_kernels(wanted=False)


def job_of(**changes: Any) -> None:
    build(parse_config(tiny_tables(**changes), "config.toml"))


def without_a_deterministic_kernel() -> None:
    functional.max_unpool1d(torch.ones(1, 1, 2), torch.tensor([[[0, 2]]]), 2)


def test_a_run_asks_for_kernels_that_repeat_themselves_unless_told_not_to() -> None:
    job_of()
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic
    job_of(run__deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


def test_it_costs_nothing_to_ask_for_memory() -> None:
    use_deterministic_kernels(wanted=True)
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


def test_an_operation_without_such_a_kernel_is_told_by_its_name_and_the_key() -> None:
    use_deterministic_kernels(wanted=True)
    with pytest.raises(RuntimeError) as caught:
        without_a_deterministic_kernel()
    refusal = refused_kernel(caught.value)
    assert str(refusal) == (
        "run.deterministic: found true, but this device has no kernel for "
        "max_unpooling2d_forward_out that gives the same bits every time; expected false, or "
        'train.device = "cpu"'
    )
    use_deterministic_kernels(wanted=False)
    without_a_deterministic_kernel()


@given(rows=st.integers(1, 5), time=st.integers(1, 40), few=st.booleans(), seed=st.integers(0, 99))
def test_a_median_without_an_index_is_torchs(rows: int, time: int, few: bool, seed: int) -> None:
    windows = torch.randn(rows, time, generator=torch.Generator().manual_seed(seed))
    windows = windows.round() if few else windows  # many values more than once, or hardly any
    assert torch.equal(lower_median(windows), windows.median(dim=1).values)


def test_what_else_goes_wrong_is_no_matter_of_determinism() -> None:
    assert refused_kernel(RuntimeError("CUDA out of memory.")) is None


def test_an_environment_that_forbids_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
    with pytest.raises(PreflightError, match=r"run.deterministic: .*CUBLAS_WORKSPACE_CONFIG=:0:0"):
        use_deterministic_kernels(wanted=True)
    use_deterministic_kernels(wanted=False)
