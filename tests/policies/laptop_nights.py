"""Nights of a laptop's card under the real rules, rehearsed once for all tests that look at them.

The card is a laptop's of 115 W that full pace would bring to 93 °C in a room of 24 °C and to 101 °C
in one of 32 °C. It tells whole degrees.
"""

from functools import lru_cache
from typing import Any

from timellm_ops.contract.config import GovernorSection, PolicySection, SimulatedGpuSection
from timellm_ops.probe.simulated import SimulatedCard
from timellm_policies.simulate import Night, Rehearsal, Strategy, rehearse

LAPTOP = SimulatedGpuSection(resistance_c_per_w=0.6, whole_degrees=True)


@lru_cache
def night(
    strategy: Strategy,
    *room_c: float,
    hours: float = 0.8,
    step_s: float = 1.0,
    poll_s: float = 1.0,
    slow: float = 1.0,
    warm: float = 1.0,
    **card: float,
) -> Rehearsal:
    """`slow` and `warm`: how far the governor is wrong about the card."""
    known = GovernorSection()
    governor = GovernorSection(
        time_constant_s=known.time_constant_s * slow,
        full_load_rise_c=known.full_load_rise_c * warm,
    )
    changed: dict[str, Any] = {
        name: card.get(name, getattr(LAPTOP, name)) for name in LAPTOP.__struct_fields__
    }
    return rehearse(
        PolicySection(governor=governor),
        strategy,
        SimulatedCard(SimulatedGpuSection(**changed)),
        Night(hours=hours, step_s=step_s, poll_s=poll_s, room_c=room_c),
    )
