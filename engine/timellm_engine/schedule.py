"""Learning rate by step, as pure functions: what step 17 is trained with does not depend on how
the run got there, so a resumed run needs no scheduler's state.

`onecycle` is torch's `OneCycleLR` (Smith & Topin 2018) with its defaults, Adam's first moment
included. `cosine` falls once over the whole run, step by step, to `COSINE_FLOOR`; the published
code has a period of 20 epochs of which a run of 10 sees half. `type1` halves with every epoch,
from the configured rate; the published code begins at a 25th of it by an oversight.
"""

import math
from typing import NamedTuple, assert_never

from timellm_ops.contract.config import TrainSection

ADAM_BETA1 = 0.9
COSINE_FLOOR = 1e-8
_START_DIVISOR, _END_DIVISOR = 25.0, 1e4
_HIGH_MOMENTUM, _LOW_MOMENTUM = 0.95, 0.85


class Pace(NamedTuple):
    """What one step of Adam is made with."""

    lr: float
    beta1: float = ADAM_BETA1


def pace(train: TrainSection, steps_per_epoch: int, step: int) -> Pace:
    """The learning rate of `step`, counted from 0 over the whole run; the last one stays."""
    total = train.epochs * steps_per_epoch
    step = min(step, total - 1)
    match train.schedule:
        case "onecycle":
            return one_cycle(train.learning_rate, train.pct_start, total, step)
        case "cosine":
            share = step / total
            return Pace(_cosine(train.learning_rate, min(COSINE_FLOOR, train.learning_rate), share))
        case "type1":
            return Pace(train.learning_rate * 0.5 ** (step // steps_per_epoch))
        case _:
            assert_never(train.schedule)


def one_cycle(peak: float, pct_start: float, total: int, step: int) -> Pace:
    """Up to `peak` over the first `pct_start` of `total` steps, then down, both along a cosine."""
    turn, end = pct_start * total - 1.0, total - 1.0
    low = peak / _START_DIVISOR
    if step <= turn:
        share = step / turn if turn > 0.0 else 1.0
        return Pace(_cosine(low, peak, share), _cosine(_HIGH_MOMENTUM, _LOW_MOMENTUM, share))
    share = (step - turn) / (end - turn) if end > turn else 1.0
    return Pace(
        _cosine(peak, low / _END_DIVISOR, share), _cosine(_LOW_MOMENTUM, _HIGH_MOMENTUM, share)
    )


def _cosine(begin: float, end: float, share: float) -> float:
    """From `begin` (share 0) to `end` (share 1) along half a period."""
    return end + (begin - end) / 2.0 * (1.0 + math.cos(math.pi * share))
