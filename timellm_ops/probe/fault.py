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
    """An NVML error: code and name in `nvml.h`, what it takes away, and a few words about it."""

    code: int
    name: str
    scope: Scope
    message: str

    @property
    def lost(self) -> bool:
        """The GPU itself has failed, not only the way to it."""
        return self.name in ("GPU_IS_LOST", "RESET_REQUIRED")


_FAULTS = (
    Fault(1, "UNINITIALIZED", Scope.DEVICE, "NVML is not initialised"),
    Fault(2, "INVALID_ARGUMENT", Scope.METRIC, "the driver does not know what it was asked for"),
    Fault(3, "NOT_SUPPORTED", Scope.METRIC, "the card or driver does not support this"),
    Fault(4, "NO_PERMISSION", Scope.METRIC, "this user may not ask the driver for it"),
    Fault(5, "ALREADY_INITIALIZED", Scope.METRIC, "NVML is initialised already"),
    Fault(6, "NOT_FOUND", Scope.METRIC, "the driver finds nothing of the kind"),
    Fault(7, "INSUFFICIENT_SIZE", Scope.METRIC, "the answer is longer than was allowed for"),
    Fault(8, "INSUFFICIENT_POWER", Scope.METRIC, "the GPU's power cables are not connected"),
    Fault(9, "DRIVER_NOT_LOADED", Scope.ABSENT, "the NVIDIA driver is not loaded"),
    Fault(10, "TIMEOUT", Scope.METRIC, "the driver did not answer in time"),
    Fault(11, "IRQ_ISSUE", Scope.METRIC, "the kernel has a problem with the GPU's interrupts"),
    Fault(
        12,
        "LIBRARY_NOT_FOUND",
        Scope.ABSENT,
        "the driver's library libnvidia-ml.so.1 is not installed",
    ),
    Fault(13, "FUNCTION_NOT_FOUND", Scope.METRIC, "the driver is too old to tell it"),
    Fault(14, "CORRUPTED_INFOROM", Scope.METRIC, "the card's own memory of itself is corrupted"),
    Fault(
        15,
        "GPU_IS_LOST",
        Scope.DEVICE,
        "the GPU is lost: it has fallen off the bus or stopped answering",
    ),
    Fault(16, "RESET_REQUIRED", Scope.DEVICE, "the GPU must be reset before it can be used again"),
    Fault(17, "OPERATING_SYSTEM", Scope.METRIC, "the operating system has blocked the request"),
    Fault(
        18,
        "LIB_RM_VERSION_MISMATCH",
        Scope.DEVICE,
        "driver and NVML library are of different versions: the driver was changed under the run",
    ),
    Fault(19, "IN_USE", Scope.METRIC, "the GPU is in use by somebody who does not share it"),
    Fault(20, "MEMORY", Scope.METRIC, "the driver has too little memory to answer"),
    Fault(21, "NO_DATA", Scope.METRIC, "there is nothing to tell yet"),
    Fault(22, "VGPU_ECC_NOT_SUPPORTED", Scope.METRIC, "a virtual GPU cannot tell it"),
    Fault(23, "INSUFFICIENT_RESOURCES", Scope.METRIC, "the driver lacks something to answer"),
    Fault(24, "FREQ_NOT_SUPPORTED", Scope.METRIC, "the card does not support this frequency"),
    Fault(
        25, "ARGUMENT_VERSION_MISMATCH", Scope.METRIC, "driver and bindings mean different things"
    ),
    Fault(26, "DEPRECATED", Scope.METRIC, "the driver does not tell it any more"),
    Fault(27, "NOT_READY", Scope.METRIC, "the GPU or driver is not ready to tell it"),
    Fault(28, "GPU_NOT_FOUND", Scope.ABSENT, "there is no such GPU"),
    Fault(29, "INVALID_STATE", Scope.METRIC, "the GPU cannot tell it in its present state"),
    Fault(30, "RESET_TYPE_NOT_SUPPORTED", Scope.METRIC, "this kind of reset is not supported"),
    Fault(999, "UNKNOWN", Scope.METRIC, "NVML met an unknown error"),
)
_BY_CODE = {fault.code: fault for fault in _FAULTS}

_NOT_THIS_GPU = (2, 6)


def fault_of(code: int) -> Fault:
    """The meaning of `code` for one metric. Codes without an entry take away that metric only."""
    return _BY_CODE.get(code, Fault(code, f"{code}", Scope.METRIC, f"NVML error {code}"))


def is_elsewhere(code: int) -> bool:
    """Whether opening a GPU failed because there is none by that number or UUID."""
    return code in _NOT_THIS_GPU


def opening_fault(code: int, which: str) -> Fault:
    """The meaning of `code` while a GPU is being opened, where no single metric is at stake.

    `which` is how the GPU was asked for, in words. An index beyond the last GPU is answered with
    `NVML_ERROR_INVALID_ARGUMENT`, a UUID that no GPU has with `NVML_ERROR_NOT_FOUND`.
    """
    fault = fault_of(code)
    if code in _NOT_THIS_GPU:
        return Fault(code, fault.name, Scope.ABSENT, f"there is no GPU with {which}")
    if fault.scope is Scope.METRIC:
        return Fault(code, fault.name, Scope.DEVICE, fault.message)
    return fault
