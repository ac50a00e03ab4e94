"""`doctor --gpu`: what one card answers to every query, on the screen and in a file to send."""

import sys
from pathlib import Path

import msgspec

from timellm_ops.cli.errors import NOT_HERE, UsageError
from timellm_ops.cli.output_file import write_output
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.gpu_reader import DeviceUnusableError
from timellm_ops.probe.gpu_recording import (
    GpuRecording,
    QueryRecord,
    encode_recording,
    read_recording,
    sample_of,
    without_ids,
)
from timellm_ops.probe.recorder import record_gpu
from timellm_ops.probe.sleep import is_asleep, power_notes

_CALL_WIDTH = 52
_VALUE_WIDTH = 70


def gpu_doctor(index: int, uuid: str, record: Path | None, *, with_ids: bool, json: bool) -> int:
    """Ask the card, show its answers, and write them to `record` if there is one.

    Raises `UsageError` for a file of something else in the place of `record`, `OutputRefused` for
    one that cannot be written.
    """
    if record is not None:
        _check_place(record)
    if is_asleep(power_notes(), None if uuid else index):
        sys.stderr.write("the GPU sleeps and was not woken; use it, and ask again\n")
        return NOT_HERE
    recording = record_gpu(index, uuid)
    if not with_ids:
        recording = without_ids(recording)
    if record is not None:
        write_output("--record", record, encode_recording(recording), "card.json")
    if json:
        sys.stdout.write(msgspec.json.encode(recording).decode() + "\n")
    else:
        for line in _lines(recording):
            sys.stdout.write(f"{line}\n")
        if record is not None:
            ids = "" if with_ids else "; UUID and serial number are replaced in it"
            sys.stdout.write(f"written: {record}{ids}\n")
    return 0 if recording.opening.answered else NOT_HERE


def _check_place(path: Path) -> None:
    """A mistyped name must not cost a file of another kind."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--record: found {path}; expected a file in a folder that is there")
    if path.exists():
        try:
            read_recording(path)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--record: {path} is there and is no recording; expected a new file or one that "
                "was made so"
            ) from error


def _lines(recording: GpuRecording) -> list[str]:
    where = "WSL" if recording.wsl else "Linux"
    lines = [f"GPU of {recording.which}, {where} {recording.kernel}", _line(recording.opening)]
    lines += [_line(record) for record in recording.answers]
    try:
        sample = sample_of(recording)
    except DeviceUnusableError as error:
        return [*lines, f"a run would have no reading of it: {error}"]
    unknown = [name for name, value in _fields(sample).items() if value is None]
    known = len(_fields(sample)) - len(unknown)
    words = f"of {len(_fields(sample))} values a run would know {known}"
    return [*lines, f"{words}; unknown: {', '.join(unknown)}" if unknown else words]


def _fields(sample: GpuSample) -> dict[str, object]:
    names = (name for name in sample.__struct_fields__ if name != "source")
    return {name: getattr(sample, name) for name in names}


def _line(record: QueryRecord) -> str:
    if record.answered:
        said = "ok" if record.value is None else msgspec.json.encode(record.value).decode()
        said = said if len(said) <= _VALUE_WIDTH else f"{said[: _VALUE_WIDTH - 1]}…"
    else:
        said = f"{record.error}: {record.problem}" if record.error else record.problem
    return f"{1000.0 * record.took_s:8.2f} ms  {record.query!s:<{_CALL_WIDTH}}  {said}"
