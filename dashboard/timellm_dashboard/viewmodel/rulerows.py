"""How the rules of a run stand, as whoever knows them tells the dashboard, and their keys."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample

Standing = Literal["off", "watching", "told", "holding", "overridden", "unknown"]


class RuleRow(Struct, frozen=True, kw_only=True):
    """One rule: what it sees, where its threshold is, and what it would do next."""

    rule: str
    standing: Standing
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    next: str
    """One plain English sentence."""
    settings: tuple[str, ...] = ()
    """Its keys as they are in force, each `key=value`, the most important first; a key without a
    value is not set."""


RulesOf = Callable[[RunState, Sequence[TimedSample], float, datetime], tuple[RuleRow, ...]]
"""The rules as they stand, from the state, the latest readings, oldest first, and now, as a
monotonic second and in UTC."""

MAIN_KEYS = {
    "thermal": "pause_above_c",
    "telemetry": "unknown_after_s",
    "governor": "set_point_c",
    "health": "stall_min_s",
    "power": "limit_w",
    "vram": "alert_above_pct",
    "sharing": "action",
    "disk": "margin_mib",
    "battery": "pause_below_pct",
    "schedule": "quiet_from",
}
"""The key of each rule that a person is most likely to change."""
_OF_TELEMETRY = ("unknown_after_s", "unknown_action")
"""Keys of `[policy.thermal]` that are a rule's of their own."""


@lru_cache(maxsize=4)
def settings_of(policy: PolicySection) -> dict[str, tuple[str, ...]]:
    """The keys of each rule with the values in `policy`, by the rule's name."""
    return {rule: tuple(_settings(policy, rule)) for rule in MAIN_KEYS}


def _settings(policy: PolicySection, rule: str) -> list[str]:
    section = "thermal" if rule == "telemetry" else rule
    values = getattr(policy, section)
    names = [field.name for field in fields(values)]
    if rule == "telemetry":
        names = [*_OF_TELEMETRY, "enabled"]
    elif rule == "thermal":
        names = [name for name in names if name not in _OF_TELEMETRY]
    names.sort(key=lambda name: (name != MAIN_KEYS[rule], name == "enabled"))
    return [f"policy.{section}.{name}={_written(getattr(values, name))}" for name in names]


def _written(value: Any) -> str:
    """A value as it is typed in `key=value`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
