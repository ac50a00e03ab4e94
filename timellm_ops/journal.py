"""`journal.jsonl`: the one record of everything that happened to a run, in order.

A record exists once its line has ended; a line that is torn or is not a record is skipped by
readers. One process writes (it holds the supervisor's lock), any number of others read and follow.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.events import Event, JournalRecord, decode_record, encode_record
from timellm_ops.contract.masking import Mask, secrets_of
from timellm_ops.process.files import sync_folder

MAX_PENDING = 10_000
"""Records that are kept in memory while the disk takes none: a few megabytes."""

_SYNCED = (
    ev.RunStarted, ev.CheckpointSaved, ev.Command, ev.PolicyDecision, ev.RulesOverridden,
    ev.PolicyChanged, ev.EngineExited, ev.RunEnded,
)  # fmt: skip
_EXPENDABLE = (
    ev.Telemetry, ev.HostTelemetry, ev.Progress, ev.HeadProgress, ev.ForecastsTimed,
    ev.EvaluationProgress,
)  # fmt: skip
_TAIL_BYTES = 1 << 16
"""More than the longest usual record."""
_PIECE_BYTES = 1 << 17
"""Of a long journal at once: larger ones come with new pages of memory each time."""


class _Line(Struct):
    """Bytes on their way to the disk."""

    data: bytes
    expendable: bool
    synced: bool


class _Numbered(Struct):
    """The part of a record that is read to find where to go on."""

    seq: Annotated[int, Meta(ge=0, lt=2**53)]
    """What is larger was never a record's number: it is garbage that happens to be JSON."""


class Journal:
    """The writing end. Nothing that a disk does raises out of `append`."""

    def __init__(
        self, descriptor: int, next_seq: int, *, ends_torn: bool, mask: Mask | None = None
    ) -> None:
        self._mask = mask or Mask()
        self._descriptor: int | None = descriptor
        self._next_seq = next_seq
        self._pending: list[_Line] = []
        self._started = False  # the first pending line is partly on the disk
        self._sync_due = False
        self.problem = ""
        """Why records wait in memory; empty while all is well."""
        self.dropped = 0
        """Records given up because too many were waiting. Their numbers are missing."""
        if ends_torn:
            self._pending.append(_Line(b"\n", expendable=False, synced=False))
            self._started = True
            self.retry()

    @classmethod
    def open(cls, path: Path, environment: Mapping[str, str] | None = None) -> Self:
        """Open for appending, after the highest number in the file.

        A last line without its end (the writer was killed) is ended, never cut: what was whole is
        kept, and readers that follow the file never see it shrink. No secret of this process's
        environment gets into a record, nor one of `environment`, which is that of an engine that
        was started by somebody else. Raises `OSError`.
        """
        highest, ends_torn = _scan(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        mask = Mask(secrets_of(os.environ, environment or {}))
        return cls(descriptor, highest + 1, ends_torn=ends_torn, mask=mask)

    def append(self, event: Event, engine_offset: int | None = None) -> JournalRecord:
        """Record `event`: one write, and a sync where the event matters.

        Where the disk takes nothing the record waits in memory, in order, and `problem` says why.
        """
        record = JournalRecord(seq=self._next_seq, event=event, engine_offset=engine_offset)
        self._next_seq += 1
        self._pending.append(
            _Line(
                self._mask.json_line(encode_record(record), decode_record),
                expendable=isinstance(event, _EXPENDABLE),
                synced=isinstance(event, _SYNCED),
            )
        )
        self.retry()
        return record

    def retry(self) -> bool:
        """Write what waits; whether nothing is left to write. Never raises for a disk."""
        if self._descriptor is None:
            raise ValueError("the journal is closed")
        try:
            while self._pending:
                self._write_first(self._descriptor)
            if self._sync_due:
                os.fsync(self._descriptor)
                self._sync_due = False
        except OSError as error:
            self.problem = f"the journal cannot be written: {error.strerror or error}"
            self._drop_surplus()
            return False
        self.problem = ""
        return True

    @property
    def waiting(self) -> int:
        """Records, or what is left of one, that are not on the disk yet."""
        return len(self._pending)

    def _write_first(self, descriptor: int) -> None:
        line = self._pending[0]
        written = os.write(descriptor, line.data)
        if written < len(line.data):
            line.data = line.data[written:]
            self._started = self._started or written > 0
            return
        self._sync_due = self._sync_due or line.synced
        self._started = False
        del self._pending[0]

    def _drop_surplus(self) -> None:
        first = 1 if self._started else 0
        while len(self._pending) > MAX_PENDING:
            waiting = range(first, len(self._pending))
            index = next((i for i in waiting if self._pending[i].expendable), first)
            del self._pending[index]
            self.dropped += 1

    def close(self) -> None:
        """Write what can be written, sync and let go of the file. May be called twice."""
        if self._descriptor is None:
            return
        self._sync_due = True
        self.retry()
        os.close(self._descriptor)
        self._descriptor = None


def _scan(path: Path) -> tuple[int, bool]:
    """The highest number in the file (0: none), and whether its last line has no end."""
    decoder = msgspec.json.Decoder(_Numbered)
    highest, line = 0, b"\n"
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    highest = max(highest, decoder.decode(line).seq)
                except (ValueError, RecursionError):
                    continue
    except FileNotFoundError:
        return 0, False
    return highest, not line.endswith(b"\n")


def read_records(path: Path) -> Iterator[JournalRecord]:
    """Every record in the file, in order; none where there is no file.

    Torn lines, garbage and events that this version does not know are skipped.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                record = _record(line) if line.endswith(b"\n") else None
                if record is not None:
                    yield record
    except FileNotFoundError:
        return


class JournalFollower:
    """The reading end of a journal that may still be growing, or may not exist yet."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Begin at `offset`, in bytes: the end of a line that was read before."""
        self._path = path
        self._offset = offset
        self._partial = b""
        self.damaged = 0
        """Whole lines so far that are no record, or one that this version does not know: torn by a
        crash or a full disk, or garbage. They were skipped."""

    @property
    def offset(self) -> int:
        """Bytes up to the end of the last whole line that was read: where another may go on."""
        return self._offset - len(self._partial)

    def poll(self) -> list[JournalRecord]:
        """The records whose lines have ended since the last call, in order. Never waits.

        A long journal comes in pieces: only an empty answer means that nothing is left.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                while new := file.read(_PIECE_BYTES):
                    self._offset += len(new)
                    *lines, self._partial = (self._partial + new).split(b"\n")
                    found = [record for line in lines if (record := _record(line)) is not None]
                    if len(found) < len(lines):
                        self.damaged += sum(bool(line.strip()) for line in lines) - len(found)
                    if found:
                        return found
        except FileNotFoundError:
            pass
        return []


def newest_record(path: Path) -> JournalRecord | None:
    """The last whole record of a journal, found from its end; `None` where there is none there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            *lines, _ = file.read().split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        record = _record(line)
        if record is not None:
            return record
    return None


def _record(line: bytes) -> JournalRecord | None:
    try:
        return decode_record(line)
    except msgspec.MsgspecError:
        return None
