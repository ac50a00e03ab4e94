"""The `[policy]` of a run as it is in force: its config, and what was changed under the run."""

from functools import lru_cache

from msgspec.structs import replace

from timellm_ops.configfile import with_policy_settings
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.validation import ConfigError


@lru_cache(maxsize=8)
def policy_in_force(
    policy: PolicySection, gpu: GpuSection, settings: tuple[str, ...], zone: str = ""
) -> PolicySection:
    """`policy` with `settings`, as `RunState.policy_settings` keeps them.

    Each was right when it was taken. Where they are not any more, as under another version of this
    program, the config alone is in force. `zone` is the machine's own, for a schedule without one.
    """
    try:
        changed = with_policy_settings(policy, gpu, settings) if settings else policy
    except ConfigError:
        changed = policy
    if changed.schedule.timezone:
        return changed
    return replace(changed, schedule=replace(changed.schedule, timezone=zone))
