"""The health rule's look at training: a loss that is no number, and one that has jumped."""

import math
from collections.abc import Sequence
from statistics import median

from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import RunState, TrainingRecord
from timellm_policies.situation import Situation

_FEWEST_BEFORE = 20
"""Records before the latest ones without which nobody can tell what is usual."""
_DEVIATION_OF_MEDIAN = 1.4826
"""The standard deviation of a normal distribution, in median absolute deviations."""
_SMALLEST_DEVIATION = 0.05
"""In shares of the median: a loss that hardly moves must not make every ripple a spike."""
_SPIKE_AGAIN_AFTER_S = 3600.0


def not_finite(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """A loss that is NaN or infinite: training has failed, and what was saved before it stands."""
    action = now.policy.health.not_finite
    what = _what_is_not_finite(now.state)
    if action == "off" or not what or not now.may_tell(rule, "not finite"):
        return ()
    stands = _what_stands(now.state)
    if action == "stop":
        reason = f"{what}: stopping, for nothing is learned from here on; {stands}"
        return (PolicyDecision(action="stop", rule=rule, reason=reason, failure=True),)
    reason = f"{what}; {stands}"
    return (PolicyDecision(action="alert", rule=rule, reason=reason, about="not finite"),)


def _what_is_not_finite(state: RunState) -> str:
    if not state.recent_training:
        return ""  # what is on record is of an earlier start
    loss = state.recent_training[-1].loss
    if loss is not None and not math.isfinite(loss):
        return f"the loss is {loss} in epoch {state.epoch}"
    row = state.rows[-1] if state.rows else None
    if row is not None and row.epoch == state.epoch and not math.isfinite(row.vali_mse):
        return f"the validation loss is {row.vali_mse} in epoch {row.epoch}"
    return ""


def _what_stands(state: RunState) -> str:
    saved = state.last if state.engine == "timellm" else state.best
    if saved is None:
        return "there is no checkpoint yet"
    if saved.vali_mse is not None and not math.isfinite(saved.vali_mse):
        return f"the {saved.kind} checkpoint, of epoch {saved.epoch}, was saved from such weights"
    return f"the {saved.kind} checkpoint, of epoch {saved.epoch}, was saved before and stays"


def spike(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """An alert about a loss that has jumped far above its usual range and stays there."""
    section = now.policy.health
    if section.spike == "off" or not now.may_tell(rule, "spike", _SPIKE_AGAIN_AFTER_S):
        return ()
    limit = spike_limit(now.state.recent_training, section.spike_records, section.spike_deviations)
    if limit is None:
        return ()
    newest = now.state.recent_training[-section.spike_records :]
    latest = [record.loss for record in newest if record.loss is not None]
    if len(latest) < len(newest) or not all(
        math.isfinite(loss) and loss > limit for loss in latest
    ):
        return ()
    usual = median(_usual(now.state.recent_training, section.spike_records))
    return (
        PolicyDecision(
            action="alert",
            rule=rule,
            reason=(
                f"the loss has jumped to {min(latest):.4g}, from about {usual:.4g} before, in"
                f" epoch {now.state.epoch}"
            ),
            value=min(latest),
            threshold=limit,
            about="spike",
        ),
    )


def spike_limit(records: Sequence[TrainingRecord], latest: int, deviations: float) -> float | None:
    """The loss above which the `latest` records would be a spike; `None`: too little to go by.

    Median and median absolute deviation of the records before them, which a few odd batches do
    not move.
    """
    usual = _usual(records, latest)
    if len(usual) < _FEWEST_BEFORE:
        return None
    middle = median(usual)
    deviation = _DEVIATION_OF_MEDIAN * median(abs(loss - middle) for loss in usual)
    return middle + deviations * max(deviation, _SMALLEST_DEVIATION * abs(middle))


def _usual(records: Sequence[TrainingRecord], latest: int) -> list[float]:
    before = (record.loss for record in records[:-latest])
    return [loss for loss in before if loss is not None and math.isfinite(loss)]
