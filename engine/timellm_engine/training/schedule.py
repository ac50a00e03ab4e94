"""Learning rate by step, as pure functions: what step 17 is trained with does not depend on how
the run got there, so a resumed run needs no scheduler's state.

`onecycle` is torch's `OneCycleLR` (Smith & Topin 2018) with its defaults, the cycled momentum
included. `cosine` falls once over the whole run, step by step, to `COSINE_FLOOR`; the published
code has a period of 20 epochs of which a run of 10 sees half. `type1` to `type3` change between
epochs exactly when the published code changes them, but begin at the configured rate; the
published code begins at a 25th of it by an oversight. Every schedule but `onecycle` may be warmed
up: its first steps rise to it in equal parts, and `cosine` falls over those that are left.
"""

import math
from typing import NamedTuple, assert_never

from timellm_ops.contract.config import TrainSection

MOMENTUM = 0.9
COSINE_FLOOR = 1e-8
_START_DIVISOR, _END_DIVISOR = 25.0, 1e4
_HIGH_MOMENTUM, _LOW_MOMENTUM = 0.95, 0.85

_TYPE2_BASE = 1e-4
_TYPE2_RATES = {2: 5e-5, 4: 1e-5, 6: 5e-6, 8: 1e-6, 10: 5e-7, 15: 1e-7, 20: 5e-8}
"""The published table: from when so many epochs are over, this rate. It knows rates and not shares
of one; here they are shares of the published default rate."""


class Pace(NamedTuple):
    """What one step is made with: the rate, and Adam's first beta or the momentum of SGD."""

    lr: float
    momentum: float = MOMENTUM


def pace(train: TrainSection, steps_per_epoch: int, step: int) -> Pace:
    """The learning rate of `step`, counted from 0 over the whole run; the last one stays."""
    total, warmup = train.epochs * steps_per_epoch, train.warmup_steps
    step = min(step, total - 1)
    if train.schedule == "onecycle":
        return one_cycle(train.learning_rate, train.pct_start, total, step)
    risen = min(1.0, (step + 1) / (warmup + 1))
    if train.schedule == "cosine":
        share = max(0, step - warmup) / max(1, total - warmup)
        floor = min(COSINE_FLOOR, train.learning_rate)
        return Pace(risen * _cosine(train.learning_rate, floor, share))
    return Pace(risen * train.learning_rate * _epoch_share(train, step // steps_per_epoch))


def _epoch_share(train: TrainSection, ended: int) -> float:
    """What is left of the configured rate when so many epochs are over."""
    match train.schedule:
        case "type1":
            return 0.5 ** max(0, ended - 1)
        case "type2":
            reached = [rate for after, rate in _TYPE2_RATES.items() if after <= ended]
            return (reached[-1] if reached else _TYPE2_BASE) / _TYPE2_BASE
        case "type3":
            return 0.9 ** max(0, ended - 3)
        case "constant" | "onecycle" | "cosine":
            return 1.0
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
