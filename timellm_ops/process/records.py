"""`engine.json` and `supervisor.json`: which process is which, for whoever comes later."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.files import read_json, replace_small_json
from timellm_ops.process.identity import ProcessIdentity, is_alive


class EngineRecord(Struct, frozen=True, kw_only=True):
    """The whole of `engine.json`."""

    process: ProcessIdentity
    foreign: bool = False
    """Started through the launcher, which writes `engine.exit`."""


class SupervisorRecord(Struct, frozen=True, kw_only=True):
    """The whole of `supervisor.json`."""

    process: ProcessIdentity
    socket: str
    """Path of the socket that takes requests; empty where there could be none."""


Record = TypeVar("Record", EngineRecord, SupervisorRecord)


def write_record(path: Path, record: EngineRecord | SupervisorRecord) -> None:
    """Put the record in place, on a full disk too. Raises `OSError`."""
    replace_small_json(path, msgspec.json.encode(record), durable=True)


def is_live(layout: RunLayout) -> bool:
    """Whether a run goes on: a supervisor has charge of it, or its engine lives without one."""
    supervisor = read_living(layout.supervisor_process, SupervisorRecord)
    return bool(supervisor or read_living(layout.engine_process, EngineRecord))


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """The record, or `None` where there is none that can be read."""
    return read_json(path, kind)


def read_living(path: Path, kind: type[Record]) -> Record | None:
    """The record of a process that lives; `None` where there is none, or it has ended."""
    record = read_record(path, kind)
    return record if record is not None and is_alive(record.process) else None
