"""What is known of a GPU at one moment. `None` where it is not known, never a made-up 0."""

from msgspec import Struct


class GpuProcess(Struct, frozen=True, kw_only=True):
    """A process that holds memory on the GPU."""

    pid: int
    name: str | None = None
    used_bytes: int | None = None


class PowerLimits(Struct, frozen=True, kw_only=True):
    """A card's power limit and how far it can be moved, in watts."""

    limit_w: float
    lowest_w: float
    highest_w: float


class GpuSample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading of one GPU. `source` is `nvml`, `simulated` or `recorded`."""

    source: str
    index: int = 0
    uuid: str | None = None
    name: str | None = None
    temperature_c: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    utilization_pct: float | None = None
    sm_clock_mhz: float | None = None
    throttle_reasons: tuple[str, ...] | None = None
    """Empty when the card says that nothing holds it back; `None` when it does not say."""
    slowdown_c: float | None = None
    shutdown_c: float | None = None
    energy_mj: int | None = None
    """Energy since the driver was loaded, in millijoules."""
    processes: tuple[GpuProcess, ...] | None = None
    power_limits: PowerLimits | None = None
    """Only in the first reading of a probe, where the driver tells it."""


class TimedSample(Struct, frozen=True):
    """A reading and its monotonic second; `sample` is `None` when none could be had."""

    t: float
    sample: GpuSample | None
