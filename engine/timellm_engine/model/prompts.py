"""The prompt in front of the patches: statistics of a window, put into words.

The wording is part of the function (Jin et al. 2024, section 3.2, "Prompt-as-Prefix"): the
published code writes numbers as Python writes floats and runs the sentences together without a
blank, and a backbone sees every character of it. So it is reproduced to the letter.
"""

from typing import NamedTuple

import torch
from torch import Tensor

TOP_LAGS = 5

_TRANSFORMER = (
    "The oil temperature of an electricity transformer and its loads at three levels, every "
    "{step}. Daily cycles and seasons."
)
_DESCRIPTIONS = {
    "ETTh1": _TRANSFORMER.format(step="hour"),
    "ETTh2": _TRANSFORMER.format(step="hour"),
    "ETTm1": _TRANSFORMER.format(step="15 minutes"),
    "ETTm2": _TRANSFORMER.format(step="15 minutes"),
    "Weather": (
        "A weather station in Germany, every 10 minutes for a year: temperature, pressure, "
        "humidity, wind, rain and radiation."
    ),
    "ECL": (
        "The hourly electricity consumption of 321 customers over three years. Daily and weekly "
        "cycles."
    ),
    "Traffic": (
        "The hourly occupancy of freeway lanes at 862 places around San Francisco, a share from 0 "
        "to 1. It peaks with the commute on working days."
    ),
    "Exchange": (
        "The daily exchange rates of the currencies of eight countries over twenty years. They "
        "drift and have no season."
    ),
    "ILI": (
        "Weekly reports on patients with influenza-like illness in the United States: shares of "
        "all visits, and numbers by age. It rises every winter."
    ),
    "synthetic": (
        "A synthetic series of hourly readings with daily and weekly cycles, a slow trend and "
        "noise."
    ),
}
"""In our own words; a config says it better in `prompt.description`."""
_NEUTRAL_DESCRIPTION = "A time series of readings taken at regular intervals."


class WindowStatistics(NamedTuple):
    """What a prompt says about one normalised window; plain numbers, as they will be printed."""

    minimum: float
    maximum: float
    median: float
    """The lower median where the window has an even number of steps, as `torch.median` has it."""
    upward: bool
    """Whether the window ends above where it began: the sign of the sum of its differences."""
    lags: tuple[int, ...]
    """The lags of highest circular autocorrelation, best first; lag 0 is always among them."""


def default_description(dataset: str) -> str:
    """What a data set is, for a config that does not say; a neutral sentence for a custom one."""
    return _DESCRIPTIONS.get(dataset, _NEUTRAL_DESCRIPTION)


def window_statistics(windows: Tensor) -> list[WindowStatistics]:
    """The statistics of each row of `windows`, `[rows, time]`, already instance-normalised.

    Computed in float32 in the order of the published code, since the last digit of a number is
    a token of its own.
    """
    return [
        WindowStatistics(minimum, maximum, median, upward, tuple(lags))
        for minimum, maximum, median, upward, lags in zip(
            windows.amin(dim=1).tolist(),
            windows.amax(dim=1).tolist(),
            lower_median(windows).tolist(),
            (windows.diff(dim=1).sum(dim=1) > 0).tolist(),
            top_lags(windows).tolist(),
            strict=True,
        )
    ]


def lower_median(windows: Tensor) -> Tensor:
    """The median of each row, the lower one of two: `torch.median`, which has no kernel on a GPU
    that finds the same index every time, though only the value is wanted."""
    return windows.sort(dim=1).values[:, (windows.shape[1] - 1) // 2]


def top_lags(windows: Tensor) -> Tensor:
    """The `TOP_LAGS` lags of highest circular autocorrelation, `[rows, time]` to `[rows, lags]`.

    By the Wiener–Khinchin theorem: the inverse transform of the power spectrum. A window with
    fewer steps has fewer lags.
    """
    spectrum = torch.fft.rfft(windows, dim=-1)
    correlation = torch.fft.irfft(spectrum * torch.conj(spectrum), dim=-1)
    count = min(TOP_LAGS, correlation.shape[-1])
    return torch.topk(correlation, count, dim=-1).indices


def prompt_text(
    statistics: WindowStatistics | None, description: str, seq_len: int, pred_len: int
) -> str:
    """The prompt of one window, in the published wording; without `statistics`, of any window."""
    beginning = (
        f"<|start_prompt|>Dataset description: {description}"
        f"Task description: forecast the next {pred_len} steps given the previous {seq_len} steps "
        "information; "
    )
    if statistics is None:
        return f"{beginning}<|<end_prompt>|>"
    trend = "upward" if statistics.upward else "downward"
    return (
        f"{beginning}Input statistics: "
        f"min value {statistics.minimum}, "
        f"max value {statistics.maximum}, "
        f"median value {statistics.median}, "
        f"the trend of input is {trend}, "
        f"top 5 lags are : {list(statistics.lags)}<|<end_prompt>|>"
    )
