"""About how long the card will take to cool or to heat, judged by what it did before.

Rough on purpose: a first-order card (one heat capacity, one thermal resistance) and nothing
known of the fan. Every answer is `None` rather than a guess without data behind it.
"""

import math
from collections.abc import Sequence

from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.readings import Temperature, known

_FEWEST_READINGS = 9
_SMALLEST_RISE_C = 5.0
_NEAREST_FLOOR_C = 3.0
"""Closer than this to where the card idles, an exponential takes too long to be predicted."""


def cooling_s(recent: Sequence[TimedSample], from_c: float, to_c: float) -> float | None:
    """Seconds from `from_c` down to `to_c` with the engine standing still.

    As long as the last time, if it is on record; else by the time constant of the climb before,
    cooling towards the coolest reading there is, which is near idle when the run began cold.
    """
    readings = [t for t in map(known, recent) if t is not None]
    before = _last_passage_s(readings, from_c, to_c)
    if before is not None:
        return before
    climb = _last_climb(readings)
    time_constant_s = _time_constant_s(climb)
    if time_constant_s is None:
        return None
    floor_c = min(t.celsius for t in climb)
    if to_c - floor_c < _NEAREST_FLOOR_C or from_c <= to_c:
        return None
    return round(time_constant_s * math.log((from_c - floor_c) / (to_c - floor_c)), 1)


def heating_s(recent: Sequence[TimedSample], from_c: float, to_c: float) -> float | None:
    """Seconds from `from_c` up to `to_c` with the engine at work, as long as the last time."""
    mirrored = [Temperature(t.t, -t.celsius) for t in map(known, recent) if t is not None]
    return _last_passage_s(mirrored, -from_c, -to_c)


def _last_passage_s(readings: Sequence[Temperature], from_c: float, to_c: float) -> float | None:
    """How long the latest descent from a peak at or above `from_c` down to `to_c` took."""
    peak: Temperature | None = None
    passage_s: float | None = None
    for reading in readings:
        if reading.celsius >= from_c:
            if peak is None or reading.celsius >= peak.celsius:
                peak = reading
        elif reading.celsius <= to_c and peak is not None:
            passage_s = round(reading.t - peak.t, 1)
            peak = None
    return passage_s


def _last_climb(readings: Sequence[Temperature]) -> Sequence[Temperature]:
    """The readings from the coolest one on."""
    if not readings:
        return ()
    coolest = min(range(len(readings)), key=lambda i: (readings[i].celsius, -i))
    return readings[coolest:]


def _time_constant_s(climb: Sequence[Temperature]) -> float | None:
    """The time constant of an exponential approach, from its start, middle and end.

    Over two equal stretches of time it covers rises in the ratio `exp(-stretch / constant)`.
    Start, middle and end are means of a few readings, as sensors tell whole degrees.
    """
    if len(climb) < _FEWEST_READINGS:
        return None
    width = max(3, len(climb) // 10)
    half = (len(climb) - width) // 2
    start, middle, end = (_mean(climb[first : first + width]) for first in (0, half, 2 * half))
    first_rise, second_rise = middle.celsius - start.celsius, end.celsius - middle.celsius
    stretch_s = (end.t - start.t) / 2
    if first_rise + second_rise < _SMALLEST_RISE_C or stretch_s <= 0.0:
        return None
    if not 0.02 * first_rise < second_rise < 0.98 * first_rise:
        return None
    return -stretch_s / math.log(second_rise / first_rise)


def _mean(readings: Sequence[Temperature]) -> Temperature:
    count = len(readings)
    return Temperature(sum(r.t for r in readings) / count, sum(r.celsius for r in readings) / count)
