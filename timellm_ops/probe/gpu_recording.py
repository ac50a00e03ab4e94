"""A file of everything that a card answered, and how a reading is made of it again.

The file is JSON and is meant to be sent to somebody else: what tells one card from others of its
kind is replaced unless it was asked for, and the names of processes are never in it.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import queries
from timellm_ops.probe.fault import fault_of, opening_fault
from timellm_ops.probe.gpu_reader import DeviceUnusableError, GpuReader
from timellm_ops.probe.queries import DriverError, Plain, Query

SCHEMA: Final = "timellm-ops.gpu-recording/1"
_NOBODY = {
    queries.UUID: "GPU-00000000-0000-0000-0000-000000000000",
    queries.SERIAL: "0",
}
_UNANSWERED = 10
"""`NVML_ERROR_TIMEOUT`: the answer where NVML hung or crashed, or was not asked."""


class QueryRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One query and what came of it: a value, an error of NVML's, or a reader that was lost."""

    call: str
    arguments: tuple[int, ...] = ()
    value: Plain = None
    code: int | None = None
    error: str = ""
    """The name of `code` in `nvml.h`, without `NVML_ERROR_`."""
    problem: str = ""
    """In words, what went wrong."""
    took_s: float = 0.0

    @property
    def query(self) -> Query:
        """What was asked."""
        return Query(self.call, self.arguments)

    @property
    def answered(self) -> bool:
        """There is a value, which may be an empty one."""
        return self.code is None and not self.problem


class GpuRecording(Struct, frozen=True, kw_only=True):
    """The whole file."""

    made_with: dict[str, str | None]
    """Version by package."""
    kernel: str
    """Its release, which says so under WSL."""
    wsl: bool
    which: str
    """How the GPU was asked for: `index 0` or `UUID …`."""
    opening: QueryRecord
    """Loading the driver's library and finding the GPU."""
    answers: tuple[QueryRecord, ...]
    schema: Literal["timellm-ops.gpu-recording/1"] = SCHEMA


def without_ids(recording: GpuRecording) -> GpuRecording:
    """`recording` with UUID and serial number replaced."""
    which = "UUID" if recording.which.startswith("UUID") else recording.which
    return replace(recording, which=which, answers=tuple(map(_nobodys, recording.answers)))


def _nobodys(record: QueryRecord) -> QueryRecord:
    if record.query not in _NOBODY or not record.answered:
        return record
    return replace(record, value=_NOBODY[record.query])


def encode_recording(recording: GpuRecording) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n"


def read_recording(path: Path) -> GpuRecording:
    """The recording in a file. Raises `OSError`, and `ValueError` for a file of anything else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=GpuRecording)
    except (UnicodeDecodeError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError(f"{path}: {error}; expected a file of {SCHEMA}") from error


class RecordedDriver:
    """Answers as the card did."""

    def __init__(self, recording: GpuRecording) -> None:
        self._records = {record.query: record for record in recording.answers}

    def ask(self, query: Query) -> Plain:
        """The recorded answer. Raises `DriverError`, also for what was not recorded."""
        record = self._records.get(query)
        if record is None or not record.answered:
            raise DriverError(_UNANSWERED if record is None or record.code is None else record.code)
        return record.value


def sample_of(recording: GpuRecording) -> GpuSample:
    """The reading that a run would have had of this card, its `source` being `recorded`.

    Raises `DeviceUnusableError` where it would have had none.
    """
    opening = recording.opening
    if opening.code is not None:
        raise DeviceUnusableError(opening_fault(opening.code, recording.which))
    if not opening.answered:
        raise DeviceUnusableError(replace(fault_of(_UNANSWERED), message=opening.problem))
    reader = GpuReader(RecordedDriver(recording), source="recorded", paravirtual=recording.wsl)
    return reader.read()
