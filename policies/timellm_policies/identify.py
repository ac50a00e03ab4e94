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
    fits = [(*_fit(bins, tau), tau) for tau in _TIME_CONSTANTS_S]
    error, resistance, tau = min(fits)
    if not math.isfinite(error) or resistance <= 0.0:
        raise NotIdentifiable(
            "found a power that hardly changes; expected a recording with its warming up, or with"
            " pauses"
        )
    powers = sorted(b.power_w for b in bins)
    steps_s.sort()
    return Identified(
        time_constant_s=round(tau, 1),
        resistance_c_per_w=round(resistance, 4),
        room_c=_room(bins, tau, resistance),
        idle_power_w=round(powers[len(powers) // 50], 1),
        load_power_w=round(powers[-1 - len(powers) // 20], 1),
        step_s=steps_s[len(steps_s) // 2] if steps_s else None,
        hours=(bins[-1].t - bins[0].t) / 3600.0,
        error_c=round(math.sqrt(error), 2),
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


def _filtered(bins: Sequence[_Bin], tau: float) -> list[float]:
    """The power as a card with this time constant feels it, in watts."""
    felt: list[float] = []
    value, t = bins[0].power_w, bins[0].t
    for found in bins:
        if found.begins:
            value = found.power_w
        else:
            value += (found.power_w - value) * (1.0 - math.exp(-(found.t - t) / tau))
        t = found.t
        felt.append(value)
    return felt


def _fit(bins: Sequence[_Bin], tau: float) -> tuple[float, float]:
    """Mean square of what is missed, and resistance; infinite where power says nothing."""
    felt = _filtered(bins, tau)
    count = len(bins)
    mean_w, mean_c = sum(felt) / count, sum(b.celsius for b in bins) / count
    spread = sum((w - mean_w) ** 2 for w in felt)
    if math.sqrt(spread / count) < _SMALLEST_SPREAD_W:
        return math.inf, 0.0
    both = zip(felt, bins, strict=True)
    slope = sum((w - mean_w) * (b.celsius - mean_c) for w, b in both) / spread
    both = zip(felt, bins, strict=True)
    missed = sum((b.celsius - mean_c - slope * (w - mean_w)) ** 2 for w, b in both) / count
    return missed, slope


def _room(bins: Sequence[_Bin], tau: float, resistance: float) -> tuple[float, ...]:
    """What is left of the temperature when the card's own heat is taken away, in stretches."""
    left = [b.celsius - resistance * w for w, b in zip(_filtered(bins, tau), bins, strict=True)]
    size = -(-len(left) // _ROOM_POINTS)
    lowest_c, highest_c = _ROOM_C
    means = (
        sum(part) / len(part) for part in (left[i : i + size] for i in range(0, len(left), size))
    )
    return tuple(round(min(highest_c, max(lowest_c, mean)), 1) for mean in means)
