"""A GPU that is not there: a lumped thermal model that heats when the engine really works.

One heat capacity behind one thermal resistance to the room: at constant power P the temperature
approaches `ambient + P * resistance` exponentially with one time constant. That is the usual
first-order model of a heat sink, and enough to rehearse what a policy does.
"""

import math
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from timellm_ops.contract.config import GpuSection, SimulatedGpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.protocol import Reading

_MIB = 1024 * 1024
_FULL_CLOCK_MHZ = 1425.0
_IDLE_CLOCK_MHZ = 210.0
_THROTTLE_PER_C = 0.12
"""Share of the clock that is taken away per degree above the throttling temperature."""
_LOWEST_CLOCK_SHARE = 0.25
_SLOWDOWN_BELOW_SHUTDOWN_C = 5.0
_STEPS_PER_TIME_CONSTANT = 50
_MOST_STEPS = 1000


class ThermalState(Struct, frozen=True, kw_only=True):
    """The card at one moment."""

    temperature_c: float
    power_w: float
    clock_share: float = 1.0
    """Share of the full clock that heat leaves to the card."""
    energy_j: float = 0.0

    @property
    def throttled(self) -> bool:
        """Heat holds the clocks back."""
        return self.clock_share < 1.0


def settled(params: SimulatedGpuSection, busy: float = 0.0) -> ThermalState:
    """The card after it has been `busy` (0 to 1) for long, heat not holding it back."""
    power_w = _power_w(params, busy, 1.0)
    return ThermalState(temperature_c=_target_c(params, power_w), power_w=power_w)


def step(
    state: ThermalState, dt_s: float, busy: float, params: SimulatedGpuSection
) -> ThermalState:
    """The card `dt_s` simulated seconds later, `busy` (0 to 1) in between.

    Exact for constant power; throttling changes power on the way, so a long stretch is cut into
    short ones.
    """
    if dt_s <= 0.0:
        return state
    pieces = math.ceil(dt_s / params.time_constant_s * _STEPS_PER_TIME_CONSTANT)
    pieces = min(max(pieces, 1), _MOST_STEPS)
    piece_s = dt_s / pieces
    kept = math.exp(-piece_s / params.time_constant_s)
    for _ in range(pieces):
        share = _clock_share(params, state.temperature_c)
        power_w = _power_w(params, busy, share)
        target_c = _target_c(params, power_w)
        state = replace(
            state,
            temperature_c=target_c + (state.temperature_c - target_c) * kept,
            power_w=power_w,
            clock_share=share,
            energy_j=state.energy_j + power_w * piece_s,
        )
    return state


def _power_w(params: SimulatedGpuSection, busy: float, clock_share: float) -> float:
    return params.idle_power_w + busy * clock_share * (params.load_power_w - params.idle_power_w)


def _target_c(params: SimulatedGpuSection, power_w: float) -> float:
    return params.ambient_c + power_w * params.resistance_c_per_w


def _clock_share(params: SimulatedGpuSection, temperature_c: float) -> float:
    excess_c = max(0.0, temperature_c - params.throttle_c)
    return max(_LOWEST_CLOCK_SHARE, 1.0 - _THROTTLE_PER_C * excess_c)


class SimulatedProbe:
    """The model, driven by what the engine does.

    `activity` tells how many CPU seconds the engine's processes have used; one core's worth of
    work per second counts as a fully busy card. An engine that stands still, whether paused
    through its control file or stopped by a signal, uses none, and the card cools.
    """

    source = "simulated"

    def __init__(self, gpu: GpuSection, activity: Callable[[], float]) -> None:
        self._gpu = gpu
        self._params = gpu.simulated
        self._activity = activity
        self._state = settled(self._params)
        self._read_t: float | None = None
        self._activity_s = 0.0
        self._worked = False

    def poll(self, now_t: float) -> Reading | None:
        """A reading every `gpu.poll_s`."""
        if self._read_t is None:
            self._read_t, self._activity_s = now_t, self._activity()
            return self._sample(0.0)
        passed_s = now_t - self._read_t
        if passed_s < self._gpu.poll_s:
            return None
        activity_s = self._activity()
        # The total falls when the engine is replaced by a new one: no work is known then.
        worked_s = max(0.0, activity_s - self._activity_s)
        busy = min(1.0, worked_s / passed_s)
        self._worked = self._worked or worked_s > 0.0
        self._read_t, self._activity_s = now_t, activity_s
        self._state = step(self._state, passed_s * self._params.time_scale, busy, self._params)
        return self._sample(busy)

    def close(self) -> None:
        """Nothing to let go of."""

    def _sample(self, busy: float) -> GpuSample:
        params, state = self._params, self._state
        clock_mhz = _FULL_CLOCK_MHZ * state.clock_share if busy > 0.0 else _IDLE_CLOCK_MHZ
        return GpuSample(
            source=self.source,
            index=self._gpu.index,
            name="simulated laptop GPU",
            temperature_c=round(state.temperature_c, 1),
            memory_used_bytes=params.memory_load_mib * _MIB if self._worked else 0,
            memory_total_bytes=params.memory_total_mib * _MIB,
            power_w=round(state.power_w, 1),
            power_limit_w=params.load_power_w,
            utilization_pct=round(100.0 * busy, 1),
            sm_clock_mhz=round(clock_mhz),
            throttle_reasons=("sw_thermal_slowdown",) if state.throttled else (),
            slowdown_c=max(params.throttle_c, params.shutdown_c - _SLOWDOWN_BELOW_SHUTDOWN_C),
            shutdown_c=params.shutdown_c,
            energy_mj=round(state.energy_j * 1000.0),
            processes=(),
        )
