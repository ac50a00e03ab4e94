"""The battery rule: a machine that lives off its battery is not run down by training."""

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_policies.situation import RuleStatus, Situation, Terms

RULE = "battery"


def may_hold(policy: PolicySection) -> bool:
    """Whether the rule may hold a run."""
    return policy.battery.enabled


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """A pause on a low battery; a resume on mains power or once there is charge again.

    A machine that tells nothing of a battery is left alone, and so is a run that is held when it
    tells nothing any more: not knowing is no power.
    """
    section, host = now.policy.battery, now.state.host
    if not section.enabled or host is None:
        return ()
    if now.hold_of(RULE) is not None:
        return _resume(now)
    if host.on_battery is not True or host.battery_pct is None:
        return ()
    if host.battery_pct >= section.pause_below_pct:
        return ()
    return (
        PolicyDecision(
            action="pause",
            rule=RULE,
            reason=f"on battery at {host.battery_pct:.0f} % < {section.pause_below_pct:g} %",
            value=host.battery_pct,
            threshold=section.pause_below_pct,
            unit="%",
            until=terms_of_hold(now).until,
        ),
    )


def terms_of_hold(now: Situation) -> Terms:
    """When a pause for the battery's sake ends."""
    return Terms(until=f"resumes on mains power or at {now.policy.battery.resume_above_pct:g} %")


def _resume(now: Situation) -> tuple[PolicyDecision, ...]:
    section, host = now.policy.battery, now.state.host
    if host is None:
        return ()
    charge = host.battery_pct
    if host.on_battery is False:
        reason = "on mains power"
    elif charge is not None and charge >= section.resume_above_pct:
        reason = f"the battery is at {charge:.0f} % ≥ {section.resume_above_pct:g} %"
    else:
        return ()
    return (
        PolicyDecision(
            action="resume",
            rule=RULE,
            reason=reason,
            value=charge,
            threshold=section.resume_above_pct,
            unit="%",
            until=f"pauses on battery below {section.pause_below_pct:g} %",
        ),
    )


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    section, host, hold = now.policy.battery, now.state.host, now.hold_of(RULE)
    if not section.enabled:
        return RuleStatus(rule=RULE, standing="off", next="switched off")
    charge = None if host is None else host.battery_pct
    below = f"pauses the run on battery below {section.pause_below_pct:g} %"
    known = host is not None and host.on_battery is not None
    mains = host is not None and host.on_battery is False
    return RuleStatus(
        rule=RULE,
        standing="holding" if hold else "watching" if known else "unknown",
        value=charge,
        threshold=section.pause_below_pct,
        unit="%",
        next=hold.until if hold else f"{below}, now on mains power" if mains else below,
    )
