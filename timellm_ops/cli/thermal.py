"""The temperatures that a run's own config and its card put into force, for whoever shows them."""

from timellm_dashboard.look import LimitsOf
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.contract.validation import ConfigError
from timellm_ops.store import load_config
from timellm_policies.limits import Limits, limits


def limits_of(layout: RunLayout) -> LimitsOf | None:
    """The limits for a card as it last reported itself; `None` where no thermal rule applies."""
    try:
        thermal = load_config(layout).policy.thermal
    except ConfigError:
        return None  # an old run's config may be of an old version; it can still be looked at

    def in_force(card: GpuSample | None) -> Limits:
        return limits(thermal, card)

    return in_force if thermal.enabled else None
