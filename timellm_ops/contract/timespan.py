"""A length of time as people type it: one way for every command and every line to type in."""

import re

_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_TIMESPAN = re.compile(
    rf"(?:(?P<d>{_NUMBER}) *d(?:ays?)?)? *(?:(?P<h>{_NUMBER}) *h(?:ours?)?)? *"
    rf"(?:(?P<m>{_NUMBER}) *m(?:in)?)? *(?:(?P<s>{_NUMBER}) *s)?",
    re.IGNORECASE,
)
_UNITS_S = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def seconds_of(text: str) -> float | None:
    """`1h30m`, `90s`, `2 h` or `1d` in seconds; `None`: it is no length of time."""
    found = _TIMESPAN.fullmatch(text.strip())
    parts = {} if found is None else found.groupdict()
    known = [float(number) * _UNITS_S[unit] for unit, number in parts.items() if number]
    return sum(known) if known else None
