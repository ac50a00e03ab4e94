"""The power rule: keeps the mean power of the card under a limit, or tells that it is above."""

from collections.abc import Sequence
from itertools import takewhile

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.holds import nothing_to_read, without_reading
from timellm_policies.situation import RuleStatus, Situation, Terms

RULE = "power"

RESUME_SHARE = 0.9
"""A paused run goes on once the mean is below this share of the limit."""
_COVERED_SHARE = 0.8
"""So much of the time must be covered by readings for a mean to be told."""
_AGAIN_AFTER_S = 3600.0


def may_hold(policy: PolicySection) -> bool:
    """Whether the rule may hold a run."""
    return policy.power.action == "pause" and policy.power.limit_w is not None


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """What the mean power of the last `mean_over_s` asks for."""
    section = now.policy.power
    hold = now.hold_of(RULE)
    if section.limit_w is None or section.action == "off":
        return ()
    mean_w = mean_power_w(now.recent, now.now_t, section.mean_over_s)
    if hold is not None:
        return _resume(now, mean_w)
    if mean_w is None or mean_w <= section.limit_w or not now.at_work:
        return ()
    pause = section.action == "pause"
    if not pause and not now.may_tell(RULE, "limit", _AGAIN_AFTER_S):
        return ()
    terms = terms_of_hold(now)
    return (
        PolicyDecision(
            action="pause" if pause else "alert",
            rule=RULE,
            reason=(
                f"{watts(mean_w)} > {watts(section.limit_w)} on average over the last"
                f" {section.mean_over_s:g} s"
            ),
            value=round(mean_w, 1),
            threshold=section.limit_w,
            unit="W",
            until=terms.until if pause else "",
            least_s=terms.least_s if pause else None,
            about="" if pause else "limit",
        ),
    )


def terms_of_hold(now: Situation) -> Terms:
    """When a pause for power ends."""
    section = now.policy.power
    below_w = RESUME_SHARE * (section.limit_w or 0.0)
    return Terms(until=f"resumes below {watts(below_w)}", least_s=section.min_pause_s or None)


def _resume(now: Situation, mean_w: float | None) -> tuple[PolicyDecision, ...]:
    section, hold = now.policy.power, now.hold_of(RULE)
    if section.limit_w is None or hold is None or now.held_s(hold) < section.min_pause_s:
        return ()
    blind = nothing_to_read(now.state)
    if blind:
        return (PolicyDecision(action="resume", rule=RULE, reason=blind),)
    below_w = RESUME_SHARE * section.limit_w
    if mean_w is None or mean_w >= below_w:
        return ()
    return (
        PolicyDecision(
            action="resume",
            rule=RULE,
            reason=(
                f"{watts(mean_w)} < {watts(below_w)} on average over the last"
                f" {section.mean_over_s:g} s"
            ),
            value=round(mean_w, 1),
            threshold=round(below_w, 1),
            unit="W",
            until=f"pauses above {watts(section.limit_w)}",
        ),
    )


def mean_power_w(recent: Sequence[TimedSample], now_t: float, over_s: float) -> float | None:
    """The mean of the readings of the last `over_s` seconds; `None` where they cover too little of
    that time, or none of them tells a power."""
    taken = list(takewhile(lambda reading: reading.t >= now_t - over_s, reversed(recent)))
    known = [
        (reading.t, reading.sample.power_w)
        for reading in taken
        if reading.sample is not None and reading.sample.power_w is not None
    ]
    if len(known) < 2 or 2 * len(known) < len(taken):
        return None
    (newest_t, _), (oldest_t, _) = known[0], known[-1]
    missed_s = max(now_t - newest_t, over_s - (now_t - oldest_t))
    if missed_s > (1.0 - _COVERED_SHARE) * over_s:
        return None
    return sum(power_w for _, power_w in known) / len(known)


def watts(power_w: float) -> str:
    """A power as a person reads it."""
    return f"{round(power_w, 1):g} W"


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    section = now.policy.power
    if section.limit_w is None or section.action == "off":
        off = "policy.power.limit_w is not set" if section.limit_w is None else "switched off"
        return RuleStatus(rule=RULE, standing="off", next=off)
    mean_w = mean_power_w(now.recent, now.now_t, section.mean_over_s)
    deed = "pauses the run" if section.action == "pause" else "tells you"
    hold = now.hold_of(RULE)
    unread = without_reading(now.state) if mean_w is None else None
    blind = nothing_to_read(now.state) if unread else ""
    return RuleStatus(
        rule=RULE,
        standing="holding" if hold else unread or "watching",
        value=None if mean_w is None else round(mean_w, 1),
        threshold=section.limit_w,
        unit="W",
        next=hold.until_at(now.now_t)
        if hold
        else blind or f"{deed} above {watts(section.limit_w)} on average",
    )
