"""What heat will still cost: the pace that a card settles at, and pauses to come. Pure."""

import math

from msgspec import Struct

from timellm_dashboard.folds.cardmodel import CardModel
from timellm_dashboard.folds.pausecycles import pauses_within
from timellm_dashboard.viewmodel.look import ThermalLimits

_HALVINGS = 40
_LEAST_PACE = 0.01
"""The governor goes no lower, whatever a record says."""
_DELAY_S = 20.0
"""How much slower than the card itself a pace follows it."""
_NEAR_C = 3.0
"""So close below the temperature to be held, a pace that is still too fast is cut down sooner."""
_HASTE_S = 30.0
"""How soon, once the card is there."""
_NOTICED_S = 2.0
"""Until some readings have said that it is too hot."""
_DOUBT = 0.2
_DOUBT_S = 10.0
"""A first pause may come so much sooner or later, as a share of the time until it, and at least."""
_LEFT_ALONE = 0.98
"""A card that would settle this near to full pace is left at it."""
_SPARE_C = 3.0
"""A card that settles so much below a limit will not cross it for what comes and goes."""
_REACHED_C = 1.0
"""A card that settles so little above a limit may as well never cross it."""


class PausesAhead(Struct, frozen=True, kw_only=True):
    """Pauses to be expected."""

    count: float
    """On the average: half a pause is one that comes or not."""
    each_s: float


def fades_s(card: CardModel, held_c: float) -> float:
    """How slowly the pace goes to the settled one: as slowly as the card follows it, and sooner
    where the card is as hot already as it is to be."""
    slowly_s = max(_HASTE_S, card.time_constant_s + _DELAY_S)
    share = min(1.0, max(0.0, (held_c - card.now_c) / _NEAR_C))
    return _HASTE_S + share * (slowly_s - _HASTE_S)


def settled_pace(card: CardModel, held_c: float, lowest: float) -> float:
    """The share of the time at work that holds the card at `held_c`, from `lowest` to 1."""
    share = (held_c - card.rest_c) / card.rise_c
    return 1.0 if share > _LEFT_ALONE else max(lowest, share)


def paced_s(work_s: float, pace: float, settled: float, fades_s: float) -> float:
    """Seconds that `work_s` of full work take at a pace that goes from `pace` to `settled`, 63 % of
    the way in `fades_s`."""
    if work_s <= 0.0:
        return 0.0
    pace, settled = max(_LEAST_PACE, pace), max(_LEAST_PACE, settled)
    low_s, high_s = work_s / max(pace, settled), work_s / min(pace, settled)
    for _ in range(_HALVINGS):
        middle_s = 0.5 * (low_s + high_s)
        faded_s = fades_s * -math.expm1(-middle_s / fades_s)
        if settled * middle_s + (pace - settled) * faded_s < work_s:
            low_s = middle_s
        else:
            high_s = middle_s
    return 0.5 * (low_s + high_s)


def settles_below(card: CardModel | None, pace: float, hot_c: float) -> bool:
    """Whether the card is known to stay cooler than that at this pace, with something to spare."""
    return card is not None and card.settles_c(pace) < hot_c - _SPARE_C


def pauses_ahead(
    card: CardModel, moving_s: float, pace: float, limits: ThermalLimits, *,
    held: bool = False, moved_s: float = math.inf,
) -> PausesAhead | None:  # fmt: skip
    """Pauses for heat before the engine has moved for `moving_s` more at that pace; the present
    one, by which it is `held`, is not among them. It has moved for `moved_s` since the last one.
    `None`: the card does not get so hot."""
    hot_c = limits.pause_above_c
    if card.settles_c(pace) < hot_c + _REACHED_C:
        return None
    jump_c = card.jump_c * pace
    cooling_s = card.passage_s(hot_c - jump_c, limits.resume_below_c, 0.0)
    if not math.isfinite(cooling_s):
        return None
    each_s = max(cooling_s, limits.least_pause_s)
    cooled_c = card.after(hot_c - jump_c, each_s, 0.0) + jump_c
    again_s = max(card.passage_s(cooled_c, hot_c, pace) + _NOTICED_S, limits.least_pause_s)
    now_c = min(card.now_c, hot_c)
    first_s = again_s if held else card.passage_s(now_c, hot_c, pace) + _NOTICED_S
    doubt_s = max(_DOUBT_S, _DOUBT * first_s)
    bound_s = -math.inf if held else limits.least_pause_s - moved_s
    if bound_s > first_s:
        # It is hot before it may be paused, and then is paused at once.
        doubt_s = max(_NOTICED_S, doubt_s - 2.0 * (bound_s - first_s))
        first_s = bound_s
    return PausesAhead(count=pauses_within(moving_s, first_s, again_s, doubt_s), each_s=each_s)
