"""The temperatures at which something is done: the configured ones, kept below the card's own."""

from msgspec import Struct

from timellm_ops.contract.config import ThermalSection
from timellm_ops.contract.telemetry import GpuSample

SLOWDOWN_MARGIN_C = 5.0
"""Pausing begins at least so far below the card's own slowdown."""
SHUTDOWN_MARGIN_C = 3.0
"""An emergency is so far below the card's own shutdown, unless the config says otherwise."""
EMERGENCY_MARGIN_C = 3.0
"""Pausing begins at least so far below such an emergency: it is to come first."""
BAND_C = 5.0
"""Pause and resume are at least so far apart once the card's limit has pushed pause down."""
DANGER_ABOVE_PAUSE_C = 3.0
"""So far above pause, no dwell is waited for."""


class Limits(Struct, frozen=True, kw_only=True):
    """Thresholds in force, in °C."""

    pause_above_c: float
    resume_below_c: float
    emergency_c: float | None

    @property
    def danger_c(self) -> float:
        """From here on a pause waits for nothing."""
        return self.pause_above_c + DANGER_ABOVE_PAUSE_C


def limits(config: ThermalSection, card: GpuSample | None) -> Limits:
    """The configured thresholds, lowered where the card's own limits ask for it.

    `card` is the newest reading, as `RunState.sample` keeps it through a dropout.
    """
    slowdown_c = None if card is None else card.slowdown_c
    shutdown_c = None if card is None else card.shutdown_c
    pause_c, resume_c, emergency_c = (
        config.pause_above_c,
        config.resume_below_c,
        config.emergency_c,
    )
    if slowdown_c is not None:
        pause_c = min(pause_c, slowdown_c - SLOWDOWN_MARGIN_C)
    if emergency_c is None and shutdown_c is not None:
        emergency_c = shutdown_c - SHUTDOWN_MARGIN_C
        pause_c = min(pause_c, emergency_c - EMERGENCY_MARGIN_C)
    if pause_c < config.pause_above_c:
        resume_c = min(resume_c, pause_c - BAND_C)
    return Limits(pause_above_c=pause_c, resume_below_c=resume_c, emergency_c=emergency_c)
