"""What is asked of a GPU through NVML: the calls by name, and the plain data they answer with.

A call's answer is plain data (numbers, texts, lists, tables), so that a recording of it is worth as
much as the card. The names, numbers and units are those of `nvml.h`.
"""

from typing import Any, Protocol, TypeAlias

from msgspec import Struct

Plain: TypeAlias = Any
"""`None`, a number, a text, or a list or a table of them: whatever JSON can hold."""


class Query(Struct, frozen=True):
    """One call of the bindings: its name and what it is given besides the GPU."""

    call: str
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.call}({', '.join(map(str, self.arguments))})"

    @property
    def of_system(self) -> bool:
        """Asked of the driver and not of one GPU."""
        return self.call.startswith("nvmlSystem") or self == COUNT

    @property
    def of_slice(self) -> bool:
        """Asked of the MIG slice where one is watched; everything else is the whole card's."""
        return self in _OF_SLICE


class DriverError(Exception):
    """NVML answered with an error. `code` is its `nvmlReturn_t`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Driver(Protocol):
    """Whoever answers queries about one GPU: NVML, or a recording of it."""

    def ask(self, query: Query) -> Plain:
        """The answer. Raises `DriverError`."""
        ...


_CLOCK_SM, _CLOCK_MEMORY = 1, 2
_SENSOR_GPU = 0
_MEMORY_V2 = 2 << 24 | 40
"""A struct's version in `nvml.h`: a number, and the bytes that the struct has."""
_UNCORRECTED, _VOLATILE = 1, 0

COUNT = Query("nvmlDeviceGetCount")
INDEX = Query("nvmlDeviceGetIndex")
NAME = Query("nvmlDeviceGetName")
UUID = Query("nvmlDeviceGetUUID")
SERIAL = Query("nvmlDeviceGetSerial")
TEMPERATURE = (
    Query("nvmlDeviceGetTemperatureV", (_SENSOR_GPU,)),
    Query("nvmlDeviceGetTemperature", (_SENSOR_GPU,)),
)
"""Each of these tuples is one thing to know, newest interface first: the first answer counts."""
MEMORY = (Query("nvmlDeviceGetMemoryInfo", (_MEMORY_V2,)), Query("nvmlDeviceGetMemoryInfo"))
"""The second version counts what the driver keeps for itself apart from what is used."""
SHUTDOWN = Query("nvmlDeviceGetTemperatureThreshold", (0,))
SLOWDOWN = Query("nvmlDeviceGetTemperatureThreshold", (1,))
MARGIN = Query("nvmlDeviceGetMarginTemperature")
FI_SHUTDOWN, FI_SLOWDOWN, FI_MEMORY_MAX, FI_GPU_MAX = 193, 194, 195, 196
RELATIVE_LIMITS = Query("nvmlDeviceGetFieldValues", (FI_SLOWDOWN, FI_SHUTDOWN))
POWER = Query("nvmlDeviceGetPowerUsage")
POWER_LIMIT = Query("nvmlDeviceGetEnforcedPowerLimit")
SET_LIMIT = Query("nvmlDeviceGetPowerManagementLimit")
"""The limit that was set; a lower one of another kind may be the one enforced."""
LIMIT_CONSTRAINTS = Query("nvmlDeviceGetPowerManagementLimitConstraints")
UTILIZATION = Query("nvmlDeviceGetUtilizationRates")
SM_CLOCK = Query("nvmlDeviceGetClockInfo", (_CLOCK_SM,))
THROTTLE = (
    Query("nvmlDeviceGetCurrentClocksEventReasons"),
    Query("nvmlDeviceGetCurrentClocksThrottleReasons"),
)
ENERGY = Query("nvmlDeviceGetTotalEnergyConsumption")
ECC_ERRORS = Query("nvmlDeviceGetTotalEccErrors", (_UNCORRECTED, _VOLATILE))
XIDS = Query("nvmlEventSetWait_v2", (0,))
"""The errors that the driver has logged since this was asked before, by their XID numbers. It is
of one GPU; the set of events that it needs is made for it."""
COMPUTE_PROCESSES = (
    Query("nvmlDeviceGetComputeRunningProcesses_v3"),
    Query("nvmlDeviceGetComputeRunningProcesses_v2"),
)
GRAPHICS_PROCESSES = (
    Query("nvmlDeviceGetGraphicsRunningProcesses_v3"),
    Query("nvmlDeviceGetGraphicsRunningProcesses_v2"),
)
PROCESS_QUERIES = frozenset((*COMPUTE_PROCESSES, *GRAPHICS_PROCESSES))

_OF_SLICE = frozenset((NAME, UUID, *MEMORY, *PROCESS_QUERIES))

USED: tuple[Query, ...] = (
    COUNT, INDEX, NAME, UUID, *TEMPERATURE, *MEMORY, SHUTDOWN, SLOWDOWN, MARGIN, RELATIVE_LIMITS,
    POWER, POWER_LIMIT, SET_LIMIT, LIMIT_CONSTRAINTS, UTILIZATION, SM_CLOCK, *THROTTLE, ENERGY,
    ECC_ERRORS, XIDS, *COMPUTE_PROCESSES, *GRAPHICS_PROCESSES,
)  # fmt: skip
"""Every query that a `GpuSample` may be made from."""
NONE_UNDER_WAY = 255
"""Of the numbers of queries, the one that is none."""

_ALSO: tuple[Query, ...] = (
    Query("nvmlSystemGetDriverVersion"),
    Query("nvmlSystemGetNVMLVersion"),
    Query("nvmlSystemGetCudaDriverVersion_v2"),
    SERIAL,
    Query("nvmlDeviceGetBrand"),
    Query("nvmlDeviceGetArchitecture"),
    Query("nvmlDeviceGetCudaComputeCapability"),
    Query("nvmlDeviceGetPciInfo_v3"),
    Query("nvmlDeviceGetVbiosVersion"),
    Query("nvmlDeviceGetVirtualizationMode"),
    Query("nvmlDeviceGetMigMode"),
    Query("nvmlDeviceGetDriverModel_v2"),
    Query("nvmlDeviceGetPersistenceMode"),
    Query("nvmlDeviceGetComputeMode"),
    Query("nvmlDeviceGetPerformanceState"),
    Query("nvmlDeviceGetPowerSource"),
    Query("nvmlDeviceGetPowerManagementMode"),
    Query("nvmlDeviceGetPowerManagementDefaultLimit"),
    *(Query("nvmlDeviceGetTemperatureThreshold", (kind,)) for kind in range(2, 8)),
    Query("nvmlDeviceGetThermalSettings", (15,)),
    Query("nvmlDeviceGetFieldValues", (FI_MEMORY_MAX, FI_GPU_MAX)),
    Query("nvmlDeviceGetFieldValues", (82, 83, 185, 186)),
    Query("nvmlDeviceGetFanSpeed"),
    Query("nvmlDeviceGetClockInfo", (_CLOCK_MEMORY,)),
    Query("nvmlDeviceGetMaxClockInfo", (_CLOCK_SM,)),
    Query("nvmlDeviceGetMaxClockInfo", (_CLOCK_MEMORY,)),
    Query("nvmlDeviceGetSupportedClocksEventReasons"),
    Query("nvmlDeviceGetEccMode"),
    Query("nvmlDeviceGetCurrPcieLinkGeneration"),
    Query("nvmlDeviceGetCurrPcieLinkWidth"),
)
EVERYTHING: tuple[Query, ...] = (*USED, *_ALSO)
"""What `doctor --gpu` asks: what is used, and what explains a card that answers oddly. None of
them changes anything."""
