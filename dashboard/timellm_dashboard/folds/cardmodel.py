"""The card as a first-order model, fitted to how it has warmed and cooled of late. Pure.

At work for a share `u` of the time it goes towards `rest_c + rise_c * u` with one time constant.
For each time constant of a grid the share is filtered with it; the rise is then the slope of a line
through the origin over what comes out. The time constant with the smallest squares is taken (as in
Ljung, "System Identification", 2nd ed., section 7.3: the output of the model is fitted, so whole
degrees and noise do not bias it). Where other time constants fit nearly as well and say something
else, nothing is known.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

_MOST_BINS = 100
_FEWEST_BINS = 15
_SMALLEST_SPREAD_C = 8.0
"""A card that has moved less has not shown how it moves."""
_SHORTEST_TIMES = 0.5
"""So many time constants must have been seen: until then a curve is nearly a line."""
_LARGEST_ERROR_C = 1.25
"""Root of the mean square of what the model may miss."""
_ERRORS_C2 = 10.0
"""Fits are told apart by so many times the variance of one reading, over their number: more than
the 4 of two standard errors, since what one reading misses the next one misses too."""
_WHOLE_DEGREES_C2 = 1.0 / 12.0
"""Mean square of what is lost by telling whole degrees."""
_MOST_DOUBT = 0.15
"""Rises that fit nearly as well may be apart by this share of the rise."""
_WARMEST_REST_C = 45.0
"""A card that was never cooler has not rested."""
_TIME_CONSTANTS_S = tuple(12.0 * 1.1**i for i in range(40))


class CardModel(Struct, frozen=True, kw_only=True):
    """A card, and where it is."""

    rest_c: float
    """Where it goes when it does nothing."""
    rise_c: float
    """How much warmer it settles when it works all the time."""
    time_constant_s: float
    now_c: float

    def settles_c(self, load: float) -> float:
        """Where it goes at that share of the time at work."""
        return self.rest_c + self.rise_c * load

    def passage_s(self, from_c: float, to_c: float, load: float) -> float:
        """Seconds from one temperature to another at that load; 0 where it has passed it already,
        infinite where it never gets there."""
        way_c, whole_c = to_c - from_c, self.settles_c(load) - from_c
        if way_c * whole_c < 0.0 or way_c == 0.0:
            return 0.0
        if abs(way_c) >= abs(whole_c):
            return math.inf
        return -self.time_constant_s * math.log1p(-way_c / whole_c)

    def after(self, from_c: float, seconds: float, load: float) -> float:
        """Its temperature so much later."""
        goal_c = self.settles_c(load)
        return goal_c + (from_c - goal_c) * math.exp(-seconds / self.time_constant_s)


class _Bin(Struct, frozen=True):
    celsius: float
    since_s: float
    """Seconds from the bin before."""
    load: float
    """Share of them at work."""


def card_model(
    readings: Sequence[tuple[float, float]], loads: Sequence[tuple[float, float]], rest_c: float
) -> CardModel | None:
    """The card that explains `readings` (second, °C), or `None` where none does, or many do.

    `loads`: from a second on, the share of the time at work. `rest_c`: the coolest that the card
    was ever seen, at which it had rested for long, if it is cool.
    """
    bins = _bins(readings, loads)
    if len(bins) < _FEWEST_BINS:
        return None
    celsius = [b.celsius for b in bins]
    if max(celsius) - min(celsius) < _SMALLEST_SPREAD_C:
        return None
    rest_c = min(rest_c, _WARMEST_REST_C)
    fits = [_fit(bins, rest_c, tau) for tau in _TIME_CONSTANTS_S]
    best = min(fits, key=lambda fit: fit.missed)
    if best.missed > _LARGEST_ERROR_C**2 or best.rise_c <= 0.0:
        return None
    if sum(b.since_s for b in bins) < _SHORTEST_TIMES * best.tau:
        return None
    noise_c2 = best.missed + _WHOLE_DEGREES_C2 * len(bins) / len(readings)
    bound = best.missed + noise_c2 * _ERRORS_C2 / len(bins)
    rises = [fit.rise_c for fit in fits if fit.missed <= bound]
    if max(rises) - min(rises) > _MOST_DOUBT * best.rise_c:
        return None
    return CardModel(rest_c=rest_c, rise_c=best.rise_c, time_constant_s=best.tau, now_c=best.now_c)


def _bins(
    readings: Sequence[tuple[float, float]], loads: Sequence[tuple[float, float]]
) -> list[_Bin]:
    """Means over so many readings that there are few."""
    size = max(1, -(-len(readings) // _MOST_BINS))
    parts = (readings[i : i + size] for i in range(0, len(readings), size))
    means = [_mean(part) for part in parts]
    bins: list[_Bin] = []
    place, before_s = 0, means[0][0] if means else 0.0
    for at_s, celsius in means:
        while place + 1 < len(loads) and loads[place + 1][0] <= before_s:
            place += 1
        since_s = at_s - before_s
        bins.append(_Bin(celsius, since_s, _mean_load(loads, place, before_s, at_s)))
        before_s = at_s
    return bins


def _mean(held: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(x for x, _ in held) / len(held), sum(c for _, c in held) / len(held)


def _mean_load(
    loads: Sequence[tuple[float, float]], place: int, from_s: float, to_s: float
) -> float:
    """The mean from one second to another; `place`: the first entry that may count. Before the
    first one nothing was done."""
    if to_s <= from_s:
        return 0.0
    total = 0.0
    for index in range(place, len(loads)):
        begin_s, load = loads[index]
        end_s = loads[index + 1][0] if index + 1 < len(loads) else to_s
        if begin_s >= to_s:
            break
        total += load * max(0.0, min(to_s, end_s) - max(from_s, begin_s))
    return total / (to_s - from_s)


class _Fit(Struct, frozen=True):
    missed: float
    """Mean square, in °C²."""
    rise_c: float
    tau: float
    now_c: float


def _fit(bins: Sequence[_Bin], rest_c: float, tau: float) -> _Fit:
    """Least squares for the rise alone: where the card began, it is known to have been."""
    began_c = bins[0].celsius - rest_c
    felt, fade = 0.0, 1.0
    squares = products = above = 0.0
    kept_since, kept = -1.0, 1.0
    for found in bins[1:]:
        if found.since_s != kept_since:
            kept_since, kept = found.since_s, math.exp(-found.since_s / tau)
        felt = found.load + (felt - found.load) * kept
        fade *= kept
        off = found.celsius - rest_c - began_c * fade
        squares += felt * felt
        products += felt * off
        above += off * off
    if squares <= 0.0:
        return _Fit(math.inf, 0.0, tau, 0.0)
    rise_c = products / squares
    missed = max(0.0, above - rise_c * products) / (len(bins) - 1)
    return _Fit(missed, rise_c, tau, rest_c + began_c * fade + rise_c * felt)
