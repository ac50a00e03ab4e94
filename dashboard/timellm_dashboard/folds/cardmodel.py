"""The card as a model of two parts, fitted to how it has warmed and cooled of late. Pure.

At work for a share `u` of the time it goes towards `rest_c + rise_c * u`: by `jump_c * u` within
seconds, as the chip itself does, and the rest of the way with one time constant, as what cools it
does. A card without a jump, of which less need be seen, is tried first. For each time constant of a
grid the share is filtered with it; rise and jump are then least squares over what comes out, and
the time constant with the smallest squares is taken (as in Ljung, "System Identification", 2nd ed.,
section 7.3: the output of the model is fitted, so whole degrees and noise do not bias it). Where
other time constants fit nearly as well and say something else, nothing is known.
"""

import math
from collections.abc import Sequence

import msgspec
from msgspec import Struct

_MOST_BINS = 100
_FEWEST_BINS = 15
_SMALLEST_SPREAD_C = 8.0
"""A card that has moved less has not shown how it moves."""
_SHORTEST_TIMES = 0.5
"""So many time constants must have been seen: until then a curve is nearly a line."""
_LARGEST_ERROR_C = 1.25
"""Root of the mean square of what the model may miss."""
_LARGEST_PLAIN_ERROR_C = 0.6
"""The same of a card without a jump, which is asked for first: it needs to show less."""
_ERRORS_C2 = 10.0
"""Fits are told apart by so many times the variance of one reading, over their number: more than
the 4 of two standard errors, since what one reading misses the next one misses too."""
_WHOLE_DEGREES_C2 = 1.0 / 12.0
"""Mean square of what is lost by telling whole degrees."""
_MOST_DOUBT = 0.3
"""Rises that fit nearly as well may be apart by this share of the rise. The best of them is mostly
much nearer to the truth than that."""
_WARMEST_REST_C = 45.0
"""A card that was never cooler has not rested."""
_SMALLEST_DETERMINANT = 1e-3
"""Relative; where rise and jump look more alike than this, they cannot be told apart."""
_QUICK_S = (4.0, 1.0)
"""Time constants that the chip itself may have."""
_LATE_TIMES = 2.0
"""So many time constants say how it warms of late: most of what was before them has faded."""
_LATE_READINGS = 3
_LEAST_LATE_LOAD = 0.2
_TIME_CONSTANTS_S = tuple(12.0 * 1.1**i for i in range(40))


class CardModel(Struct, frozen=True, kw_only=True):
    """A card, and where it is."""

    rest_c: float
    """Where it goes when it does nothing."""
    rise_c: float
    """How much warmer it settles, jump included, when it works all the time."""
    jump_c: float = 0.0
    """So much of it within seconds."""
    time_constant_s: float
    """Of the rest of it."""
    now_c: float

    def settles_c(self, load: float) -> float:
        """Where it goes at that share of the time at work."""
        return self.rest_c + self.rise_c * load

    def passage_s(self, from_c: float, to_c: float, load: float) -> float:
        """Seconds from one temperature to another, both at that load for a while; 0 where it has
        passed it already, infinite where it never gets there."""
        way_c, whole_c = to_c - from_c, self.settles_c(load) - from_c
        if way_c * whole_c < 0.0 or way_c == 0.0:
            return 0.0
        if abs(way_c) >= abs(whole_c):
            return math.inf
        return -self.time_constant_s * math.log1p(-way_c / whole_c)

    def after(self, from_c: float, seconds: float, load: float) -> float:
        """Its temperature so much later, at the same load."""
        goal_c = self.settles_c(load)
        return goal_c + (from_c - goal_c) * math.exp(-seconds / self.time_constant_s)


def heated_of_late(
    card: CardModel, readings: Sequence[tuple[float, float]], loads: Sequence[tuple[float, float]]
) -> CardModel | None:
    """The same card, as warm and as warming as `readings` of the latest two time constants say: the
    work may heat it less now, or the air be cooler. `None`: they do not go back so far, or it has
    done too little in that time to tell by.

    `loads`: as for `card_model`.
    """
    if not readings:
        return None
    newest_s = readings[-1][0]
    begin_s = newest_s - _LATE_TIMES * card.time_constant_s
    if readings[0][0] > begin_s:
        return None
    since = [reading for reading in readings if reading[0] >= begin_s]
    if len(since) < 2 * _LATE_READINGS:
        return None
    began_s, began_c = _mean(since[:_LATE_READINGS])
    ends_s, ends_c = _mean(since[-_LATE_READINGS:])
    kept = math.exp((began_s - ends_s) / card.time_constant_s)
    felt, felt_before = (_felt(loads, at_s, card.time_constant_s) for at_s in (ends_s, began_s))
    felt -= felt_before * kept
    if felt < _LEAST_LATE_LOAD:
        return None
    chip_began_c = card.jump_c * _felt(loads, began_s, _QUICK_S[0])
    chip_c = card.jump_c * _felt(loads, ends_s, _QUICK_S[0])
    slow_c = (ends_c - chip_c) - card.rest_c
    slow_c -= (began_c - chip_began_c - card.rest_c) * kept
    rise_c = max(0.0, slow_c / felt) + card.jump_c
    return msgspec.structs.replace(card, rise_c=rise_c, now_c=ends_c)


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
    if len(readings) < _FEWEST_BINS:
        return None
    celsius = [reading[1] for reading in readings]
    if max(celsius) - min(celsius) < _SMALLEST_SPREAD_C:
        return None
    bins = _bins(readings, loads)
    rest_c = min(rest_c, _WARMEST_REST_C)
    told_c2 = _WHOLE_DEGREES_C2 * len(bins) / len(readings)
    jumping: list[Sequence[_Fit]] = []
    for quick_s in _QUICK_S:
        quick = _felt(loads, readings[0][0], quick_s)
        fits = [_fit(bins, rest_c, quick, tau, quick_s) for tau in _TIME_CONSTANTS_S]
        if not jumping:
            plain = [without for without, _ in fits]
            card = _believed(plain, bins, told_c2, _LARGEST_PLAIN_ERROR_C)
            if card is not None:
                return card
        jumping.append([both for _, both in fits])
    best = min(jumping, key=lambda fits: min(fit.missed for fit in fits))
    return _believed(best, bins, told_c2, _LARGEST_ERROR_C)


def _believed(
    fits: Sequence["_Fit"], bins: Sequence[_Bin], told_c2: float, largest_c: float
) -> CardModel | None:
    """The best of them, if it misses no more than `largest_c` and no other says something else.
    `told_c2`: the mean square of what readings leave out."""
    best = min(fits, key=lambda fit: fit.missed)
    if best.missed > largest_c**2 or best.card.rise_c <= 0.0:
        return None
    if sum(b.since_s for b in bins) < _SHORTEST_TIMES * best.card.time_constant_s:
        return None
    bound = best.missed + (best.missed + told_c2) * _ERRORS_C2 / len(bins)
    rises = [fit.card.rise_c for fit in fits if fit.missed <= bound]
    if fits[-1].missed <= bound:
        return None  # as good as a line: slower ones still might fit, with any rise
    return None if max(rises) - min(rises) > _MOST_DOUBT * best.card.rise_c else best.card


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


def _felt(loads: Sequence[tuple[float, float]], at_s: float, time_constant_s: float) -> float:
    """The share of late as what has that time constant feels it at that second."""
    felt = 0.0
    for index, (begin_s, load) in enumerate(loads):
        if begin_s >= at_s:
            break
        end_s = min(at_s, loads[index + 1][0]) if index + 1 < len(loads) else at_s
        felt = load + (felt - load) * math.exp(-(end_s - begin_s) / time_constant_s)
    return felt


class _Fit(Struct, frozen=True):
    missed: float
    """Mean square, in °C²."""
    card: CardModel


def _fit(
    bins: Sequence[_Bin], rest_c: float, quick: float, tau: float, quick_s: float
) -> tuple[_Fit, _Fit]:
    """Least squares for the rise alone, and for rise and jump, neither of them below 0. Where the
    card began it is known to have been; what of that was the chip's own, by the load that it felt,
    follows the jump."""
    began_c, began = bins[0].celsius - rest_c, quick
    felt, fade = 0.0, 1.0
    slow_slow = slow_quick = quick_quick = slow_off = quick_off = off_off = 0.0
    kept_since, kept, kept_quick = -1.0, 1.0, 1.0
    for found in bins[1:]:
        if found.since_s != kept_since:
            kept_since, kept = found.since_s, math.exp(-found.since_s / tau)
            kept_quick = math.exp(-found.since_s / quick_s)
        load = found.load
        felt = load + (felt - load) * kept
        quick = load + (quick - load) * kept_quick
        fade *= kept
        chip = quick - began * fade
        off = found.celsius - rest_c - began_c * fade
        slow_slow += felt * felt
        slow_quick += felt * chip
        quick_quick += chip * chip
        slow_off += felt * off
        quick_off += chip * off
        off_off += off * off
    chip = quick - began * fade

    def fit(slow_c: float, chip_c: float) -> _Fit:
        missed = off_off - 2.0 * (slow_c * slow_off + chip_c * quick_off)
        missed += slow_c**2 * slow_slow + chip_c**2 * quick_quick
        missed += 2.0 * slow_c * chip_c * slow_quick
        card = CardModel(
            rest_c=rest_c,
            rise_c=slow_c + chip_c,
            jump_c=chip_c,
            time_constant_s=tau,
            now_c=rest_c + began_c * fade + slow_c * felt + chip_c * chip,
        )
        return _Fit(max(0.0, missed) / (len(bins) - 1), card)

    plain = fit(slow_off / slow_slow if slow_slow > 0.0 else 0.0, 0.0)
    determinant = slow_slow * quick_quick - slow_quick * slow_quick
    if determinant <= _SMALLEST_DETERMINANT * slow_slow * quick_quick:
        return plain, plain
    slow_c = (slow_off * quick_quick - quick_off * slow_quick) / determinant
    chip_c = (quick_off * slow_slow - slow_off * slow_quick) / determinant
    return plain, fit(slow_c, chip_c) if slow_c > 0.0 and chip_c > 0.0 else plain
