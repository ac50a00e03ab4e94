"""The machine around the GPU: processors, memory, disk and battery, through psutil and the kernel.

A disk that is not there any more (a network share, a Windows drive under WSL) or a slow battery
controller can hold a read for minutes, so everything is read by a thread of its own, and the
supervisor's loop only ever looks whether something has come of it.
"""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from timellm_ops.contract.config import HostSection
from timellm_ops.contract.telemetry import HostSample
from timellm_ops.probe.power_supply import BatterySource, PowerSupplies

_UNKNOWN_AFTER_POLLS = 3
"""How many polls long a read may take before the machine's state counts as unknown."""

T = TypeVar("T")


class HostReader:
    """Reads the machine. `folder` is the run's: its disk is the one that counts."""

    def __init__(self, folder: Path, battery: BatterySource | None = None) -> None:
        self._folder = str(folder)
        self._battery = battery or PowerSupplies()
        self._measuring = False

    def __call__(self) -> HostSample:
        """One reading, `None` for what this machine does not tell. To be called by one thread."""
        memory = _known(psutil.virtual_memory)
        disk = _known(lambda: psutil.disk_usage(self._folder))
        load = _known(psutil.getloadavg)
        battery = self._battery.read()
        return HostSample(
            cpu_pct=self._cpu_pct(),
            load_1min=None if load is None else load[0],
            memory_available_bytes=None if memory is None else memory.available,
            memory_total_bytes=None if memory is None else memory.total,
            disk_free_bytes=None if disk is None else disk.free,
            disk_total_bytes=None if disk is None else disk.total,
            battery_pct=None if battery.pct is None else round(battery.pct, 1),
            on_battery=battery.on_battery,
        )

    def _cpu_pct(self) -> float | None:
        """psutil's first answer is about no time at all."""
        share = _known(lambda: psutil.cpu_percent(interval=None))
        measuring, self._measuring = self._measuring, True
        return share if measuring else None


def _known(read: Callable[[], T]) -> T | None:
    """What `read` says; files below /proc may be missing or written otherwise, as in containers."""
    try:
        return read()
    except (OSError, psutil.Error, ValueError, KeyError, IndexError, RuntimeError):
        return None


class BackgroundHostProbe:
    """Readings every `host.poll_s`, made by a thread. `poll` never waits for it.

    Where a read takes longer than three polls, one empty reading says that nothing is known; the
    one that comes at last is given like any other.
    """

    def __init__(self, host: HostSection, read: Callable[[], HostSample]) -> None:
        self._host = host
        self._read = read
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._samples: queue.SimpleQueue[HostSample] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._asked_t: float | None = None
        self._due_t: float | None = None
        self._given_up = False

    def poll(self, now_t: float) -> HostSample | None:
        """A reading that has come since the last call."""
        if not self._host.enabled:
            return None
        try:
            sample = self._samples.get_nowait()
        except queue.Empty:
            pass
        else:
            self._asked_t, self._given_up = None, False
            return sample
        if self._asked_t is None:
            if self._due_t is None or now_t >= self._due_t:
                self._ask(now_t)
        elif not self._given_up and now_t - self._asked_t > self._patience_s:
            self._given_up = True
            return HostSample()
        return None

    def close(self) -> None:
        """Let the thread go, which ends at once or with the process."""
        self._requests.put(False)

    @property
    def _patience_s(self) -> float:
        return _UNKNOWN_AFTER_POLLS * self._host.poll_s

    def _ask(self, now_t: float) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="host", daemon=True)
            self._thread.start()
        self._asked_t, self._due_t = now_t, now_t + self._host.poll_s
        self._requests.put(True)

    def _serve(self) -> None:
        while self._requests.get():
            self._samples.put(self._read())
