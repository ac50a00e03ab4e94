"""The shortest length of a hold, in words: said only while it is what keeps the run standing."""

import math


def until_told(
    until: str, *, least_s: float | None, expected_s: float | None, passed_s: float | None
) -> str:
    """When a hold is lifted, `passed_s` after it began: `resumes below 75 °C, in 26 s at the
    earliest`.

    `least_s` is how long it lasts at least. Where more than that is expected of the rule, or it has
    lasted so long already, that holds nothing, and `until` is all there is to say.
    """
    left_s = dwell_left_s(least_s=least_s, expected_s=expected_s, passed_s=passed_s)
    if left_s is None:
        return until
    earliest = f"in {math.ceil(left_s)} s at the earliest"
    return f"{until}, {earliest}" if until else earliest


def dwell_left_s(
    *, least_s: float | None, expected_s: float | None, passed_s: float | None
) -> float | None:
    """Seconds for which a hold cannot be lifted yet; `None` where something else decides."""
    if least_s is None or passed_s is None or not 0.0 <= passed_s < least_s:
        return None
    if expected_s is not None and expected_s > least_s:
        return None
    return least_s - passed_s
