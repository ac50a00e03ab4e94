"""From a GPU's answers to a `GpuSample`: what is taken from where, and what is not believed.

A query that fails costs the value that it was asked for and no other; only an error that says the
GPU or the driver's connection is of no use ends a reading.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from timellm_ops.contract.telemetry import GpuProcess, GpuSample, PowerLimits
from timellm_ops.probe import queries
from timellm_ops.probe.fault import Fault, Scope, fault_of
from timellm_ops.probe.queries import Driver, DriverError, Query
from timellm_ops.probe.throttle import throttle_reasons

_PLAUSIBLE_C = (-40.0, 150.0)
_PLAUSIBLE_LIMIT_C = (50.0, 130.0)
"""Cards that do not know a limit answer 0 or nonsense; a limit outside of this is not one."""
_HIGHEST_POWER_W = 10_000.0
_HIGHEST_CLOCK_MHZ = 100_000.0
_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)
"""What `nvml.h` puts, of 4 or 8 bytes, where there is no value."""

T = TypeVar("T")


class DeviceUnusableError(Exception):
    """Nothing more can be read through this connection."""

    def __init__(self, fault: Fault, others: tuple[str, ...] = ()) -> None:
        """`others`: UUIDs of the GPUs that are here in place of the one that was asked for."""
        super().__init__(fault.message)
        self.fault = fault
        self.others = others


class _Memory(Struct):
    total: int
    used: int


class _Utilization(Struct):
    gpu: int


class _Process(Struct):
    pid: int
    used: int | None = msgspec.field(default=None, name="usedGpuMemory")


class _FieldValue(Struct):
    field: int
    value: float | None = None
    error: int | None = None


class GpuReader:
    """Makes readings of what `driver` answers."""

    def __init__(
        self,
        driver: Driver,
        *,
        source: str = "nvml",
        index: int = 0,
        paravirtual: bool = False,
        process_name: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """`index` is the GPU's number where it does not tell its own. `paravirtual`: the driver
        that drives the card is another system's, as on WSL2."""
        self._driver = driver
        self._source = source
        self._index = index
        self._paravirtual = paravirtual
        self._process_name = process_name
        self._names: tuple[int, int | None, str | None, str | None] | None = None
        self._limits_c: tuple[float | None, float | None] | None = None
        self._told_power = False

    def read(self) -> GpuSample:
        """One reading; `None` for what this card, driver or user may not tell.

        Raises `DeviceUnusableError`.
        """
        temperature_c = self._number(*queries.TEMPERATURE, within=_PLAUSIBLE_C)
        memory = self._ask(_Memory, *queries.MEMORY)
        utilization = self._ask(_Utilization, queries.UTILIZATION)
        busy = None if utilization is None else float(utilization.gpu)
        mask = self._ask(int, *queries.THROTTLE)
        power_mw = self._number(queries.POWER, within=(0.0, 1000.0 * _HIGHEST_POWER_W))
        limit_mw = self._number(queries.POWER_LIMIT, within=(1.0, 1000.0 * _HIGHEST_POWER_W))
        xids = self._ask(list[int], queries.XIDS)
        slowdown_c, shutdown_c = self._limits(temperature_c)
        index, gpus, name, uuid = self._identity()
        return GpuSample(
            source=self._source,
            index=index,
            gpus=gpus,
            uuid=uuid,
            name=name,
            temperature_c=temperature_c,
            memory_used_bytes=None if memory is None else memory.used,
            memory_total_bytes=None if memory is None else memory.total,
            power_w=None if power_mw is None else power_mw / 1000.0,
            power_limit_w=None if limit_mw is None else limit_mw / 1000.0,
            utilization_pct=busy if busy is not None and busy <= 100.0 else None,
            sm_clock_mhz=self._number(queries.SM_CLOCK, within=(0.0, _HIGHEST_CLOCK_MHZ)),
            throttle_reasons=None if mask is None else throttle_reasons(mask),
            slowdown_c=slowdown_c,
            shutdown_c=shutdown_c,
            energy_mj=self._count(queries.ENERGY),
            ecc_errors=self._count(queries.ECC_ERRORS),
            xids=None if xids is None else tuple(xids),
            processes=self._processes(),
            power_limits=self._power_limits(),
        )

    def _ask(self, kind: type[T], *asked: Query) -> T | None:
        """The first answer among `asked`, or `None` where none is to be had."""
        for query in asked:
            try:
                return msgspec.convert(self._driver.ask(query), kind)
            except DriverError as error:
                _end_if_unusable(error.code)
            except msgspec.ValidationError:
                continue
        return None

    def _number(self, *asked: Query, within: tuple[float, float]) -> float | None:
        low, high = within
        answer = self._ask(float, *asked)
        return answer if answer is not None and low <= answer <= high else None

    def _count(self, query: Query) -> int | None:
        answer = self._ask(int, query)
        return None if answer is None or answer < 0 or answer in _NOT_AVAILABLE else answer

    def _identity(self) -> tuple[int, int | None, str | None, str | None]:
        """What does not change while the GPU is open: number, how many there are, name, UUID."""
        if self._names is None:
            index = self._ask(int, queries.INDEX)
            self._names = (
                self._index if index is None else index,
                self._ask(int, queries.COUNT),
                self._ask(str, queries.NAME),
                self._ask(str, queries.UUID),
            )
        return self._names

    def _limits(self, temperature_c: float | None) -> tuple[float | None, float | None]:
        """Temperatures of slowdown and shutdown, learned once.

        Older interfaces tell them directly. From Ada on NVML counts from the highest working
        temperature instead: the margin is what is left to it, and each limit is told relative
        to it (a slowdown of −2 lies 2 °C above it).
        """
        if self._limits_c is not None:
            return self._limits_c
        slowdown_c = self._number(queries.SLOWDOWN, within=_PLAUSIBLE_LIMIT_C)
        shutdown_c = self._number(queries.SHUTDOWN, within=_PLAUSIBLE_LIMIT_C)
        if slowdown_c is None or shutdown_c is None:
            margin = self._number(queries.MARGIN, within=(-_PLAUSIBLE_C[1], _PLAUSIBLE_C[1]))
            if margin is not None and temperature_c is not None:
                relative = self._relative_limits()
                highest_c = temperature_c + margin
                slowdown_c = slowdown_c or _limit(highest_c, relative.get(queries.FI_SLOWDOWN))
                shutdown_c = shutdown_c or _limit(highest_c, relative.get(queries.FI_SHUTDOWN))
        if temperature_c is not None:
            self._limits_c = (slowdown_c, shutdown_c)
        return slowdown_c, shutdown_c

    def _power_limits(self) -> PowerLimits | None:
        """With the first reading alone: none of it changes unless somebody sets it."""
        if self._told_power:
            return None
        self._told_power = True
        plausible = (1.0, 1000.0 * _HIGHEST_POWER_W)
        limit_mw = self._number(queries.SET_LIMIT, within=plausible)
        reach_mw = self._ask(tuple[float, float], queries.LIMIT_CONSTRAINTS)
        if limit_mw is None or reach_mw is None:
            return None
        lowest_mw, highest_mw = reach_mw
        if not plausible[0] <= lowest_mw <= highest_mw <= plausible[1]:
            return None
        return PowerLimits(
            limit_w=limit_mw / 1000.0, lowest_w=lowest_mw / 1000.0, highest_w=highest_mw / 1000.0
        )

    def _relative_limits(self) -> dict[int, float]:
        """Degrees below the highest working temperature, by the number of the field."""
        found = self._ask(list[_FieldValue], queries.RELATIVE_LIMITS) or []
        for answer in found:
            if answer.error is not None:
                _end_if_unusable(answer.error)
        return {answer.field: answer.value for answer in found if answer.value is not None}

    def _processes(self) -> tuple[GpuProcess, ...] | None:
        """Who holds memory, for computing and for drawing; who does both is told once."""
        compute = self._ask(list[_Process], *queries.COMPUTE_PROCESSES)
        graphics = self._ask(list[_Process], *queries.GRAPHICS_PROCESSES)
        if compute is None and graphics is None:
            return None
        found = {p.pid: p for p in (*(graphics or ()), *(compute or ()))}
        if not found and self._paravirtual:
            return None  # an empty list is what WSL2 answers, whoever computes
        return tuple(
            GpuProcess(
                pid=p.pid,
                name=self._process_name(p.pid),
                used_bytes=None if p.used in _NOT_AVAILABLE else p.used,
            )
            for p in found.values()
        )


def _end_if_unusable(code: int) -> None:
    fault = fault_of(code)
    if fault.scope is not Scope.METRIC:
        raise DeviceUnusableError(fault) from None


def _limit(highest_c: float, relative_c: float | None) -> float | None:
    low, high = _PLAUSIBLE_LIMIT_C
    if relative_c is None:
        return None
    limit_c = highest_c - relative_c
    return limit_c if low <= limit_c <= high else None
