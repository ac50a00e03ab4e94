"""Simple forecasters to hold a trained model against, on the same scaled windows.

Whoever cannot beat the last value has learned nothing, and a linear map is hard to beat on many
series (Zeng et al., AAAI 2023, arXiv 2205.13504).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from timellm_ops.contract.frequency import parse_frequency

Forecaster = Callable[[Tensor], Tensor]
"""From windows `[count, seq_len]` to forecasts `[count, pred_len]`."""
Tell = Callable[[int, int], None]
"""Hears how much of how much is done."""

MOVING_AVERAGE = 25
"""Steps over which DLinear's trend is averaged, as published."""
RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Strengths of the penalty that validation chooses from, as a share of a window's power."""
_DAY_NS, _MONTHS = 24 * 3600 * 10**9, 12


def _silent(_done: int, _total: int) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A forecaster, in words too; without `forecast` it cannot do these windows."""

    name: str
    detail: str
    forecast: Forecaster | None


def last_value(pred_len: int) -> Baseline:
    """Nothing changes any more."""
    return Baseline(
        name="last value",
        detail="the last value of the window, at every step",
        forecast=lambda x: x[:, -1:].expand(-1, pred_len),
    )


def window_mean(pred_len: int) -> Baseline:
    """Everything returns to the mean of what was seen."""
    return Baseline(
        name="window mean",
        detail="the mean of the window, at every step",
        forecast=lambda x: x.mean(dim=1, keepdim=True).expand(-1, pred_len),
    )


def seasonal_naive(seq_len: int, pred_len: int, season: int | None) -> Baseline:
    """The last season comes again, as often as the horizon needs it."""
    name = "seasonal naive"
    if season is None:
        detail = "no usual season at this frequency: give one with --season"
        return Baseline(name=name, detail=detail, forecast=None)
    if season > seq_len:
        detail = f"a season of {season} steps is longer than a window of {seq_len}"
        return Baseline(name=name, detail=detail, forecast=None)
    steps = seq_len - season + torch.arange(pred_len) % season
    return Baseline(
        name=name,
        detail=f"the last {season} steps of the window, again and again",
        forecast=lambda x: x[:, steps],
    )


def usual_season(frequency: str) -> int | None:
    """Steps of the season that a series of this frequency usually has.

    A day where there are several rows a day, a week of days, a year of weeks, months or quarters.
    """
    step = parse_frequency(frequency)
    if step is None:
        return None
    if step.nanoseconds is None:
        seasons, rest = divmod(_MONTHS, step.number)
        return seasons if seasons > 1 and not rest else None
    if 2 * step.nanoseconds <= _DAY_NS:
        return round(_DAY_NS / step.nanoseconds)
    return {"1d": 7, "1w": 52}.get(str(step))


class DLinear:
    """DLinear: a trend and a remainder, each through one linear map that all variables share.

    The trend is a moving average with the ends held. Both maps together are linear in the window,
    so they need not be trained step by step: they are solved for, in float64, as least squares
    over all training windows with a ridge penalty, whose strength the validation windows choose.
    """

    def __init__(
        self, train: Tensor, vali: Tensor, seq_len: int, pred_len: int, tell: Tell = _silent
    ) -> None:
        """Fit to the scaled rows of two splits, look-back included, `[variables, rows]` each."""
        length = seq_len + pred_len
        total = 2 * length + len(RIDGES)
        fitted = window_moments(train, length, lambda done: tell(done, total))
        checked = window_moments(vali, length, lambda done: tell(length + done, total))
        mean = fitted.sums / fitted.windows
        # With the means taken out, the intercept needs no penalty and no column of its own.
        centred = fitted.products - fitted.windows * torch.outer(mean, mean)
        parts = decomposition(seq_len)
        gram = parts @ centred[:seq_len, :seq_len] @ parts.T
        right = parts @ centred[:seq_len, seq_len:]
        lowest = math.inf
        for number, strength in enumerate(RIDGES):
            ridge = strength * fitted.windows / seq_len
            maps = torch.linalg.solve(gram + ridge * torch.eye(2 * seq_len).double(), right)
            weight = parts.T @ maps
            bias = mean[seq_len:] - mean[:seq_len] @ weight
            error = _squared_error(checked, weight, bias)
            if error < lowest:
                lowest, self.ridge, self.weight, self.bias = error, strength, weight, bias
            tell(2 * length + number + 1, total)

    def __call__(self, x: Tensor) -> Tensor:
        """Forecasts for windows `[count, seq_len]`."""
        forecast: Tensor = x.double() @ self.weight + self.bias
        return forecast


def dlinear(
    train: Tensor, vali: Tensor, seq_len: int, pred_len: int, tell: Tell = _silent
) -> Baseline:
    """DLinear, fitted to the scaled rows of two splits, `[variables, rows]` each."""
    fitted = DLinear(train, vali, seq_len, pred_len, tell)
    return Baseline(
        name="DLinear",
        detail=(
            f"trend and remainder of {MOVING_AVERAGE} steps, two linear maps, fitted to the "
            f"training windows"
        ),
        forecast=fitted,
    )


class Moments(NamedTuple):
    """What least squares needs of all windows of a series."""

    windows: int
    sums: Tensor
    """Of every step of the windows, `[length]`, in float64."""
    products: Tensor
    """Of every step with every other, `[length, length]`, in float64."""


def window_moments(
    series: Tensor, length: int, tell: Callable[[int], None] = lambda _done: None
) -> Moments:
    """The moments of all windows of `[variables, rows]`, without laying the windows out.

    What a step and another one a lag later have as products, in one window after the other, are
    stretches of one running sum.
    """
    rows = series.double()
    windows = rows.shape[1] - length + 1

    def stretches(values: Tensor, count: int) -> Tensor:
        running = torch.nn.functional.pad(values.cumsum(0), (1, 0))
        return running[windows : windows + count] - running[:count]

    products = torch.zeros(length, length, dtype=torch.float64)
    for lag in range(length):
        tell(lag)
        together = (rows[:, : rows.shape[1] - lag] * rows[:, lag:]).sum(dim=0)
        products.diagonal(lag).copy_(stretches(together, length - lag))
    products = products + products.triu(1).T
    return Moments(windows * len(rows), stretches(rows.sum(dim=0), length), products)


def _squared_error(moments: Moments, weight: Tensor, bias: Tensor) -> float:
    """Of a linear map, summed over all windows."""
    residual = torch.cat((-weight, torch.eye(weight.shape[1], dtype=torch.float64)))
    quadratic = (residual * (moments.products @ residual)).sum()
    linear = (moments.sums @ residual) @ bias
    return float(quadratic - 2 * linear + moments.windows * bias @ bias)


def decomposition(seq_len: int) -> Tensor:
    """`[2 × seq_len, seq_len]`: the remainder of a window above its trend, as one linear map."""
    reach = (MOVING_AVERAGE - 1) // 2
    near = torch.arange(seq_len).unsqueeze(1) + torch.arange(-reach, reach + 1)
    trend = torch.zeros(seq_len, seq_len, dtype=torch.float64)
    weights = torch.full((seq_len, MOVING_AVERAGE), 1.0 / MOVING_AVERAGE, dtype=torch.float64)
    trend.scatter_add_(1, near.clamp(0, seq_len - 1), weights)
    return torch.cat((torch.eye(seq_len, dtype=torch.float64) - trend, trend))
