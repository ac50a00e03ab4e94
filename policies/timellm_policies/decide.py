"""Every rule at once: what is to be done now, the strongest action first."""

from collections.abc import Sequence

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import Action, PolicyDecision
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies import governor, health, telemetry, thermal

_PRECEDENCE: tuple[Action, ...] = ("stop", "pause", "pace", "resume")


def decide(
    config: PolicySection, state: RunState, recent: Sequence[TimedSample], now_t: float
) -> tuple[PolicyDecision, ...]:
    """What the rules want at monotonic second `now_t`, given where the run stands.

    `recent` holds the latest readings, oldest first, each with its monotonic second, and `None`
    for each attempt that brought none. Stop outranks pause, pause pace, and pace resume: only
    decisions of the highest rank that any rule asks for are returned, and alerts with them. What
    is in force already, as told by `state`, is not asked for again. The same arguments always
    give the same answer; `at` and `t` are left to whoever journals it.
    """
    if state.ended:
        return ()
    wanted = [
        *thermal.decisions(config.thermal, state, recent, now_t),
        *telemetry.decisions(config.thermal, state, recent, now_t),
        *health.decisions(state, recent),
        *governor.decisions(config.governor, config.thermal, state, recent, now_t),
    ]
    alerts = [decision for decision in wanted if decision.action == "alert"]
    for action in _PRECEDENCE:
        strongest = [decision for decision in wanted if decision.action == action]
        if strongest:
            return (*(strongest[:1] if action == "stop" else strongest), *alerts)
    return tuple(alerts)
