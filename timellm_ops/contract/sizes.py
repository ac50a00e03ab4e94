"""Sizes of memory and of files as people read them: binary units, three digits that mean something.

The one place where that is done, for the screen, reports, plans and errors alike.
"""

import math

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024.0
_DIGITS = 3


def size_text(size_bytes: float, *, up: bool = False) -> str:
    """`512 B`, `8.13 MiB`, `5.74 GiB`. `up`: rounded upwards, for room that must be there."""
    unit, size = 0, float(size_bytes)
    # A number of four digits would be one too long.
    while (abs(size) > 999.0 if up else abs(size) >= 999.5) and unit < len(_UNITS) - 1:
        unit, size = unit + 1, size / _STEP
    return f"{_number(size, whole=unit == 0, up=up)} {_UNITS[unit]}"


def part_text(part_bytes: float, whole_bytes: float, between: str = " of ") -> str:
    """A part of a whole, with the unit once where it is the same: `5.61 of 6.00 GiB`."""
    part, whole = size_text(part_bytes), size_text(whole_bytes)
    number, _, unit = part.partition(" ")
    return f"{number if whole.endswith(f' {unit}') else part}{between}{whole}"


def _number(size: float, *, whole: bool, up: bool) -> str:
    before_the_point = 1 + math.floor(math.log10(abs(size))) if abs(size) >= 1.0 else 0
    decimals = 0 if whole else max(0, _DIGITS - before_the_point)
    if up:
        size = math.ceil(size * 10**decimals) / 10**decimals
    text = f"{size:.{decimals}f}"
    if decimals and len(text.lstrip("-0.")) > _DIGITS + 1:  # 9.996 has become 10.00
        return f"{size:.{decimals - 1}f}"
    return text
