"""`[policy.X]`: the keys of the rules that watch something else than the GPU's temperature."""

from typing import Annotated, Literal

from msgspec import Meta

from timellm_ops.contract.section import NotNegative, Percent, Positive, PositiveFloat, Section

TimeOfDay = Annotated[
    str,
    Meta(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z",
        extra={"words": "of the form 22:30, or empty"},
    ),
]


class PowerSection(Section, frozen=True, kw_only=True):
    """`[policy.power]`: a limit for the mean power of the card, where there is one to keep."""

    action: Literal["off", "alert", "pause"] = "alert"
    """What a mean above `limit_w` does: nothing, tell a person, or hold the run until the mean has
    come down."""
    limit_w: PositiveFloat | None = None
    """The highest mean power, in watts; absent means no limit, for the card keeps its own."""
    mean_over_s: PositiveFloat = 60.0
    """The time that the mean is taken over. A socket or a power supply bears more for a moment."""
    min_pause_s: NotNegative = 30.0
    """The shortest pause, so that a run does not flap."""


class VramSection(Section, frozen=True, kw_only=True):
    """`[policy.vram]`: tells, once, when the card's memory is nearly full, and who holds it."""

    enabled: bool = True
    """Whether to tell."""
    alert_above_pct: Percent = 97.0
    """The share of the card's memory in use that is worth telling. A run that was planned to fit a
    6 GB card uses 93 % of it and is well."""


class SharingSection(Section, frozen=True, kw_only=True):
    """`[policy.sharing]`: another program computes on the same GPU."""

    action: Literal["off", "alert", "pause"] = "alert"
    """What another program on the GPU does: nothing, tell a person, or hold the run until that
    program has gone."""
    min_memory_mib: NotNegative = 200.0
    """Programs that hold less of the card's memory are not minded: a desktop holds a little."""


class HealthSection(Section, frozen=True, kw_only=True):
    """`[policy.health]`: whether training itself is well, and the engine and the card with it."""

    not_finite: Literal["off", "alert", "stop"] = "stop"
    """What a loss that is NaN or infinite does. Nothing that is trained from there on is of use,
    and a script would save it over its best checkpoint."""
    spike: Literal["off", "alert"] = "alert"
    """Whether to tell of a loss that jumps far above what it was."""
    spike_deviations: PositiveFloat = 8.0
    """How far: so many deviations above the median of recent records. The deviation is the median
    one, scaled, so that a few odd batches do not move it."""
    spike_records: Positive = 3
    """So many records in a row must be as high: a single bad batch is none."""
    stall_iterations: PositiveFloat = 50.0
    """Of an engine that is silent for so many times the median time of an iteration, a person is
    told. A pause and the writing of a checkpoint do not count."""
    stall_min_s: PositiveFloat = 180.0
    """But never earlier than this, for a machine that swaps may be slow for a while."""
    stall_action: Literal["off", "alert", "stop"] = "alert"
    """What is done after `stall_stop_after_s`: nothing at all, not even telling; nothing more than
    telling; or stop, which ends an engine that hangs."""
    stall_stop_after_s: PositiveFloat = 1800.0
    """How long an engine is silent before `stop` does it."""
    loading_minutes: PositiveFloat = 15.0
    """How long an engine may take to load before a person is told."""
    gpu_fault: Literal["off", "alert", "stop"] = "stop"
    """What is done when the driver says that the GPU is lost or must be reset, counts an error of
    its memory that could not be corrected, or logs an XID after which the card needs a reset.
    Other XIDs are told of."""


class DiskSection(Section, frozen=True, kw_only=True):
    """`[policy.disk]`: hold the run while the next checkpoint would not fit on the disk."""

    enabled: bool = True
    """Whether to do so. Without it training goes on, and what cannot be saved is at risk."""
    margin_mib: NotNegative = 256.0
    """What is to stay free besides the next checkpoint, for the journal, the logs and others."""


class BatterySection(Section, frozen=True, kw_only=True):
    """`[policy.battery]`: hold the run while the machine lives off its battery."""

    enabled: bool = True
    """Whether to do so. A machine without a battery is never held."""
    pause_below_pct: Percent = 50.0
    """On battery and below this charge, the run is held, which leaves the rest of the battery to
    whoever works at the machine."""
    resume_above_pct: Percent = 60.0
    """It goes on at this charge, or as soon as the machine is on mains power."""


class ScheduleSection(Section, frozen=True, kw_only=True):
    """`[policy.schedule]`: hours in which the run stands still, and when it should have ended."""

    quiet_from: TimeOfDay = ""
    """The local time at which quiet hours begin, such as "22:30"; empty: there are none."""
    quiet_until: TimeOfDay = ""
    """The local time at which they end, on the next day where that is earlier."""
    timezone: str = ""
    """Where those times are local, such as "Europe/Berlin"; empty: where this machine is."""
    deadline: str = ""
    """When the run should have ended, in that place: "2026-02-01 07:00". A person is told as soon
    as the estimated end is later; empty: there is none."""
