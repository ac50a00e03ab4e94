"""The time between two rows of a series, as a config writes it: `15min`, `1h`, `1d`, `1mo`."""

import re
from typing import Literal, NamedTuple, get_args

Unit = Literal["ns", "us", "ms", "s", "min", "h", "d", "w", "mo"]

_NANOSECONDS = {
    "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9, "w": 7 * 24 * 3600 * 10**9,
}  # fmt: skip
EXAMPLES = "a number and one of min, h, d, w or mo (a month), such as 15min or 1h"


class Frequency(NamedTuple):
    """So many of a unit. A month, `mo`, is as long as the calendar has it."""

    number: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"

    @property
    def nanoseconds(self) -> int | None:
        """Its length; `None` for months, which have none of their own."""
        return None if self.unit == "mo" else self.number * _NANOSECONDS[self.unit]


def parse_frequency(text: str) -> Frequency | None:
    """What `text` says, in the largest unit that fits; `None` where it says nothing of the kind."""
    found = re.fullmatch(rf"\s*(\d{{0,9}})\s*({'|'.join(get_args(Unit))})\s*", text.lower())
    if found is None or (found[1] and int(found[1]) == 0):
        return None
    count, unit = int(found[1] or 1), found[2]
    return Frequency(count, "mo") if unit == "mo" else of_nanoseconds(count * _NANOSECONDS[unit])


def of_nanoseconds(length: int) -> Frequency:
    """A fixed length, above zero, in the largest unit that fits."""
    units: tuple[Unit, ...] = ("w", "d", "h", "min", "s", "ms", "us", "ns")
    unit = next(unit for unit in units if length % _NANOSECONDS[unit] == 0)
    return Frequency(length // _NANOSECONDS[unit], unit)
