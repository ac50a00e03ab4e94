"""How far a card has moved and will have moved soon, beyond what a thermometer makes of one that
stands still. Pure."""

import math

from timellm_policies.trend import SOON_S, Trend

_JITTER_C = 0.75
"""Movement that a thermometer of whole degrees shows of a card that does not move."""
_JITTER_SOON_C = 1.75
"""The same of where it will be in half a minute: one degree's step makes a line that steep."""
_SOON_ABOVE_C = 0.75
_ERRORS = 2.0
"""Standard errors that count as noise."""
_ERRORS_OF_SWINGS = 1.0
"""The same of a quick chip: it swings to and fro with the work, which a line averages better than
noise, and there is less room above it."""


def moved_c(before: Trend, seen: Trend, *, near: bool, swings: bool) -> float:
    """Between two lines. `near` the set point, only what stands out of the noise counts."""
    moved = seen.celsius - before.celsius
    if not near:
        return moved
    errors = _ERRORS_OF_SWINGS if swings else _ERRORS
    jitter_c = max(_JITTER_C, errors * math.hypot(seen.error_c, before.error_c))
    return math.copysign(max(0.0, abs(moved) - jitter_c), moved)


def too_hot_soon_c(seen: Trend, target_c: float, *, near: bool, swings: bool) -> float:
    """How far above `target_c` it will be in half a minute, beyond noise; 0: it will not be."""
    above_c = seen.celsius + SOON_S * seen.per_s - target_c
    if swings:
        return max(0.0, above_c - (_ERRORS_OF_SWINGS * seen.error_ahead_c if near else 0.0))
    jitter_c = max(_JITTER_SOON_C, _ERRORS * seen.error_ahead_c) if near else 0.0
    return max(0.0, above_c - _SOON_ABOVE_C - jitter_c)
