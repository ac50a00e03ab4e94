"""Where a temperature stands and goes: a line through noisy readings in whole degrees."""

import math
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from timellm_policies.readings import Temperature

FIT_S = 30.0
"""Readings of so long are looked at for a line."""
SOON_S = 30.0
_FEWEST = 5

_replace = msgspec.structs.replace


class Trend(Struct, frozen=True):
    """A line through readings: its value at its end, and its slope per second."""

    celsius: float
    per_s: float
    error_c: float
    """Standard error of its value at its end."""
    error_ahead_c: float
    """Standard error of its value `SOON_S` later."""
    error_per_s: float
    """Standard error of its slope."""


def trend(readings: Sequence[Temperature]) -> Trend | None:
    """The least-squares line through `readings`; `None` where they are too few."""
    count = len(readings)
    if count < _FEWEST:
        return None
    mean_t = sum(r.t for r in readings) / count
    mean_c = sum(r.celsius for r in readings) / count
    spread = sum((r.t - mean_t) ** 2 for r in readings)
    if spread <= 0.0:
        return None
    slope = sum((r.t - mean_t) * (r.celsius - mean_c) for r in readings) / spread
    off = sum((r.celsius - mean_c - slope * (r.t - mean_t)) ** 2 for r in readings)
    noise_c = math.sqrt(off / (count - 2))
    half_s = readings[-1].t - mean_t
    return Trend(
        mean_c + slope * half_s,
        slope,
        noise_c * math.sqrt(1.0 / count + half_s**2 / spread),
        noise_c * math.sqrt(1.0 / count + (half_s + SOON_S) ** 2 / spread),
        noise_c / math.sqrt(spread),
    )


def trend_at(readings: Sequence[Temperature], t: float) -> Trend | None:
    """Where the card was at second `t`: by the readings before it, or else by those after it."""
    line = trend([r for r in readings if t - FIT_S < r.t <= t])
    if line is not None:
        return line
    after = [r for r in readings if t < r.t <= t + FIT_S]
    line = trend(after)
    if line is None:
        return None
    return _replace(line, celsius=line.celsius - line.per_s * (after[-1].t - after[0].t))
