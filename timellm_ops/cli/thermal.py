"""The temperatures that a run's own config and its card put into force, for whoever shows them."""

from msgspec import Struct

from timellm_dashboard.viewmodel.look import LimitsOf
from timellm_ops.contract.config import Config, PolicySection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import ConfigError
from timellm_ops.store import load_config
from timellm_ops.supervisor.rules_in_force import policy_in_force
from timellm_policies.governor import actuator, set_point_c
from timellm_policies.limits import limits


class InForce(Struct, frozen=True, kw_only=True):
    """What is done about heat, as `ThermalLimits` has it."""

    pause_above_c: float
    resume_below_c: float
    emergency_c: float | None
    least_pause_s: float
    held_c: float | None
    lowest_pace: float


def limits_of(layout: RunLayout) -> LimitsOf | None:
    """The limits of a run, as they follow its state; `None` where its config cannot be read."""
    try:
        config = load_config(layout)
    except ConfigError:
        return None  # an old run's config may be of an old version; it can still be looked at

    def in_force(state: RunState) -> InForce | None:
        policy = policy_in_force(config.policy, config.gpu, state.policy_settings)
        if not policy.thermal.enabled:
            return None
        found = limits(policy.thermal, state.sample)
        return InForce(
            pause_above_c=found.pause_above_c,
            resume_below_c=found.resume_below_c,
            emergency_c=found.emergency_c,
            least_pause_s=policy.thermal.min_dwell_s,
            held_c=_held_c(config, policy, state),
            lowest_pace=policy.governor.lowest_duty,
        )

    return in_force


def _held_c(config: Config, policy: PolicySection, state: RunState) -> float | None:
    """What the governor holds by rests. A power limit holds by other means, and a script that may
    not be stopped for moments is not paced at all."""
    if not policy.governor.enabled or actuator(policy.governor, state) != "duty":
        return None
    if state.engine == "foreign" and not config.foreign.pace_by_stops:
        return None
    return set_point_c(policy.governor, policy.thermal, state)


def governed(layout: RunLayout, state: RunState) -> bool:
    """Whether the governor may set the run's pace, settings changed under the run included. Raises
    `ConfigError`."""
    config = load_config(layout)
    return policy_in_force(config.policy, config.gpu, state.policy_settings).governor.enabled
