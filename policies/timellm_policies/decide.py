"""Every rule at once: what is to be done now, the strongest action first."""

from collections.abc import Sequence
from datetime import datetime

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import Action, PolicyDecision
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.holds import stopping
from timellm_policies.rules import RULES
from timellm_policies.situation import Situation

_PRECEDENCE: tuple[Action, ...] = ("stop", "pause", "pace", "resume")


def decide(
    config: PolicySection,
    state: RunState,
    recent: Sequence[TimedSample],
    now_t: float,
    now_at: datetime | None = None,
) -> tuple[PolicyDecision, ...]:
    """What the rules want at monotonic second `now_t`, given where the run stands.

    `recent` holds the latest readings, oldest first, each with its monotonic second, and `None`
    for each attempt that brought none; `now_at` is the same moment in UTC. Stop outranks pause,
    pause pace, and pace resume: only decisions of the highest rank that any rule asks for are
    returned, and with them alerts, and the end of a hold where it is another than was told. What
    is in force already, as told by `state`, is not asked for again. The same arguments always give
    the same answer; `at` and `t` are left to whoever journals it.
    """
    if state.ended or stopping(state):
        return ()
    now = Situation(policy=config, state=state, recent=recent, now_t=now_t, now_at=now_at)
    wanted = [decision for rule in RULES for decision in rule.decisions(now) if _may(decision, now)]
    wanted += _freed(now)
    alerts = [decision for decision in wanted if decision.action == "alert"]
    for action in _PRECEDENCE:
        strongest = [decision for decision in wanted if decision.action == action]
        if strongest:
            if action == "stop":
                return (strongest[0], *alerts)
            return (*strongest, *_renewed(now, wanted), *alerts)
    return (*_renewed(now, wanted), *alerts)


def _renewed(now: Situation, wanted: Sequence[PolicyDecision]) -> list[PolicyDecision]:
    """What is told of a hold is what its rule goes by: a hold that ends otherwise than it told,
    as when a person has changed the rule's keys, is told anew."""
    ending = {decision.rule for decision in wanted if decision.action == "resume"}
    renewed = []
    for rule in RULES:
        hold = now.hold_of(rule.name)
        if hold is None or not hold.until or rule.name in ending or rule.terms_of_hold is None:
            continue
        terms = rule.terms_of_hold(now)
        if (terms.until, terms.least_s) != (hold.until, hold.least_s):
            renewed.append(
                PolicyDecision(
                    action="pause",
                    rule=rule.name,
                    reason=hold.reason,
                    until=terms.until,
                    expected_s=terms.expected_s,
                    least_s=terms.least_s,
                    renewed=True,
                )
            )
    return renewed


def _may(decision: PolicyDecision, now: Situation) -> bool:
    """A rule that a person has overridden may not pause the run. Stopping is never overridden."""
    overridden = now.state.override_of(decision.rule, now.now_t, now.now_at) is not None
    return decision.action != "pause" or not overridden


def _freed(now: Situation) -> list[PolicyDecision]:
    """A hold of a rule that was switched off meanwhile would never be lifted, and is."""
    return [
        PolicyDecision(action="resume", rule=rule.name, reason="this rule is switched off")
        for rule in RULES
        if now.hold_of(rule.name) is not None and not rule.may_hold(now.policy)
    ]
