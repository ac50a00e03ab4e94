"""The disk rule: holds the run before a checkpoint that would not fit, and until there is room."""

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.disk_room import room_to_go_on, room_to_write, saved_bytes
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.sizes import size_text
from timellm_ops.contract.state import RunState
from timellm_policies.situation import RuleStatus, Situation, Terms

RULE = "disk"

_MIB = 1 << 20
_BEST_BYTES, _LAST_BYTES = 4, 12
"""Of a weight; in `last` there are Adam's two moments of it as well."""


def may_hold(policy: PolicySection) -> bool:
    """Whether the rule may hold a run."""
    return policy.disk.enabled


def needed_bytes(state: RunState) -> int:
    """What the next checkpoint takes while the one before it still stands.

    The larger one of those that were saved; before the first, what our own engine's weights and
    optimiser will come to. Nothing where nobody can tell.
    """
    saved = saved_bytes(state)
    return _LAST_BYTES * (state.trainable_parameters or 0) if saved is None else saved


def to_write_bytes(state: RunState) -> int:
    """What checkpoints may still add to the disk: each new one beside the one that it replaces."""
    weights = state.trainable_parameters or 0
    best = _BEST_BYTES * weights if state.best is None else state.best.bytes
    last = _LAST_BYTES * weights if state.last is None else state.last.bytes
    return best + last


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """A pause with an alert while the next checkpoint would not fit; a resume when it would."""
    if not now.policy.disk.enabled:
        return ()
    free = _free_bytes(now.state)
    if free is None:
        return ()
    limit = _limit_bytes(now)
    if now.hold_of(RULE) is not None:
        return _resume(free, _enough_bytes(now))
    if free >= limit:
        return ()
    reason = (
        f"{size_text(free)} free on the disk, and the next checkpoint needs"
        f" {size_text(needed_bytes(now.state))} besides a margin of"
        f" {size_text(now.policy.disk.margin_mib * _MIB)}"
    )
    pause = PolicyDecision(
        action="pause",
        rule=RULE,
        reason=reason,
        value=free / _MIB,
        threshold=limit / _MIB,
        unit="MiB",
        until=terms_of_hold(now).until,
    )
    alert = PolicyDecision(
        action="alert",
        rule=RULE,
        reason=f"{reason}; make room, and the run goes on by itself",
        value=free / _MIB,
        threshold=limit / _MIB,
        unit="MiB",
        about="full",
    )
    if now.state.override_of(RULE, now.now_t, now.now_at) is not None:
        return ()
    return pause, alert


def terms_of_hold(now: Situation) -> Terms:
    """When a pause for want of room ends."""
    return Terms(until=f"resumes when {size_text(_enough_bytes(now), up=True)} are free")


def _resume(free: int, enough: float) -> tuple[PolicyDecision, ...]:
    if free < enough:
        return ()
    return (
        PolicyDecision(
            action="resume",
            rule=RULE,
            reason=f"{size_text(free)} free on the disk",
            value=free / _MIB,
            threshold=enough / _MIB,
            unit="MiB",
        ),
    )


def _limit_bytes(now: Situation) -> float:
    return room_to_write(needed_bytes(now.state), now.policy.disk.margin_mib * _MIB)


def _enough_bytes(now: Situation) -> float:
    needed, margin = needed_bytes(now.state), now.policy.disk.margin_mib * _MIB
    return room_to_go_on(to_write_bytes(now.state), needed, margin)


def _free_bytes(state: RunState) -> int | None:
    return None if state.host is None else state.host.disk_free_bytes


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    if not now.policy.disk.enabled:
        return RuleStatus(rule=RULE, standing="off", next="switched off")
    free, hold, limit = _free_bytes(now.state), now.hold_of(RULE), _limit_bytes(now)
    return RuleStatus(
        rule=RULE,
        standing="holding" if hold else "unknown" if free is None else "watching",
        value=None if free is None else round(free / _MIB, 1),
        threshold=round(limit / _MIB, 1),
        unit="MiB",
        next=hold.until if hold else f"pauses the run below {size_text(limit)} free",
    )
