"""The health rule's look at the card: what it says of itself that no pause would mend."""

from timellm_ops.contract.events import PolicyDecision
from timellm_policies.situation import Situation

_OVERHEATED = "hw_thermal_slowdown"
_BROKEN_XIDS = frozenset({48, 62, 64, 79, 95, 119, 120, 140})
"""Errors after which NVIDIA's catalogue asks for a reset of the GPU or a restart of the machine:
uncorrected memory errors, a halted or silent controller of the card, a card off the bus."""
_CLEANUP_XID = 45
"""A program on the GPU was ended: its work is cleared away, which is not worth telling."""
_AGAIN_AFTER_S = 3600.0
_CONFIRMED_AFTER_S = 10.0
"""How long a GPU must stay lost: a driver that was asked at a bad moment answers again."""


def overheated(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """An alert when the card's own hardware slows it down for heat, unless it was given before."""
    sample = now.recent[-1].sample if now.recent else None
    if sample is None or _OVERHEATED not in (sample.throttle_reasons or ()):
        return ()
    reason = (
        f"the card's hardware slows it down because it is too hot ({_OVERHEATED});"
        " a lower policy.thermal.pause_above_c loses less time"
    )
    if any(notice.message == reason for notice in now.state.notices):
        return ()
    return (
        PolicyDecision(
            action="alert",
            rule=rule,
            reason=reason,
            value=sample.temperature_c,
            threshold=sample.slowdown_c,
            unit="°C",
        ),
    )


def failed(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    """A stop for a card that has failed: lost to the driver, with memory that errs, or with an
    error in the driver's log that only a reset mends; an alert about any other error there."""
    return _lost(now, rule) or _memory_errs(now, rule) or _driver_errors(now, rule)


def _lost(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    since_t = now.state.gpu_lost_t
    if since_t is None or now.now_t - since_t < _CONFIRMED_AFTER_S:
        return ()
    why = f"{now.state.gpu_lost_reason}, for {now.now_t - since_t:.0f} s"
    return _act(now, rule, "lost", why, None, None)


def _memory_errs(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    sample, before = now.state.sample, now.state.ecc_errors_before
    if sample is None or sample.ecc_errors is None or before is None:
        return ()
    if sample.ecc_errors <= before:
        return ()
    more = sample.ecc_errors - before
    errors = "an error" if more == 1 else f"{more} errors"
    why = f"the card's memory has had {errors} that could not be corrected"
    return _act(now, rule, "memory", why, float(sample.ecc_errors), float(before))


def _driver_errors(now: Situation, rule: str) -> tuple[PolicyDecision, ...]:
    sample = now.recent[-1].sample if now.recent else None
    xids = () if sample is None or sample.xids is None else sample.xids
    for xid in xids:
        if xid in _BROKEN_XIDS:
            why = f"the driver has logged XID {xid}, after which the card needs a reset"
            return _act(now, rule, f"xid {xid}", why, None, None)
    others = sorted(set(xids) - {_CLEANUP_XID})
    if now.policy.health.gpu_fault == "off":
        return ()
    return tuple(
        PolicyDecision(
            action="alert",
            rule=rule,
            reason=(
                f"the driver has logged XID {xid}: a fault of a program on this GPU, of the driver"
                " or of the card"
            ),
            about=f"xid {xid}",
        )
        for xid in others
        if now.may_tell(rule, f"xid {xid}", _AGAIN_AFTER_S)
    )


def _act(
    now: Situation,
    rule: str,
    about: str,
    why: str,
    value: float | None,
    threshold: float | None,
) -> tuple[PolicyDecision, ...]:
    action = now.policy.health.gpu_fault
    if action == "off" or not now.may_tell(rule, about):
        return ()
    stop = action == "stop"
    return (
        PolicyDecision(
            action="stop" if stop else "alert",
            rule=rule,
            reason=f"{why}: saving and stopping, for a new start would not help" if stop else why,
            value=value,
            threshold=threshold,
            about="" if stop else about,
        ),
    )
