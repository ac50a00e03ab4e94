"""What the GPU told, over the run's time: series for the charts, tracks for the timeline, energy.

Readings are put aside as they come, and sorted in when somebody looks or when there are many:
whoever attaches to a long run looks once, at the end.
"""

from collections import deque
from math import isfinite

from timellm_dashboard.folds.series import Series
from timellm_dashboard.folds.track import Track
from timellm_ops.contract.telemetry import GpuSample

RECENT_S = 600.0
"""The stretch that the small temperature chart covers."""
_WAITING = 512
"""Readings that may wait to be sorted in."""


class GpuCourse:
    """Takes readings at `RunState.active_s`. Bounded, whatever the length of the run."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._samples: list[GpuSample] = []
        self._temperature, self._power = Series(), Series()
        self._temperatures, self._powers, self._clocks = Track(), Track(), Track()
        self._recent: deque[tuple[float, float]] = deque(maxlen=1200)
        self._coolest_c: float | None = None
        self._energy_mj: int | None = None
        self._energy_reading: int | None = None

    def add(self, at_s: float, sample: GpuSample) -> None:
        """A reading."""
        self._seconds.append(at_s)
        self._samples.append(sample)
        if len(self._samples) >= _WAITING:
            self._sort_in()

    def interrupt(self) -> None:
        """Nothing is known from here to the next reading."""
        self._sort_in()
        for track in (self._temperatures, self._powers, self._clocks):
            track.interrupt()

    @property
    def temperature(self) -> Series:
        """°C."""
        self._sort_in()
        return self._temperature

    @property
    def power(self) -> Series:
        """Watts."""
        self._sort_in()
        return self._power

    @property
    def temperature_track(self) -> Track:
        """°C."""
        self._sort_in()
        return self._temperatures

    @property
    def power_track(self) -> Track:
        """Watts."""
        self._sort_in()
        return self._powers

    @property
    def clock_track(self) -> Track:
        """MHz."""
        self._sort_in()
        return self._clocks

    @property
    def recent_temperature(self) -> deque[tuple[float, float]]:
        """Seconds and °C of the last `RECENT_S`, unmerged."""
        self._sort_in()
        return self._recent

    @property
    def coolest_c(self) -> float | None:
        """The lowest temperature of the run."""
        self._sort_in()
        return self._coolest_c

    @property
    def energy_mj(self) -> int | None:
        """Used since the run was first looked at; `None`: the card does not tell."""
        self._sort_in()
        return self._energy_mj

    def _sort_in(self) -> None:
        if not self._samples:
            return
        seconds, samples = self._seconds, self._samples
        self._seconds, self._samples = [], []
        celsius = [sample.temperature_c for sample in samples]
        watts = [sample.power_w for sample in samples]
        self._temperature.extend(seconds, celsius)
        self._power.extend(seconds, watts)
        self._temperatures.extend(seconds, celsius)
        self._powers.extend(seconds, watts)
        self._clocks.extend(seconds, [sample.sm_clock_mhz for sample in samples])
        self._remember(seconds, celsius)
        self._count_energy([sample.energy_mj for sample in samples])

    def _remember(self, seconds: list[float], celsius: list[float | None]) -> None:
        recent = self._recent
        readings = zip(seconds, celsius, strict=True)
        known = [(x, c) for x, c in readings if c is not None and isfinite(c)]
        recent.extend(known)
        if known:
            coolest_c = min(c for _, c in known)
            before_c = self._coolest_c
            self._coolest_c = coolest_c if before_c is None else min(before_c, coolest_c)
        while recent and recent[0][0] < recent[-1][0] - RECENT_S:
            recent.popleft()

    def _count_energy(self, readings: list[int | None]) -> None:
        """The card counts from where it pleases, and begins anew when the driver is loaded."""
        last, total = self._energy_reading, self._energy_mj
        for reading in readings:
            if reading is not None:
                total = (total or 0) + (0 if last is None else max(0, reading - last))
            last = reading
        self._energy_reading, self._energy_mj = last, total
