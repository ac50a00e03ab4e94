"""A card and its room, as a recorded run's temperatures and power tell of them.

The model is the rehearsal's own: first order, towards `room + resistance * power` with one time
constant. For each time constant of a grid the power is filtered with it, and the temperature is
then a straight line over what comes out: the slope is the resistance. The time constant with the
smallest squares is taken. Fitting the output of the model, not differences of readings, is what
keeps whole degrees and noise from biasing it (Ljung, "System Identification", 2nd ed., section
7.3).
"""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from timellm_ops.contract.events import JournalRecord, Progress, Telemetry

_BIN_S = 5.0
_LONGEST_GAP_S = 60.0
_FEWEST_BINS = 120
_SMALLEST_SPREAD_W = 2.0
_ROOM_POINTS = 24
_TIME_CONSTANTS_S = tuple(15.0 * 1.15**i for i in range(24))
_ROOM_C = (-20.0, 80.0)


class NotIdentifiable(ValueError):  # noqa: N818 - it says what is the matter
    """The recording tells too little. The text is one line."""


class Identified(Struct, frozen=True, kw_only=True):
    """What a recording tells."""

    time_constant_s: float
    resistance_c_per_w: float
    room_c: tuple[float, ...]
    """At points evenly apart; what else warms the card, such as the processor, is in it."""
    idle_power_w: float
    load_power_w: float
    step_s: float | None
    hours: float
    error_c: float
    """Root of the mean square of what the model misses."""


class _Bin(Struct, frozen=True):
    t: float
    celsius: float
    power_w: float
    begins: bool
    """Nothing is known of the time before it."""


def identify(records: Iterable[JournalRecord]) -> Identified:
    """The card of a journal. Raises `NotIdentifiable`."""
    readings: list[tuple[float, float, float]] = []
    steps_s: list[float] = []
    for record in records:
        event = record.event
        if isinstance(event, Progress) and event.seconds_per_iteration is not None:
            steps_s.append(event.seconds_per_iteration)
        if not isinstance(event, Telemetry) or event.t is None:
            continue
        celsius, power_w = event.sample.temperature_c, event.sample.power_w
        if celsius is not None and power_w is not None:
            readings.append((event.t, celsius, power_w))
    bins = _bins(readings)
    if len(bins) < _FEWEST_BINS:
        minutes = _FEWEST_BINS * _BIN_S / 60.0
        raise NotIdentifiable(
            f"found {len(bins) * _BIN_S / 60.0:.0f} minutes with temperature and power;"
            f" expected at least {minutes:g}"
        )
    best = min((_fit(bins, tau) for tau in _TIME_CONSTANTS_S), key=lambda fit: fit.missed)
    if not math.isfinite(best.missed) or best.resistance <= 0.0:
        raise NotIdentifiable(
            "found a power that hardly changes; expected a recording with its warming up, or with"
            " pauses"
        )
    powers = sorted(b.power_w for b in bins)
    steps_s.sort()
    return Identified(
        time_constant_s=round(best.tau, 1),
        resistance_c_per_w=round(best.resistance, 4),
        room_c=_room(best.room_c),
        idle_power_w=round(powers[len(powers) // 50], 1),
        load_power_w=round(powers[-1 - len(powers) // 20], 1),
        step_s=steps_s[len(steps_s) // 2] if steps_s else None,
        hours=(bins[-1].t - bins[0].t) / 3600.0,
        error_c=round(math.sqrt(best.missed), 2),
    )


def _bins(readings: Sequence[tuple[float, float, float]]) -> list[_Bin]:
    """Means over `_BIN_S` on a clock that has neither jumps nor gaps."""
    bins: list[_Bin] = []
    clock = 0.0
    held: list[tuple[float, float]] = []
    began, before, begins = 0.0, None, True
    for t, celsius, power_w in readings:
        gap_s = 0.0 if before is None else t - before
        before = t
        if not 0.0 <= gap_s <= _LONGEST_GAP_S:
            held, begins, gap_s = [], True, 0.0
            began = clock
        clock += gap_s
        held.append((celsius, power_w))
        if clock - began >= _BIN_S:
            count = len(held)
            mean_c, mean_w = (sum(column) / count for column in zip(*held, strict=True))
            bins.append(_Bin(clock, mean_c, mean_w, begins))
            held, began, begins = [], clock, False
    return bins


class _Fit(Struct, frozen=True):
    """What is left over, and what was found for one time constant."""

    missed: float
    """Mean square, in °C²; infinite where the power says nothing."""
    tau: float
    resistance: float
    room_c: tuple[float, ...] = ()
    """For each bin, the temperature without the card's own heat."""


def _fit(bins: Sequence[_Bin], tau: float) -> _Fit:
    """Least squares for room, resistance and, of each stretch without a gap, how far the card was
    from the power of its first moment: that part fades with the time constant; it is projected out.
    """
    felt, fading = _felt(bins, tau)
    stretches = _stretches(bins)
    celsius = [b.celsius for b in bins]

    def without_fading(values: Sequence[float]) -> list[float]:
        left: list[float] = []
        for first, end in stretches:
            fades, part = fading[first:end], values[first:end]
            share = _dot(fades, part) / _dot(fades, fades)
            left += [value - share * fade for value, fade in zip(part, fades, strict=True)]
        return left

    ones, watts, degrees = map(without_fading, ([1.0] * len(bins), felt, celsius))
    a, b, c = _dot(ones, ones), _dot(ones, watts), _dot(watts, watts)
    determinant = a * c - b * b
    spread_w = math.sqrt(max(0.0, determinant / a) / len(bins)) if a > 0.0 else 0.0
    if spread_w < _SMALLEST_SPREAD_W:
        return _Fit(math.inf, tau, 0.0)
    y1, y2 = _dot(ones, degrees), _dot(watts, degrees)
    room, resistance = (c * y1 - b * y2) / determinant, (a * y2 - b * y1) / determinant
    off = [y - room * one - resistance * w for y, one, w in zip(degrees, ones, watts, strict=True)]
    return _Fit(_dot(off, off) / len(bins), tau, resistance, tuple(room + missed for missed in off))


def _felt(bins: Sequence[_Bin], tau: float) -> tuple[list[float], list[float]]:
    """The power as a card with this time constant feels it, and what is left of the beginning."""
    felt: list[float] = []
    fading: list[float] = []
    value, fade, t = bins[0].power_w, 1.0, bins[0].t
    for found in bins:
        if found.begins:
            value, fade = found.power_w, 1.0
        else:
            kept = math.exp(-(found.t - t) / tau)
            value = found.power_w + (value - found.power_w) * kept
            fade *= kept
        t = found.t
        felt.append(value)
        fading.append(fade)
    return felt, fading


def _stretches(bins: Sequence[_Bin]) -> list[tuple[int, int]]:
    starts = [index for index, found in enumerate(bins) if found.begins or index == 0]
    return list(zip(starts, [*starts[1:], len(bins)], strict=True))


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def _room(room_c: Sequence[float]) -> tuple[float, ...]:
    """Means over stretches evenly apart, within what a room can be."""
    size = -(-len(room_c) // _ROOM_POINTS)
    parts = (room_c[i : i + size] for i in range(0, len(room_c), size))
    lowest_c, highest_c = _ROOM_C
    return tuple(round(min(highest_c, max(lowest_c, sum(part) / len(part))), 1) for part in parts)
