"""Temperatures out of telemetry: which are known, and how many of them agree."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from msgspec import Struct

from timellm_ops.contract.telemetry import TimedSample


class Temperature(Struct, frozen=True):
    """A temperature, in °C, that was known at monotonic second `t`."""

    t: float
    celsius: float


def known(reading: TimedSample) -> Temperature | None:
    """The reading's temperature, if it has one."""
    celsius = None if reading.sample is None else reading.sample.temperature_c
    if celsius is None or not math.isfinite(celsius):
        return None
    return Temperature(reading.t, celsius)


def latest_known(
    recent: Sequence[TimedSample], count: int, after_t: float = -math.inf
) -> list[Temperature]:
    """The last `count` known temperatures later than `after_t`, oldest first."""
    found = (t for t in map(known, reversed(recent)) if t is not None and t.t > after_t)
    return list(islice(found, count))[::-1]


def latest_readings(
    recent: Sequence[TimedSample], count: int, after_t: float
) -> list[Temperature | None]:
    """The last `count` attempts later than `after_t`, oldest first, `None` for a failed one."""
    return [known(reading) for reading in recent[-count:] if reading.t > after_t]


def agreeing(
    temperatures: Iterable[Temperature], agrees: Callable[[float], bool]
) -> list[Temperature]:
    """Those whose value agrees."""
    return [temperature for temperature in temperatures if agrees(temperature.celsius)]


def degrees(celsius: float) -> str:
    """A temperature as a person reads it."""
    return f"{round(celsius, 1):g} °C"
