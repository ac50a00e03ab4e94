"""Pauses for heat whose card is cool already: they last no longer than a pause has to. Pure.

How long a pause is expected to last is said as it begins, by how the card has moved before. A card
that has cooled sooner stands still for the shortest length of a pause alone.
"""

from msgspec.structs import replace

from timellm_dashboard.viewmodel.look import Look
from timellm_ops.contract.state import Hold, RunState

_RULE = "thermal"


def with_cooled_holds(state: RunState, look: Look) -> RunState:
    """`state` with what is still to be expected of its holds, by the latest reading."""
    if state.sample is None or not any(_lasts_longer(hold) for hold in state.holds):
        return state
    limits = None if look.limits is None else look.limits(state)
    celsius = state.sample.temperature_c
    if limits is None or celsius is None or celsius >= limits.resume_below_c:
        return state
    holds = tuple(
        replace(hold, expected_s=hold.least_s) if _lasts_longer(hold) else hold
        for hold in state.holds
    )
    return replace(state, holds=holds)


def _lasts_longer(hold: Hold) -> bool:
    """Whether more is expected of a pause for heat than its shortest length."""
    if hold.rule != _RULE or hold.least_s is None or hold.expected_s is None:
        return False
    return hold.expected_s > hold.least_s
