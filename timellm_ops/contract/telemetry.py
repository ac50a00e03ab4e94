"""What is known of a GPU and of the machine around it at one moment.

`None` where it is not known, never a made-up 0.
"""

from typing import Annotated

from msgspec import Meta, Struct

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""No counter, size or number of a process needs more bits, and few can reckon with one."""


class GpuProcess(Struct, frozen=True, kw_only=True, gc=False):
    """A process that holds memory on the GPU."""

    pid: Int64
    name: str | None = None
    used_bytes: Int64 | None = None
    of_run: bool | None = None
    """Whether it is one of the run's own engine; `None` where nobody has looked."""


class PowerLimits(Struct, frozen=True, kw_only=True, gc=False):
    """A card's power limit and how far it can be moved, in watts."""

    limit_w: float
    lowest_w: float
    highest_w: float


class GpuSample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reading of one GPU. `source` is `nvml`, `simulated` or `recorded`."""

    source: str
    index: Int64 = 0
    """The GPU's number on its machine, in the order of PCI addresses."""
    gpus: Int64 | None = None
    """How many GPUs the machine has."""
    uuid: str | None = None
    name: str | None = None
    temperature_c: float | None = None
    memory_used_bytes: Int64 | None = None
    memory_total_bytes: Int64 | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    utilization_pct: float | None = None
    sm_clock_mhz: float | None = None
    throttle_reasons: tuple[str, ...] | None = None
    """Empty when the card says that nothing holds it back; `None` when it does not say."""
    throttle_c: float | None = None
    """Where the card's software begins to lower the clock; NVIDIA's driver does not tell it."""
    slowdown_c: float | None = None
    """Where its hardware does, and hard."""
    shutdown_c: float | None = None
    """Where it turns itself off."""
    energy_mj: Int64 | None = None
    """Energy since the driver was loaded, in millijoules."""
    ecc_errors: Int64 | None = None
    """Memory errors that could not be corrected since the driver was loaded."""
    xids: tuple[Int64, ...] | None = None
    """Errors that the driver has logged since the reading before, by their XID numbers."""
    processes: tuple[GpuProcess, ...] | None = None
    power_limits: PowerLimits | None = None
    """Only in the first reading of a probe, where the driver tells it."""

    @property
    def slows_at_c(self) -> float | None:
        """The lowest temperature that is known to slow the card down."""
        return self.slowdown_c if self.throttle_c is None else self.throttle_c


class HostSample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reading of the machine that a run is on."""

    cpu_pct: float | None = None
    """Share of all cores that was busy since the reading before; the first one has none."""
    load_1min: float | None = None
    """Processes that run or wait to, a mean over the last minute."""
    memory_available_bytes: Int64 | None = None
    """What can be had without swapping, caches counted as available."""
    memory_total_bytes: Int64 | None = None
    disk_free_bytes: Int64 | None = None
    """What this user may still write where the run's folder is."""
    disk_total_bytes: Int64 | None = None
    battery_pct: float | None = None
    """`None` also on a machine without a battery."""
    on_battery: bool | None = None
    """Whether the machine runs from its battery; `None` where there is none or nobody knows."""


class TimedSample(Struct, frozen=True, gc=False):
    """A reading and its monotonic second; `sample` is `None` when none could be had."""

    t: float
    sample: GpuSample | None
