"""The temperatures that a run's own config and its card put into force, for whoever shows them."""

from timellm_dashboard.viewmodel.look import LimitsOf
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import ConfigError
from timellm_ops.store import load_config
from timellm_ops.supervisor.rules_in_force import policy_in_force
from timellm_policies.limits import Limits, limits


def limits_of(layout: RunLayout) -> LimitsOf | None:
    """The limits of a run, as they follow its state; `None` where its config cannot be read."""
    try:
        config = load_config(layout)
    except ConfigError:
        return None  # an old run's config may be of an old version; it can still be looked at

    def in_force(state: RunState) -> Limits | None:
        thermal = policy_in_force(config.policy, config.gpu, state.policy_settings).thermal
        return limits(thermal, state.sample) if thermal.enabled else None

    return in_force


def governed(layout: RunLayout, state: RunState) -> bool:
    """Whether the governor may set the run's pace, settings changed under the run included. Raises
    `ConfigError`."""
    config = load_config(layout)
    return policy_in_force(config.policy, config.gpu, state.policy_settings).governor.enabled
