"""The hot phase of readings: how far above their mean a quick chip is at work. Pure.

A chip that warms within a second reads hot while it computes and cool while it rests, and the rule
that pauses sees the hot readings, however cool their mean is. Lines through half a minute each take
away how the card warms as a whole; the upper tenth of what is left is the hot phase. A tenth
that is above the pausing threshold makes 3 of 5 readings agree once in some minutes. What noise of
0.5 °C in whole degrees leaves is no more than the margins below, and neither is the bend of a card
that warms quickly as a whole: a card without such a chip has no hot phase.
"""

from collections.abc import Sequence

from msgspec import Struct

from timellm_policies.readings import Temperature
from timellm_policies.trend import FIT_S, trend

_LINES = 4
"""So many lines, one after the other, are looked at."""
_SHARE = 0.9
_NOISE_C = 1.25
"""What noise leaves of several lines together."""
_NOISE_OF_ONE_C = 1.5
"""And of the newest one alone, which tells sooner."""
_BENT_S = 2.0
"""How far a curve is from its line, for each degree a second: a time constant of 30 s."""
_ERRORS = 2.0


class HotPhase(Struct, frozen=True):
    """Degrees above the mean."""

    above_c: float
    over_c: float
    """So much of it is beyond noise; 0: there is no hot phase."""


NONE = HotPhase(0.0, 0.0)


def hot_phase(readings: Sequence[Temperature]) -> HotPhase:
    """The hot phase of `readings`, oldest first; none where they are too few to tell."""
    newest: float | None = None
    left_c: list[float] = []
    end = len(readings)
    for _ in range(_LINES):
        if end == 0:
            break
        begin = end
        while begin > 0 and readings[begin - 1].t > readings[end - 1].t - FIT_S:
            begin -= 1
        line = trend(readings[begin:end])
        if line is None:
            break
        bent_c = _BENT_S * max(0.0, abs(line.per_s) - _ERRORS * line.error_per_s)
        end_t = readings[end - 1].t
        left_c += [
            r.celsius - line.celsius - line.per_s * (r.t - end_t) - bent_c
            for r in readings[begin:end]
        ]
        if newest is None:
            newest = _upper(left_c)
        end = begin
    if newest is None:
        return NONE
    lately_c = _upper(left_c)
    over_c = max(0.0, newest - _NOISE_OF_ONE_C, lately_c - _NOISE_C)
    return HotPhase(max(0.0, newest, lately_c), over_c)


def _upper(left_c: Sequence[float]) -> float:
    return sorted(left_c)[int(_SHARE * (len(left_c) - 1))]
