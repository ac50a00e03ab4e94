"""The process that talks to NVML, so that a hang or a crash in there stays in there.

`python -m timellm_ops.probe.nvml_child --index N` answers every line on its standard input, which
asks for a reading or a power limit, with one `Answer` on its standard output, and ends when its
input does, even in the middle of a hung call. The only module that imports `pynvml` (the package
`nvidia-ml-py`).
"""

import argparse
import os
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pynvml

from timellm_ops.contract.telemetry import GpuProcess, GpuSample, PowerLimits
from timellm_ops.probe.answer import Answer, decode_limit, encode_answer
from timellm_ops.probe.fault import Fault, Scope, fault_of, opening_fault
from timellm_ops.probe.sleep import PCI_DEVICES, is_asleep
from timellm_ops.probe.throttle import throttle_reasons

_PLAUSIBLE_LIMIT_C = range(50, 131)
"""Cards that do not know a limit answer 0 or nonsense; a limit outside of this is not one."""


class DeviceUnusableError(Exception):
    """Nothing more can be read through this connection."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Device:
    """One GPU behind an open NVML connection. Raises `DeviceUnusableError` from every method."""

    def __init__(self, index: int) -> None:
        self._index = index
        try:
            pynvml.nvmlInitWithFlags(0)
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        except pynvml.NVMLError as error:
            raise DeviceUnusableError(opening_fault(error.value)) from None
        self._name = self._text("nvmlDeviceGetName")
        self._uuid = self._text("nvmlDeviceGetUUID")
        self._limits_c: tuple[float | None, float | None] | None = None
        self._told_power = False

    def limit_power(self, limit_w: float) -> str:
        """Set the card's power limit. Returns why it could not be set; empty: it is."""
        try:
            pynvml.nvmlDeviceSetPowerManagementLimit(self._handle, round(limit_w * 1000.0))
        except pynvml.NVMLError as error:
            fault = fault_of(error.value)
            if fault.scope is Scope.METRIC:
                return fault.message
            raise DeviceUnusableError(fault) from None
        return ""

    def read(self) -> GpuSample:
        """One reading; `None` for what this card, driver or user may not tell."""
        temperature_c = self._temperature_c()
        memory = self._memory()
        utilization = self._ask("nvmlDeviceGetUtilizationRates")
        clock = self._ask("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_SM)
        mask = self._ask_first(
            ("nvmlDeviceGetCurrentClocksEventReasons",),
            ("nvmlDeviceGetCurrentClocksThrottleReasons",),
        )
        slowdown_c, shutdown_c = self._limits(temperature_c)
        return GpuSample(
            source="nvml",
            index=self._index,
            uuid=self._uuid,
            name=self._name,
            temperature_c=temperature_c,
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            power_w=_thousandth(self._ask("nvmlDeviceGetPowerUsage")),
            power_limit_w=_thousandth(self._ask("nvmlDeviceGetEnforcedPowerLimit")),
            utilization_pct=None if utilization is None else float(utilization.gpu),
            sm_clock_mhz=None if clock is None else float(clock),
            throttle_reasons=None if mask is None else throttle_reasons(mask),
            slowdown_c=slowdown_c,
            shutdown_c=shutdown_c,
            energy_mj=self._ask("nvmlDeviceGetTotalEnergyConsumption"),
            processes=self._processes(),
            power_limits=self._power_limits(),
        )

    def _power_limits(self) -> PowerLimits | None:
        """With the first reading alone: none of it changes unless somebody sets it."""
        if self._told_power:
            return None
        self._told_power = True
        limit = self._ask("nvmlDeviceGetPowerManagementLimit")
        reach = self._ask("nvmlDeviceGetPowerManagementLimitConstraints")
        if limit is None or reach is None:
            return None
        lowest, highest = reach
        return PowerLimits(
            limit_w=limit / 1000.0, lowest_w=lowest / 1000.0, highest_w=highest / 1000.0
        )

    def _ask(self, function: str, *arguments: object) -> Any:
        """What `function` says of this GPU, or `None` where it is not to be had."""
        call = getattr(pynvml, function, None)
        if call is None:
            return None
        try:
            return call(self._handle, *arguments)
        except pynvml.NVMLError as error:
            fault = fault_of(error.value)
            if fault.scope is Scope.METRIC:
                return None
            raise DeviceUnusableError(fault) from None

    def _ask_first(self, *calls: tuple[Any, ...]) -> Any:
        """The first answer among `calls`, newest interface first: each a name and arguments."""
        for function, *arguments in calls:
            answer = self._ask(function, *arguments)
            if answer is not None:
                return answer
        return None

    def _text(self, function: str) -> str | None:
        answer = self._ask(function)
        return answer.decode(errors="replace") if isinstance(answer, bytes) else answer

    def _temperature_c(self) -> float | None:
        answer = self._ask_first(
            ("nvmlDeviceGetTemperatureV", pynvml.NVML_TEMPERATURE_GPU),
            ("nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
        )
        return None if answer is None else float(answer)

    def _memory(self) -> Any:
        """The second version counts what the driver keeps for itself apart from what is used."""
        return self._ask_first(
            ("nvmlDeviceGetMemoryInfo", pynvml.nvmlMemory_v2),
            ("nvmlDeviceGetMemoryInfo",),
        )

    def _limits(self, temperature_c: float | None) -> tuple[float | None, float | None]:
        """Temperatures of slowdown and shutdown, learned once.

        Older interfaces tell them directly. From Ada on NVML counts from the highest working
        temperature instead: the margin is what is left to it, and each limit is told relative
        to it (a slowdown of −2 lies 2 °C above it).
        """
        if self._limits_c is not None:
            return self._limits_c
        slowdown_c = self._threshold(pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
        shutdown_c = self._threshold(pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN)
        if slowdown_c is None or shutdown_c is None:
            margin = self._ask("nvmlDeviceGetMarginTemperature")
            if margin is not None and temperature_c is not None:
                relative = self._relative_limits()
                highest_c = temperature_c + margin
                slowdown_c = slowdown_c or _plausible(highest_c, relative[0])
                shutdown_c = shutdown_c or _plausible(highest_c, relative[1])
        if temperature_c is not None:
            self._limits_c = (slowdown_c, shutdown_c)
        return slowdown_c, shutdown_c

    def _threshold(self, kind: int) -> float | None:
        answer = self._ask("nvmlDeviceGetTemperatureThreshold", kind)
        return float(answer) if answer in _PLAUSIBLE_LIMIT_C else None

    def _relative_limits(self) -> tuple[int | None, int | None]:
        fields = [
            pynvml.NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT,
            pynvml.NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT,
        ]
        values = self._ask("nvmlDeviceGetFieldValues", fields)
        if values is None:
            return None, None
        slowdown, shutdown = (
            int(value.value.siVal) if value.nvmlReturn == pynvml.NVML_SUCCESS else None
            for value in values
        )
        return slowdown, shutdown

    def _processes(self) -> tuple[GpuProcess, ...] | None:
        found = self._ask("nvmlDeviceGetComputeRunningProcesses")
        if found is None:
            return None
        return tuple(
            GpuProcess(pid=p.pid, name=_process_name(p.pid), used_bytes=p.usedGpuMemory)
            for p in found
        )


def _thousandth(milli: int | None) -> float | None:
    return None if milli is None else milli / 1000.0


def _plausible(highest_c: float, relative_c: int | None) -> float | None:
    if relative_c is None:
        return None
    limit_c = highest_c - relative_c
    return limit_c if round(limit_c) in _PLAUSIBLE_LIMIT_C else None


def _process_name(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() or None
    except OSError:
        return None


def serve(index: int, pci_devices: Path) -> None:
    """Answer requests until the input ends or the GPU can no longer be read.

    After a problem with the GPU or the driver the process ends: only a fresh one can load a
    fresh library and open the GPU anew.
    """
    requests = _requests()
    device: Device | None = None
    while True:
        limit_w = decode_limit(requests.get())
        try:
            if device is None:
                # A card whose limit is to be set may be woken for it: it is put back but once.
                if limit_w is None and is_asleep(index, pci_devices):
                    _send(Answer(problem="the GPU sleeps; not woken", asleep=True))
                    continue
                device = Device(index)
            if limit_w is not None:
                _send(Answer(limit_w=limit_w, problem=device.limit_power(limit_w)))
                continue
            _send(Answer(sample=device.read()))
        except DeviceUnusableError as error:
            absent = error.fault.scope is Scope.ABSENT
            _send(Answer(problem=error.fault.message, absent=absent))
            return


def _requests() -> "queue.SimpleQueue[bytes]":
    """Request lines, taken by a thread that ends the process at once when the input ends."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        begun = b""
        while received := os.read(sys.stdin.fileno(), 4096):
            *whole, begun = (begun + received).split(b"\n")
            for line in whole:
                lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, name="requests", daemon=True).start()
    return lines


def _send(answer: Answer) -> None:
    os.write(sys.stdout.fileno(), encode_answer(answer))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="nvml_child", description="Read one GPU through NVML.")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--pci-devices", type=Path, default=PCI_DEVICES)
    options = parser.parse_args(arguments)
    serve(options.index, options.pci_devices)


if __name__ == "__main__":
    main()
