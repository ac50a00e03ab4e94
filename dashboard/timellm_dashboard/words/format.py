"""Numbers, sizes, durations and times as a person reads them. Pure; never a made-up value."""

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo

from timellm_dashboard.words.text import Words
from timellm_ops.contract.sizes import size_text

_JUST_NOW_S = 5.0
"""An age of less than this is none to a person."""


def count(value: float) -> str:
    """A whole number with its thousands apart: `14,058`."""
    return f"{value:,.0f}"


def loss(value: float) -> str:
    """A loss, with four decimals where that is enough to tell two of them apart."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size >= 10_000 or 0 < size < 0.001:
        return f"{value:.2e}"
    return f"{value:.4f}" if size < 100 else f"{value:.1f}"


def losses_apart(value: float) -> float:
    """How far a loss near `value`, or a little above it, is from one that `loss` writes
    differently."""
    size = 1.05 * abs(value)
    if math.isfinite(value) and (size >= 10_000 or 0 < size < 0.001):
        return 10.0 ** (math.floor(math.log10(size)) - 2)
    return 0.0001 if size < 100 else 0.1


def rate(value: float) -> str:
    """A learning rate: `4.0e-4`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}e{int(exponent)}"


def percent(share: float, decimals: int = 0) -> str:
    """A share, rounded down, so that 100 % means all of it."""
    scale = 10.0**decimals
    # The small addend undoes a product like 0.29 * 100 = 28.999999999999996.
    return f"{math.floor(share * 100 * scale + 1e-9) / scale:.{decimals}f} %"


def portions(shares: Sequence[float]) -> list[str]:
    """Shares as `portion` writes them, in whole percents that add up to those of their sum: of the
    ones that are cut, those that are cut most are rounded up."""
    cut = _adding_up([share * 100 for share in shares], _whole_percents(sum(shares)))
    return [
        f"{whole} %" if whole or share <= 0 else "<1 %"
        for share, whole in zip(shares, cut, strict=True)
    ]


def percents(parts: Sequence[float], decimals: int = 0) -> list[str]:
    """What share of all of them together each part is, so written that the shares add up to 100 %:
    those that were cut most are rounded up. Empty texts where the parts are nothing together."""
    whole, units = sum(parts), 100 * 10**decimals
    if whole <= 0:
        return [""] * len(parts)
    cut = _adding_up([part / whole * units for part in parts], units)
    return [f"{share / 10**decimals:.{decimals}f} %" for share in cut]


def _adding_up(exact: Sequence[float], whole: int) -> list[int]:
    """Whole numbers that add up to that: those that are cut most are rounded up."""
    cut = [math.floor(number + 1e-9) for number in exact]
    by_rest = sorted(range(len(cut)), key=lambda place: cut[place] - exact[place])
    for place in by_rest[: max(0, whole - sum(cut))]:
        cut[place] += 1
    return cut


def portion(share: float) -> str:
    """A share of something that is worth a word however small it is: `<1 %`, never `0 %` of it.
    Rounded, so that it agrees with the same share told with a decimal, but 100 % is all of it."""
    return "<1 %" if 0 < share < 0.01 else f"{_whole_percents(share)} %"


def _whole_percents(share: float) -> int:
    if share < 0.01:
        return 0
    return math.floor(share * 100 + 1e-9) if share >= 0.995 else int(f"{share * 100:.0f}")


def storage(size_bytes: float) -> str:
    """A size of memory or of a file, as the whole program writes it: `8.13 MiB`."""
    return size_text(size_bytes)


def parameters(value: int) -> str:
    """How many weights: `152.4 M`."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale:
            return f"{value / scale:.1f} {unit}"
    return str(value)


def number(value: float) -> str:
    """A number without needless digits: `86`, `86.5`."""
    return f"{round(value, 1):g}"


def celsius(value: float) -> str:
    """A temperature."""
    return f"{number(value)} °C"


def pace(seconds_per_step: float, words: Words) -> str:
    """What one step takes, with three digits that mean something."""
    if seconds_per_step < 0.1:
        return f"{seconds_per_step * 1000:.3g} {words.ms_per_step}"
    return f"{seconds_per_step:.3g} {words.s_per_step}"


def duration(seconds: float, words: Words) -> str:
    """A length of time in its two largest units: `3 h 05 min`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return words.seconds.format(s=whole)
    if whole < 3600:
        return words.minutes_seconds.format(m=whole // 60, s=f"{whole % 60:02d}")
    if whole < 86_400:
        return words.hours_minutes.format(h=whole // 3600, m=f"{whole % 3600 // 60:02d}")
    return words.days_hours.format(d=whole // 86_400, h=whole % 86_400 // 3600)


def rough(seconds: float, words: Words) -> str:
    """A length of time that is an estimate: no finer than it can be known."""
    if seconds < 60:
        return words.under_a_minute
    if seconds < 3600:
        return words.minutes.format(m=round(seconds / 60))
    return duration(round(seconds / 60) * 60, words)


def ago(seconds: float, words: Words) -> str:
    """An age: to the second below a minute, and from there on no finer than a minute."""
    if seconds < _JUST_NOW_S:
        return words.just_now
    whole = int(seconds)
    age = words.seconds.format(s=whole) if whole < 60 else rough(whole, words)
    return words.ago.format(age=age)


def brief_duration(seconds: float) -> str:
    """A length of time for a narrow column: `34 s`, `12:03`, `4h30`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}"


def time_of_day(at: datetime, zone: tzinfo | None) -> str:
    """Hours, minutes and seconds in `zone`; `None` means the machine's own zone."""
    return f"{at.astimezone(zone):%H:%M:%S}"


def day_and_time(at: datetime, now: datetime, zone: tzinfo | None, words: Words) -> str:
    """A time of day, with the day where it is not today's."""
    there, here = at.astimezone(zone), now.astimezone(zone)
    clock = f"{there:%H:%M}"
    match (there.date() - here.date()).days:
        case 0:
            return clock
        case 1:
            return words.tomorrow.format(time=clock)
        case -1:
            return words.yesterday.format(time=clock)
        case _:
            return f"{there:%Y-%m-%d} {clock}"
