"""NVML through its bindings, the package `nvidia-ml-py`: the only module that imports `pynvml`.

Any call may hang or take its process down, so this is loaded by the NVML child alone.
"""

import ctypes
from typing import Any

import pynvml
from msgspec import Struct

from timellm_ops.probe.queries import XIDS, DriverError, Plain, Query

_FUNCTION_NOT_FOUND = 13
_NOT_FOUND = 6
_TIMEOUT = 10
_UNKNOWN = 999
_MOST_EVENTS = 32
"""Told in one answer; a broken card may log without end."""
_MIG = "MIG-"


class Which(Struct, frozen=True, kw_only=True):
    """Which GPU: by its number, in the order of PCI addresses, or by its UUID if that is given.

    The beginning of a UUID is enough where no other GPU's begins like it.
    """

    index: int = 0
    uuid: str = ""


class NvmlDriver:
    """One GPU behind an open NVML connection, or one MIG slice and the card that it is of."""

    def __init__(self, which: Which) -> None:
        """Load the driver's library and find the GPU. Raises `DriverError`."""
        _call("nvmlInitWithFlags", 0)
        if which.uuid:
            self._slice = _by_uuid(which.uuid)
        else:
            self._slice = _call("nvmlDeviceGetHandleByIndex", which.index)
        self._card = self._slice
        if which.uuid.startswith(_MIG):
            self._card = _call("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", self._slice)
        self._events: Any = None

    def ask(self, query: Query) -> Plain:
        """The bindings' answer as plain data. Raises `DriverError`."""
        arguments: tuple[Any, ...] = query.arguments
        if query == XIDS:
            return self._xids()
        if query.call == "nvmlDeviceGetFieldValues":
            return _field_values(_call(query.call, self._card, list(arguments)))
        if not query.of_system:
            arguments = (self._slice if query.of_slice else self._card, *arguments)
        return _plain(_call(query.call, *arguments))

    def limit_power(self, limit_w: float) -> None:
        """Set the card's power limit, in watts. Raises `DriverError`."""
        _call("nvmlDeviceSetPowerManagementLimit", self._card, round(limit_w * 1000.0))

    def _xids(self) -> list[int]:
        if self._events is None:
            events = _call("nvmlEventSetCreate")
            kinds = pynvml.nvmlEventTypeXidCriticalError
            _call("nvmlDeviceRegisterEvents", self._card, kinds, events)
            self._events = events
        found: list[int] = []
        while len(found) < _MOST_EVENTS:
            try:
                event = _call(XIDS.call, self._events, *XIDS.arguments)
            except DriverError as error:
                if error.code == _TIMEOUT:
                    break
                raise
            if event.eventType == pynvml.nvmlEventTypeXidCriticalError:
                found.append(int(event.eventData))
        return found


def uuids() -> tuple[str, ...]:
    """Of the GPUs of this machine, in the driver's order, once it has been loaded; empty: it does
    not say."""
    try:
        count = _call("nvmlDeviceGetCount")
        handles = [_call("nvmlDeviceGetHandleByIndex", i) for i in range(count)]
        return tuple(_call("nvmlDeviceGetUUID", handle) for handle in handles)
    except DriverError:
        return ()


def _by_uuid(uuid: str) -> Any:
    try:
        return _call("nvmlDeviceGetHandleByUUID", uuid)
    except DriverError as error:
        if uuid.startswith(_MIG):
            raise
        not_found = error
    handles = [_call("nvmlDeviceGetHandleByIndex", i) for i in range(_call("nvmlDeviceGetCount"))]
    found = [h for h in handles if _call("nvmlDeviceGetUUID", h).startswith(uuid)]
    if len(found) != 1:
        raise DriverError(_NOT_FOUND) from not_found
    return found[0]


def _call(function: str, *arguments: Any) -> Any:
    call = getattr(pynvml, function, None)
    if call is None:
        raise DriverError(_FUNCTION_NOT_FOUND)
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        raise DriverError(error.value) from None
    except pynvml.NVMLLibraryMismatchError:
        raise DriverError(_FUNCTION_NOT_FOUND) from None
    except UnicodeDecodeError:
        raise DriverError(_UNKNOWN) from None


def _plain(answer: Any) -> Plain:
    """A struct becomes a table of its fields, an array a list."""
    if answer is None or isinstance(answer, bool | int | float | str):
        return answer
    if isinstance(answer, bytes):
        return answer.decode("utf-8", "replace")
    if isinstance(answer, ctypes.Structure):
        return {field[0]: _plain(getattr(answer, field[0])) for field in type(answer)._fields_}
    if isinstance(answer, pynvml.nvmlFriendlyObject):
        return {name: _plain(value) for name, value in vars(answer).items()}
    if isinstance(answer, list | tuple | ctypes.Array):
        return [_plain(item) for item in answer]
    raise DriverError(_UNKNOWN)


_VALUES = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""The members of `nvmlValue_t`, in the order of `nvmlValueType_t`."""


def _field_values(answer: Any) -> Plain:
    return [_field_value(field) for field in answer]


def _field_value(field: Any) -> dict[str, int | float]:
    code, kind = int(field.nvmlReturn), int(field.valueType)
    if code == pynvml.NVML_SUCCESS and kind < len(_VALUES):
        return {"field": int(field.fieldId), "value": getattr(field.value, _VALUES[kind])}
    return {"field": int(field.fieldId), "error": code or _UNKNOWN}
