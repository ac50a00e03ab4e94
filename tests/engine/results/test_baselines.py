"""Simple forecasters: what each of them gets exactly right, and what it says where it cannot."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from timellm_engine.results.baselines import (
    MOVING_AVERAGE,
    DLinear,
    decomposition,
    dlinear,
    last_value,
    seasonal_naive,
    usual_season,
    window_mean,
    window_moments,
)


def series(variables: int, rows: int, seed: int = 1) -> Tensor:
    return torch.randn(variables, rows, generator=torch.Generator().manual_seed(seed))


def windows(rows: Tensor, seq_len: int, pred_len: int) -> tuple[Tensor, Tensor]:
    both = rows.unfold(1, seq_len + pred_len, 1).flatten(end_dim=1)
    return both[:, :seq_len], both[:, seq_len:]


@given(
    season=st.integers(1, 12), more=st.integers(0, 9), pred_len=st.integers(1, 40),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_seasonal_naive_is_exact_on_a_series_that_repeats(
    season: int, more: int, pred_len: int, seed: int
) -> None:
    seq_len = season + more
    repeated = series(1, season, seed).repeat(1, 10 + (seq_len + pred_len) // season)
    x, y = windows(repeated, seq_len, pred_len)
    forecast = seasonal_naive(seq_len, pred_len, season).forecast
    assert forecast is not None
    assert torch.equal(forecast(x), y)


def test_a_season_that_does_not_fit_is_said_and_not_forecast() -> None:
    found = seasonal_naive(16, 4, 24)
    assert found.forecast is None
    assert "24 steps is longer than a window of 16" in found.detail
    unknown = seasonal_naive(16, 4, None)
    assert unknown.forecast is None
    assert "--season" in unknown.detail


def test_the_last_value_and_the_mean_are_held_to_the_horizons_end() -> None:
    x = torch.tensor([[1.0, 2.0, 6.0]])
    for baseline, value in ((last_value(4), 6.0), (window_mean(4), 3.0)):
        assert baseline.forecast is not None
        assert baseline.forecast(x).tolist() == [[value] * 4]


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("1h", 24), ("15min", 96), ("10min", 144), ("6h", 4), ("12h", 2), ("1d", 7), ("1w", 52),
     ("1mo", 12), ("3mo", 4), ("12mo", None), ("5mo", None), ("2d", None), ("18h", None),
     ("nonsense", None)],
)  # fmt: skip
def test_the_usual_season_is_a_day_of_hours_a_week_of_days_or_a_year(
    frequency: str, season: int | None
) -> None:
    assert usual_season(frequency) == season


@given(st.integers(1, 3), st.integers(2, 14), st.integers(0, 20), st.integers(0, 99))
def test_moments_are_those_of_the_windows_laid_out(
    variables: int, length: int, more: int, seed: int
) -> None:
    rows = series(variables, length + more, seed)
    found = window_moments(rows, length)
    laid_out = rows.double().unfold(1, length, 1).flatten(end_dim=1)
    assert found.windows == len(laid_out)
    torch.testing.assert_close(found.sums, laid_out.sum(dim=0))
    torch.testing.assert_close(found.products, laid_out.T @ laid_out)


@given(st.integers(1, 60), st.integers(0, 99))
def test_remainder_and_trend_add_up_to_the_window(seq_len: int, seed: int) -> None:
    x = series(1, seq_len, seed).double()
    remainder, trend = (decomposition(seq_len) @ x.T).T.chunk(2, dim=1)
    torch.testing.assert_close(remainder + trend, x)
    padded = torch.nn.functional.pad(x, (MOVING_AVERAGE // 2,) * 2, mode="replicate")
    moving = torch.nn.functional.avg_pool1d(padded, MOVING_AVERAGE, stride=1)
    torch.testing.assert_close(trend, moving)


def sine(rows: int, noise: float) -> Tensor:
    steps = torch.arange(rows)
    waves = torch.stack([torch.sin(2 * math.pi * steps / 24), torch.cos(2 * math.pi * steps / 11)])
    return waves + noise * series(2, rows)


def errors(forecast: Tensor, truth: Tensor) -> float:
    return float((forecast - truth).square().mean())


def test_dlinear_beats_the_last_value_on_a_sine() -> None:
    rows = sine(900, noise=0.1)
    fitted = DLinear(rows[:, :500], rows[:, 500:700], 48, 12)
    x, y = windows(rows[:, 700:], 48, 12)
    naive = last_value(12).forecast
    assert naive is not None
    assert errors(fitted(x), y) < 0.02 < 0.5 < errors(naive(x), y)


def test_dlinear_learns_a_linear_rule_with_an_intercept_exactly() -> None:
    """Each value is 0.9 times the one before it, plus 5: far from zero in the mean."""
    rows = torch.empty(3, 400)
    rows[:, 0] = torch.tensor([0.0, 30.0, 90.0])
    for step in range(1, 400):
        rows[:, step] = 0.9 * rows[:, step - 1] + 5 + series(3, 1, step)[:, 0]
    fitted = DLinear(rows[:, :300], rows[:, 200:], 8, 1)
    x = torch.full((1, 8), 50.0)
    assert fitted(x).item() == pytest.approx(50.0, abs=0.5)


def test_the_ridge_is_the_one_that_validation_likes_best() -> None:
    noise_alone = DLinear(series(1, 120, 1), series(1, 400, 2), 40, 4)
    rule = DLinear(sine(900, 0.0)[:, :600], sine(900, 0.0)[:, 600:], 48, 12)
    assert noise_alone.ridge > rule.ridge


def test_dlinear_is_the_same_every_time_and_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    rows = sine(300, 0.2)
    first = dlinear(
        rows[:, :200], rows[:, 200:], 24, 6, lambda done, total: told.append((done, total))
    )
    second = dlinear(rows[:, :200], rows[:, 200:], 24, 6)
    x, _ = windows(rows, 24, 6)
    assert first.forecast is not None
    assert second.forecast is not None
    assert torch.equal(first.forecast(x), second.forecast(x))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
