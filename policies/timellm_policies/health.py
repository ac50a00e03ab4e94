"""The health rule: whether the card, the engine and training itself are well."""

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_policies.card import failed, overheated
from timellm_policies.progress import loading, no_progress, silence_of, stall_limit_s
from timellm_policies.situation import RuleStatus, Situation
from timellm_policies.training import not_finite, spike

RULE = "health"


def may_hold(policy: PolicySection) -> bool:  # noqa: ARG001 - as every rule's
    """Whether the rule may hold a run: what it finds does not pass by standing still."""
    return False


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """What the card, the engine and training ask for, each by itself."""
    return (
        *not_finite(now, RULE),
        *spike(now, RULE),
        *no_progress(now, RULE),
        *loading(now, RULE),
        *failed(now, RULE),
        *overheated(now, RULE),
    )


def status(now: Situation) -> RuleStatus:
    """What the rule sees of the engine's progress, and would do about it.

    It watches also where no word from the engine is due, as while the run is paused: then it has no
    value.
    """
    section = now.policy.health
    silence = silence_of(now)
    limit_s = stall_limit_s(now) if silence is None else silence.limit_s
    deeds = []
    told = False
    if section.not_finite != "off":
        stops = section.not_finite == "stop"
        deeds.append("stops the run on a loss that is no number" if stops else "tells of one")
    if section.stall_action != "off" and limit_s is not None:
        told = silence is not None and silence.silent_s > limit_s
        deed = "has told you" if told else "tells you"
        deeds.append(f"{deed} after {limit_s:.0f} s of silence")
        if section.stall_action == "stop":
            deeds.append(f"ends the engine after {section.stall_stop_after_s:.0f} s")
    return RuleStatus(
        rule=RULE,
        standing="told" if told else "watching",
        value=None if silence is None else round(silence.silent_s, 1),
        threshold=None if limit_s is None else round(limit_s, 1),
        unit="s",
        next=", ".join(deeds) or "tells you of a card that slows itself down",
    )
