"""Errors by variable and by step: parts of one whole, whatever the batches were."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timellm_engine.results.metrics import Sums


def summed(
    variables: int, pred_len: int, windows: int, batch: int, seed: int
) -> tuple[Sums, torch.Tensor, torch.Tensor]:
    """Sums over random forecasts; of which variable each window is; and the differences."""
    generator = torch.Generator().manual_seed(seed)
    of = torch.cat(
        (torch.arange(variables), torch.randint(variables, (windows,), generator=generator))
    )
    forecast = torch.randn(len(of), pred_len, generator=generator)
    truth = torch.randn(len(of), pred_len, generator=generator)
    sums = Sums.none(variables, pred_len)
    for begin in range(0, len(of), batch):
        piece = slice(begin, begin + batch)
        sums.add(of[piece], forecast[piece], truth[piece])
    return sums, of, (forecast - truth).double()


shapes = st.tuples(
    st.integers(1, 4), st.integers(1, 6), st.integers(0, 20), st.integers(1, 9), st.integers(0, 99)
)


@given(shapes)
def test_overall_errors_are_the_means_over_all_values(shape: tuple[int, ...]) -> None:
    sums, _, difference = summed(*shape)
    assert sums.overall().mse == pytest.approx(difference.square().mean().item())
    assert sums.overall().mae == pytest.approx(difference.abs().mean().item())


@given(shapes)
def test_variables_by_their_windows_and_steps_evenly_make_up_the_whole(
    shape: tuple[int, ...],
) -> None:
    sums, of, difference = summed(*shape)
    names = tuple(f"v{i}" for i in range(shape[0]))
    by_variable = sums.by_variable(names, (1.0,) * shape[0])
    shares = [(of == number).double().mean().item() for number in range(shape[0])]
    for error in ("mse", "mae"):
        whole = getattr(sums.overall(), error)
        parts = [getattr(score, error) for score in by_variable]
        assert sum(s * p for s, p in zip(shares, parts, strict=True)) == pytest.approx(whole)
        steps = [getattr(score, error) for score in sums.by_step()]
        assert sum(steps) / len(steps) == pytest.approx(whole)
    for number, score in enumerate(by_variable):
        assert score.mse == pytest.approx(difference[of == number].square().mean().item())


@given(shapes, st.floats(0.01, 100.0))
def test_original_errors_are_those_of_values_that_were_scaled_by_the_deviation(
    shape: tuple[int, ...], deviation: float
) -> None:
    sums, of, difference = summed(*shape)
    names = tuple(f"v{i}" for i in range(shape[0]))
    for number, score in enumerate(sums.by_variable(names, (deviation,) * shape[0])):
        original = difference[of == number] * deviation
        assert score.mse_original == pytest.approx(original.square().mean().item())
        assert score.mae_original == pytest.approx(original.abs().mean().item())
        assert score.deviation == deviation


def test_a_batch_tells_the_squared_error_of_each_of_its_windows() -> None:
    sums = Sums.none(2, 2)
    truth = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    told = sums.add(torch.tensor([0, 1]), torch.tensor([[3.0, 1.0], [1.0, 3.0]]), truth)
    assert told.tolist() == [5.0, 2.0]
    assert sums.windows.tolist() == [1, 1]
