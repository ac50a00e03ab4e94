"""What an NVML error code means for whoever is reading a GPU."""

from enum import Enum

from msgspec import Struct


class Scope(Enum):
    """How much an error takes away."""

    ABSENT = "absent"
    """There is no such GPU or no driver on this machine."""
    DEVICE = "device"
    """The GPU or the driver's connection is of no use until NVML is loaded afresh."""
    METRIC = "metric"
    """Only the value that was asked for."""


class Fault(Struct, frozen=True):
    """An NVML error: its code in `nvml.h`, what it takes away, and one sentence about it."""

    code: int
    scope: Scope
    message: str


_FAULTS = (
    Fault(1, Scope.DEVICE, "NVML is not initialised"),
    Fault(3, Scope.METRIC, "the card or driver does not support this"),
    Fault(4, Scope.METRIC, "this user may not ask the driver for it"),
    Fault(9, Scope.ABSENT, "the NVIDIA driver is not loaded"),
    Fault(10, Scope.METRIC, "the driver did not answer in time"),
    Fault(12, Scope.ABSENT, "the driver's library libnvidia-ml.so.1 is not installed"),
    Fault(15, Scope.DEVICE, "the GPU is lost: it has fallen off the bus or stopped answering"),
    Fault(16, Scope.DEVICE, "the GPU must be reset before it can be used again"),
    Fault(17, Scope.METRIC, "the operating system has blocked the request"),
    Fault(
        18,
        Scope.DEVICE,
        "driver and NVML library are of different versions: the driver was changed under the run",
    ),
    Fault(28, Scope.ABSENT, "there is no GPU with this index"),
    Fault(999, Scope.METRIC, "NVML met an unknown error"),
)
_BY_CODE = {fault.code: fault for fault in _FAULTS}

_INVALID_ARGUMENT = 2


def fault_of(code: int) -> Fault:
    """The meaning of `code` for one metric. Codes without an entry take away that metric only."""
    return _BY_CODE.get(code, Fault(code, Scope.METRIC, f"NVML error {code}"))


def opening_fault(code: int) -> Fault:
    """The meaning of `code` while a GPU is being opened, where no single metric is at stake.

    An index beyond the last GPU is answered with `NVML_ERROR_INVALID_ARGUMENT`.
    """
    if code == _INVALID_ARGUMENT:
        return Fault(code, Scope.ABSENT, "there is no GPU with this index")
    fault = fault_of(code)
    if fault.scope is Scope.METRIC:
        return Fault(code, Scope.DEVICE, fault.message)
    return fault
