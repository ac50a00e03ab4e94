"""The rules there are, in the order in which they are asked."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_policies import (
    battery,
    disk,
    governor,
    health,
    power,
    schedule,
    sharing,
    telemetry,
    thermal,
    vram,
)
from timellm_policies.governor_status import governor_status
from timellm_policies.situation import RuleStatus, Situation, Terms
from timellm_policies.thermal_status import telemetry_status, thermal_status


class Rule(NamedTuple):
    """One rule: its name, what it wants, whether it may hold a run, how it stands, and when its
    hold ends by the keys in force."""

    name: str
    decisions: Callable[[Situation], tuple[PolicyDecision, ...]]
    may_hold: Callable[[PolicySection], bool]
    status: Callable[[Situation], RuleStatus]
    terms_of_hold: Callable[[Situation], Terms] | None = None
    """`None`: it never holds a run."""


def _thermal(now: Situation) -> tuple[PolicyDecision, ...]:
    return thermal.decisions(now.policy.thermal, now.state, now.recent, now.now_t)


def _telemetry(now: Situation) -> tuple[PolicyDecision, ...]:
    return telemetry.decisions(now.policy.thermal, now.state, now.recent, now.now_t)


def _governor(now: Situation) -> tuple[PolicyDecision, ...]:
    policy = now.policy
    return governor.decisions(policy.governor, policy.thermal, now.state, now.recent, now.now_t)


def _terms_of_heat(now: Situation) -> Terms:
    return thermal.terms_of_hold(now.policy.thermal, now.state)


def _terms_of_unknown(now: Situation) -> Terms:
    return telemetry.terms_of_hold(now.policy.thermal, now.state)


def _never_holds(_: PolicySection) -> bool:
    return False


def _watches_heat(policy: PolicySection) -> bool:
    return policy.thermal.enabled


RULES: tuple[Rule, ...] = (
    Rule(thermal.RULE, _thermal, _watches_heat, thermal_status, _terms_of_heat),
    Rule(telemetry.RULE, _telemetry, _watches_heat, telemetry_status, _terms_of_unknown),
    Rule(governor.RULE, _governor, _never_holds, governor_status),
    Rule(health.RULE, health.decisions, health.may_hold, health.status),
    Rule(power.RULE, power.decisions, power.may_hold, power.status, power.terms_of_hold),
    Rule(vram.RULE, vram.decisions, vram.may_hold, vram.status),
    *(
        Rule(module.RULE, module.decisions, module.may_hold, module.status, module.terms_of_hold)
        for module in (sharing, disk, battery, schedule)
    ),
)


def statuses(now: Situation) -> tuple[RuleStatus, ...]:
    """How every rule stands, with what a person has said against it."""
    return tuple(_overridden(rule.status(now), now) for rule in RULES)


def _overridden(status: RuleStatus, now: Situation) -> RuleStatus:
    override = now.state.override_of(status.rule, now.now_t, now.now_at)
    if override is None:
        return status
    said = f"may not hold the run for now, says {override.who}"
    return replace(status, standing="overridden", next=said)
