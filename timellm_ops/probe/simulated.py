"""A GPU that is not there: a lumped thermal model that heats when the engine really works.

One heat capacity behind one thermal resistance to the room: at constant power P the temperature
approaches `ambient + P * resistance` exponentially with one time constant. That is the usual
first-order model of a heat sink, and enough to rehearse what a policy does to the machine. The chip
itself may be warmer than that by `P * chip_c_per_w`, with a time constant of about a second: what
is read is the sum of both, as in a Foster network of two links, the usual equivalent circuit of a
chip on its heat sink (JEDEC JESD51-14).

A card that is held to less power, by a limit or by heat, lowers its clock. Power above idle goes
as `clock * voltage^2`, and the voltage falls with the clock until it reaches its floor: so clock
goes as that power to an exponent from 1/3 (voltage in proportion to the clock; Chandrakasan,
Sheng and Brodersen, "Low-power CMOS digital design", IEEE J. Solid-State Circuits 27 (1992), for
the law of power) to 1 (voltage at its floor). The default of 1/2 is on the careful side of what
laptops do in the upper half of their range: half the power above idle leaves 71 % of the clock.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from timellm_ops.contract.config import GpuSection, SimulatedGpuSection
from timellm_ops.contract.telemetry import GpuSample, PowerLimits
from timellm_ops.probe.protocol import PowerAnswer, Reading

_MIB = 1024 * 1024
_FULL_CLOCK_MHZ = 1425.0
_IDLE_CLOCK_MHZ = 210.0
_IDLE_BELOW = 0.02
"""Share of the time at work below which a card idles: an engine that stands still looks up now and
then."""
_THROTTLE_PER_C = 0.12
"""Share of the clock that is taken away per degree above the throttling temperature."""
_LOWEST_CLOCK_SHARE = 0.25
_SLOWDOWN_BELOW_SHUTDOWN_C = 5.0
_STEPS_PER_TIME_CONSTANT = 50
_STEPS_PER_CHIP_TIME_CONSTANT = 10
_MOST_STEPS = 1000
_HALVINGS = 30
_HIGHEST = 5
"""So many seconds with the most work are looked at: one alone may be that of a new process, whose
work of before is found all at once."""
_MOSTLY = 0.8
"""Of the most that an engine uses of the processors, what it uses most of the time."""


class ThermalState(Struct, frozen=True, kw_only=True):
    """The card at one moment."""

    temperature_c: float
    power_w: float
    chip_c: float = 0.0
    """So much of the temperature comes and goes with the chip itself."""
    clock_share: float = 1.0
    """Share of the full clock that heat and the power limit leave to the card."""
    energy_j: float = 0.0
    throttled: bool = False
    """Heat holds the clocks back."""


def settled(params: SimulatedGpuSection, busy: float = 0.0) -> ThermalState:
    """The card after it has been `busy` (0 to 1) for long, heat not holding it back."""
    power_w = _power_w(params, busy, 1.0)
    chip_c = power_w * params.chip_c_per_w
    return ThermalState(
        temperature_c=_target_c(params, power_w) + chip_c, power_w=power_w, chip_c=chip_c
    )


def step(
    state: ThermalState,
    dt_s: float,
    busy: float,
    params: SimulatedGpuSection,
    limit_w: float | None = None,
) -> ThermalState:
    """The card `dt_s` simulated seconds later, `busy` (0 to 1) in between, held to `limit_w`.

    Exact for constant power; throttling changes power on the way, so a long stretch is cut into
    short ones.
    """
    if dt_s <= 0.0:
        return state
    pieces = _pieces(state, dt_s, params)
    piece_s = dt_s / pieces
    kept = math.exp(-piece_s / params.time_constant_s)
    chip_kept = math.exp(-piece_s / params.chip_time_constant_s)
    allowed = 1.0 if limit_w is None else limited_clock(params, limit_w)
    for _ in range(pieces):
        heat_share = _clock_share(params, state.temperature_c)
        share = min(heat_share, allowed)
        power_w = _power_w(params, busy, share)
        target_c, chip_target_c = _target_c(params, power_w), power_w * params.chip_c_per_w
        slow_c = state.temperature_c - state.chip_c
        chip_c = chip_target_c + (state.chip_c - chip_target_c) * chip_kept
        state = replace(
            state,
            temperature_c=target_c + (slow_c - target_c) * kept + chip_c,
            chip_c=chip_c,
            power_w=power_w,
            clock_share=share,
            energy_j=state.energy_j + power_w * piece_s,
            throttled=heat_share < 1.0,
        )
    return state


def _pieces(state: ThermalState, dt_s: float, params: SimulatedGpuSection) -> int:
    """How many stretches of about constant power `dt_s` is cut into. The chip's own time counts
    only where heat may change the power."""
    pieces = math.ceil(dt_s / params.time_constant_s * _STEPS_PER_TIME_CONSTANT)
    if params.chip_c_per_w > 0.0 and _hottest_c(state, dt_s, params) > params.throttle_c:
        quick = math.ceil(dt_s / params.chip_time_constant_s * _STEPS_PER_CHIP_TIME_CONSTANT)
        pieces = max(pieces, quick)
    return min(max(pieces, 1), _MOST_STEPS)


def _hottest_c(state: ThermalState, dt_s: float, params: SimulatedGpuSection) -> float:
    """No moment of the next `dt_s` is hotter than this."""
    slow_c = state.temperature_c - state.chip_c
    way_c = max(0.0, _target_c(params, params.load_power_w) - slow_c)
    slow_c += way_c * -math.expm1(-dt_s / params.time_constant_s)
    return slow_c + max(state.chip_c, params.load_power_w * params.chip_c_per_w)


def limited_clock(params: SimulatedGpuSection, limit_w: float) -> float:
    """Share of the full clock that a power limit leaves."""
    span_w = params.load_power_w - params.idle_power_w
    above_w = max(0.0, limit_w - params.idle_power_w)
    if above_w >= span_w:
        return 1.0
    return max(_LOWEST_CLOCK_SHARE, math.pow(above_w / span_w, params.speed_exponent))


def _power_w(params: SimulatedGpuSection, busy: float, clock_share: float) -> float:
    load = busy * math.pow(clock_share, 1.0 / params.speed_exponent)
    return params.idle_power_w + load * (params.load_power_w - params.idle_power_w)


def _target_c(params: SimulatedGpuSection, power_w: float) -> float:
    return params.ambient_c + power_w * params.resistance_c_per_w


def _clock_share(params: SimulatedGpuSection, temperature_c: float) -> float:
    excess_c = max(0.0, temperature_c - params.throttle_c)
    return max(_LOWEST_CLOCK_SHARE, 1.0 - _THROTTLE_PER_C * excess_c)


class Thermometer:
    """What a driver makes of a temperature: noisy, in whole degrees, late, as configured.

    The noise has a seed: the same temperatures are read the same way every time.
    """

    def __init__(self, params: SimulatedGpuSection, seed: int = 0) -> None:
        self._params = params
        self._noise = random.Random(seed)
        self._past: deque[tuple[float, float]] = deque()

    def read(self, celsius: float, t: float) -> float:
        """The reading at simulated second `t`, in which the card is at `celsius`."""
        params = self._params
        if params.late_s > 0.0:
            self._past.append((t, celsius))
            while len(self._past) > 1 and self._past[1][0] <= t - params.late_s:
                self._past.popleft()
            celsius = self._past[0][1]
        if params.noise_c > 0.0:
            celsius += self._noise.gauss(0.0, params.noise_c)
        return float(round(celsius)) if params.whole_degrees else round(celsius, 1)


class _CoresAtWork:
    """How many cores the engine works on when it does nothing else."""

    def __init__(self) -> None:
        self._highest = [0.0] * _HIGHEST
        self._worked_s = self._passed_s = 0.0

    def take(self, worked_s: float, passed_s: float) -> None:
        """It has used that much of the processors' time. A second at least is looked at at once:
        CPU time is counted in hundredths."""
        self._worked_s += worked_s
        self._passed_s += passed_s
        if self._passed_s >= 1.0:
            heapq.heappushpop(self._highest, self._worked_s / self._passed_s)
            self._worked_s = self._passed_s = 0.0

    @property
    def fully_busy(self) -> float:
        """So many are taken for a card at full load."""
        return max(1.0, _MOSTLY * min(self._highest))


class SimulatedProbe:
    """The model, driven by what the engine does.

    `activity` tells how many CPU seconds the engine's processes have used. About as many cores as
    it was seen to work on, and at least one, are a fully busy card: resting a fifth of the
    time shows, however many threads it works with. An engine that stands still, whether paused
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
        self._cores = _CoresAtWork()
        self._worked = False
        self._thermometer = Thermometer(gpu.simulated)
        self._simulated_s = 0.0
        self._limit_w = gpu.simulated.load_power_w
        self._answer: PowerAnswer | None = None

    def limit_power(self, limit_w: float) -> None:
        """Hold the card to `limit_w` watts from now on."""
        lowest_w, highest_w = _limit_range_w(self._params)
        if not lowest_w <= limit_w <= highest_w:
            problem = f"this card takes {lowest_w:g} to {highest_w:g} W"
            self._answer = PowerAnswer(limit_w=limit_w, problem=problem)
            return
        self._limit_w = limit_w
        self._answer = PowerAnswer(limit_w=limit_w)

    def poll(self, now_t: float) -> Reading | None:
        """A reading every `gpu.poll_s`, and what came of a power limit."""
        if self._answer is not None:
            answer, self._answer = self._answer, None
            return answer
        if self._read_t is None:
            self._read_t, self._activity_s = now_t, self._activity()
            return replace(self._sample(0.0), power_limits=self._power_limits())
        passed_s = now_t - self._read_t
        if passed_s < self._gpu.poll_s:
            return None
        activity_s = self._activity()
        # The total falls when the engine is replaced by a new one: no work is known then.
        worked_s = max(0.0, activity_s - self._activity_s)
        self._cores.take(worked_s, passed_s)
        busy = min(1.0, worked_s / passed_s / self._cores.fully_busy)
        self._worked = self._worked or worked_s > 0.0
        self._read_t, self._activity_s = now_t, activity_s
        simulated_s = passed_s * self._params.time_scale
        self._simulated_s += simulated_s
        self._state = step(self._state, simulated_s, busy, self._params, self._limit_w)
        return self._sample(busy)

    def close(self) -> None:
        """Nothing to let go of."""

    def _power_limits(self) -> PowerLimits:
        lowest_w, highest_w = _limit_range_w(self._params)
        return PowerLimits(limit_w=self._limit_w, lowest_w=lowest_w, highest_w=highest_w)

    def _sample(self, busy: float) -> GpuSample:
        params, state = self._params, self._state
        working = busy >= _IDLE_BELOW
        clock_mhz = _FULL_CLOCK_MHZ * state.clock_share if working else _IDLE_CLOCK_MHZ
        return GpuSample(
            source=self.source,
            index=self._gpu.index,
            name="simulated laptop GPU",
            temperature_c=self._thermometer.read(state.temperature_c, self._simulated_s),
            memory_used_bytes=params.memory_load_mib * _MIB if self._worked else 0,
            memory_total_bytes=params.memory_total_mib * _MIB,
            power_w=round(state.power_w, 1),
            power_limit_w=self._limit_w,
            utilization_pct=round(100.0 * busy, 1),
            sm_clock_mhz=round(clock_mhz),
            throttle_reasons=self._throttle_reasons(busy),
            throttle_c=params.throttle_c,
            slowdown_c=max(params.throttle_c, params.shutdown_c - _SLOWDOWN_BELOW_SHUTDOWN_C),
            shutdown_c=params.shutdown_c,
            energy_mj=round(state.energy_j * 1000.0),
            processes=(),
        )

    def _throttle_reasons(self, busy: float) -> tuple[str, ...]:
        capped = busy > 0.0 and self._limit_w < self._params.load_power_w
        reasons = {"sw_power_cap": capped, "sw_thermal_slowdown": self._state.throttled}
        return tuple(name for name, holds in reasons.items() if holds)


def _limit_range_w(params: SimulatedGpuSection) -> tuple[float, float]:
    return min(params.lowest_limit_w, params.load_power_w), params.load_power_w


def _hottest_of_steps_c(params: SimulatedGpuSection, share: float, step_s: float) -> float:
    """The end of a step, of equal ones with equal rests between them, once settled."""
    span_w = params.load_power_w - params.idle_power_w
    chip = params.chip_time_constant_s
    # What a chip keeps of a step through the rest after it adds up over all steps before.
    felt = math.expm1(-step_s / chip) / math.expm1(-step_s / (share * chip)) if share > 0 else 1.0
    slow_c = _target_c(params, params.idle_power_w + share * span_w)
    return slow_c + params.chip_c_per_w * (params.idle_power_w + felt * span_w)


class SimulatedCard:
    """The model as a card to rehearse on, without a probe's clock."""

    def __init__(self, params: SimulatedGpuSection, seed: int = 0) -> None:
        self._params = params
        self._state = settled(params)
        self._limit_w: float | None = None
        self._allowed = 1.0
        self._thermometer = Thermometer(params, seed)
        self._told = False

    @property
    def temperature_c(self) -> float:
        """What it really is."""
        return self._state.temperature_c

    @property
    def speed(self) -> float:
        """Share of the full clock that it would run at now."""
        share = _clock_share(self._params, self._state.temperature_c)
        return min(share, self._allowed)

    @property
    def energy_j(self) -> float:
        """Used so far."""
        return self._state.energy_j

    def advance(self, dt_s: float, *, busy: bool) -> None:
        """Let time pass."""
        load = 1.0 if busy else 0.0
        self._state = step(self._state, dt_s, load, self._params, self._limit_w)

    def read(self, t: float) -> GpuSample:
        """What a driver would tell."""
        params = self._params
        lowest_w, highest_w = _limit_range_w(params)
        first = not self._told
        self._told = True
        return GpuSample(
            source="simulated",
            temperature_c=self._thermometer.read(self._state.temperature_c, t),
            power_w=self._state.power_w,
            power_limits=PowerLimits(limit_w=highest_w, lowest_w=lowest_w, highest_w=highest_w)
            if first
            else None,
        )

    def limit_power(self, limit_w: float) -> None:
        """Hold it to so many watts."""
        self._limit_w = limit_w
        self._allowed = limited_clock(self._params, limit_w)

    def set_room(self, celsius: float) -> None:
        """The temperature around it."""
        self._params = replace(self._params, ambient_c=celsius)

    def share_at(self, celsius: float) -> float:
        """The share of the time that it can be busy at full power and stay at `celsius`."""
        params = self._params
        resistance = params.resistance_c_per_w + params.chip_c_per_w
        power_w = (celsius - params.ambient_c) / resistance
        span_w = params.load_power_w - params.idle_power_w
        return min(1.0, max(0.0, (power_w - params.idle_power_w) / span_w))

    def hot_share_at(self, celsius: float, step_s: float) -> float:
        """The same with the hottest moment of each of its steps at `celsius`."""
        params = self._params
        if params.chip_c_per_w == 0.0:
            return self.share_at(celsius)
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            share = (low + high) / 2.0
            if _hottest_of_steps_c(params, share, step_s) > celsius:
                high = share
            else:
                low = share
        return high if high == 1.0 else low
