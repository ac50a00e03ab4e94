"""Where GPU telemetry comes from: the driver, a thermal model, or a recording."""

from collections.abc import Callable
from typing import assert_never

from timellm_ops.contract.config import GpuSection
from timellm_ops.probe.protocol import GpuProbe, PowerAnswer, Reading, Unreadable

__all__ = ["GpuProbe", "PowerAnswer", "Reading", "Unreadable", "open_probe"]


def open_probe(gpu: GpuSection, activity: Callable[[], float]) -> GpuProbe:
    """The probe that `[gpu]` asks for. Starts nothing yet: the first poll does.

    `activity` tells how many CPU seconds the engine has used so far; only the simulated GPU
    asks. `probe = "auto"` and `"nvml"` differ in what a missing driver means: the first says so
    once and is silent from then on, the second goes on asking, which leaves telemetry unknown.
    """
    match gpu.probe:
        case "auto" | "nvml":
            from timellm_ops.probe.nvml import NvmlProbe

            return NvmlProbe(gpu, required=gpu.probe == "nvml")
        case "simulated":
            from timellm_ops.probe.simulated import SimulatedProbe

            return SimulatedProbe(gpu, activity)
        case "none":
            from timellm_ops.probe.none import NoProbe

            return NoProbe()
        case _:
            assert_never(gpu.probe)
