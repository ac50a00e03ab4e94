"""How the rules of a run stand, for the dashboard, which knows no policies."""

from collections.abc import Sequence
from datetime import datetime

from timellm_dashboard.viewmodel.rulerows import RuleRow, RulesOf, settings_of
from timellm_ops.clock import machine_zone
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_ops.contract.validation import ConfigError
from timellm_ops.store import load_config
from timellm_ops.supervisor.rules_in_force import policy_in_force
from timellm_policies.rules import statuses
from timellm_policies.situation import RuleStatus, Situation


def rules_of(layout: RunLayout) -> RulesOf | None:
    """The rules of a run, as they follow its state; `None` where its config cannot be read."""
    try:
        config = load_config(layout)
    except ConfigError:
        return None  # an old run's config may be of an old version; it can still be looked at
    return rules_under(config.policy, config.gpu, machine_zone())


def rules_under(configured: PolicySection, gpu: GpuSection, zone: str) -> RulesOf:
    """The rules under a `[policy]` and what was changed of it. `zone` is the machine's own."""

    def as_they_stand(
        state: RunState, recent: Sequence[TimedSample], now_t: float, now_at: datetime
    ) -> tuple[RuleRow, ...]:
        policy = policy_in_force(configured, gpu, state.policy_settings, zone)
        now = Situation(policy=policy, state=state, recent=recent, now_t=now_t, now_at=now_at)
        return tuple(_row(status, policy) for status in statuses(now))

    return as_they_stand


def _row(status: RuleStatus, policy: PolicySection) -> RuleRow:
    return RuleRow(
        rule=status.rule,
        standing=status.standing,
        value=status.value,
        threshold=status.threshold,
        unit=status.unit,
        next=status.next,
        settings=settings_of(policy)[status.rule],
    )
