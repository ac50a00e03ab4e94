"""What a supervisor may ask of a GPU and of its machine, whatever stands behind it."""

from typing import Protocol, TypeAlias

from msgspec import Struct

from timellm_ops.contract.telemetry import GpuSample, HostSample


class Unreadable(Struct, frozen=True, kw_only=True):
    """The GPU was asked and no reading came of it. Unknown is not the same as safe."""

    reason: str
    permanent: bool = False
    """There is no such GPU or driver here; the probe will not ask again."""
    asleep: bool = False
    """The GPU is powered down and was not woken: it does no work and makes no heat."""
    lost: bool = False
    """The GPU itself has failed: it has fallen off the bus, or must be reset."""
    others: tuple[str, ...] = ()
    """UUIDs of the GPUs that are here, where the one that the config asks for is not."""


class PowerAnswer(Struct, frozen=True, kw_only=True):
    """What came of a power limit that was asked for."""

    limit_w: float
    problem: str = ""
    """Why it is not in force; empty: it is."""


Reading: TypeAlias = GpuSample | Unreadable | PowerAnswer


class GpuProbe(Protocol):
    """A source of readings. One thread owns it; nothing it does may block that thread."""

    @property
    def source(self) -> str:
        """`nvml`, `simulated`, `recorded` or `none`."""
        ...

    def poll(self, now_t: float) -> Reading | None:
        """What is new at monotonic second `now_t`; `None` when nothing is. Returns at once."""
        ...

    def limit_power(self, limit_w: float) -> None:
        """Ask for a power limit, in watts. Returns at once; `poll` brings a `PowerAnswer`."""
        ...

    def close(self) -> None:
        """Let go of everything, processes included. Further calls do nothing."""
        ...


class HostProbe(Protocol):
    """A source of readings of the machine. One thread owns it, and nothing may block that."""

    def poll(self, now_t: float) -> HostSample | None:
        """What is new at monotonic second `now_t`; `None` when nothing is. Returns at once."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
