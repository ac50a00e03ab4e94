"""A run record of a log that a training script has left. Its times stay unknown."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from timellm_ops.adapters.log_stream import TrainingLog
from timellm_ops.adapters.pattern_file import Patterns
from timellm_ops.adapters.pattern_log import PatternLog
from timellm_ops.adapters.published import PublishedLog
from timellm_ops.adapters.single_training import Whereabouts
from timellm_ops.configfile import NO_DATA, safe_name
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config, DataSection, GpuSection, RunSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import one_line
from timellm_ops.journal import Journal
from timellm_ops.manifest import DataFile, collect_manifest
from timellm_ops.process.files import sync_folder
from timellm_ops.store import RunStore

_BLOCK = 1 << 20


class ImportRefused(ValueError):  # noqa: N818 - it says what happened
    """No run record can be made of a file. The text is one line."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(one_line(f"{path}: found {found}; expected {expected}"))


class _Understood(Struct, frozen=True):
    """A log, read to its end."""

    events: tuple[tuple[ev.Event, int], ...]
    whereabouts: Whereabouts
    size: int
    sha256: str


def events_of_log(path: Path, patterns: Patterns | None = None) -> list[ev.Event]:
    """What a log says happened, in order. Raises `ImportRefused`."""
    with _open(path) as file:
        return [event for event, _ in _understand(path, file, patterns).events]


def import_log(
    path: Path,
    store: RunStore,
    now: datetime,
    command_line: Sequence[str] = (),
    patterns: Patterns | None = None,
) -> RunLayout:
    """Make a run of a log: config, manifest, journal, and the log itself as `engine.log`.

    `patterns` say what its lines mean; without them it is one of the published script.

    Raises `ImportRefused`, before anything is made, and `OSError` where the run cannot be
    written; of that, too, nothing is left.
    """
    with _open(path) as file:
        log = _understand(path, file, patterns)
        full = Path(os.path.realpath(path))
        config = Config(
            run=RunSection(name=safe_name(full.stem)),
            data=DataSection(dataset="custom", path=NO_DATA),
            gpu=GpuSection(probe="none"),
        )
        manifest = collect_manifest(
            now=now,
            command_line=command_line,
            workdir=Path.cwd(),
            gpu="none",
            source_log=DataFile(path=_recordable(full), bytes=log.size, sha256=log.sha256),
        )
        raw = b"" if patterns is None else patterns.raw
        layout = store.create(config.run.name, now, config, manifest, patterns=raw)
        try:
            _copy(path, file, log, layout)
            _write_journal(layout, config.run.name, log)
        except BaseException:
            shutil.rmtree(layout.root, ignore_errors=True)
            raise
    return layout


def _open(path: Path) -> BinaryIO:
    expected = "the log of a Time-LLM training"
    try:
        # A pipe without a writer would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ImportRefused(path, "no such file", expected) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImportRefused(path, f"a file that cannot be read ({reason})", expected) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    found = "a folder" if stat.S_ISDIR(mode) else "something that is not a file"
    raise ImportRefused(path, found, expected)


def _understand(path: Path, file: BinaryIO, patterns: Patterns | None) -> _Understood:
    """Read as much of the log as there is now; it may go on growing."""
    log: TrainingLog = PublishedLog() if patterns is None else PatternLog(patterns)
    digest = hashlib.sha256()
    events: list[tuple[ev.Event, int]] = []
    size = os.fstat(file.fileno()).st_size
    try:
        for block in _blocks(file, size):
            digest.update(block)
            events += log.feed(block)
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror or error})"
        raise ImportRefused(path, found, "the log of a Time-LLM training") from None
    events += log.finish()
    if not events and patterns is not None and size > 0:
        expected = "lines that they match (timellm-ops patterns check PATTERNS LOG shows them)"
        raise ImportRefused(path, f"no line for the patterns in {patterns.source}", expected)
    if not events:
        found = "an empty file" if size == 0 else "no line of a Time-LLM training"
        raise ImportRefused(path, found, 'lines such as "iters: 100, epoch: 1 | loss: 0.1349008"')
    return _Understood(tuple(events), log.whereabouts(), size, digest.hexdigest())


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes, from the beginning."""
    file.seek(0)
    while size > 0 and (block := file.read(min(_BLOCK, size))):
        size -= len(block)
        yield block


def _copy(path: Path, file: BinaryIO, log: _Understood, layout: RunLayout) -> None:
    digest = hashlib.sha256()
    with layout.engine_log.open("xb") as copy:
        for block in _blocks(file, log.size):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    sync_folder(layout.root)
    if digest.hexdigest() != log.sha256:
        raise ImportRefused(path, "a file that changed while it was read", "one that only grows")


def _write_journal(layout: RunLayout, name: str, log: _Understood) -> None:
    journal = Journal.open(layout.journal)
    try:
        journal.append(ev.RunStarted(run_id=layout.run_id, name=name, engine="imported"))
        for event, offset in log.events:
            journal.append(event, offset)
        journal.append(ended(log.whereabouts))
        problem = journal.problem
    finally:
        journal.close()
    if problem:
        raise OSError(errno.EIO, problem, str(layout.journal))


def ended(log: Whereabouts) -> ev.RunEnded:
    """What a log says of its end. Only a training that came to its natural end is finished; of
    another nobody knows whether it was stopped, failed, or is still running."""
    if log.stopped_early:
        reason = f"training ended early, after epoch {log.ended}: no improvement any more"
        return ev.RunEnded(outcome="finished", exit_code=0, reason=reason)
    if log.ended > 0 and (log.over or log.ended == log.shape.epochs):
        reason = f"training finished after epoch {log.ended}"
        return ev.RunEnded(outcome="finished", exit_code=0, reason=reason)
    return ev.RunEnded(outcome="stopped", exit_code=0, reason=_where_it_ends(log))


def _where_it_ends(log: Whereabouts) -> str:
    of = "" if log.shape.epochs is None else f" of {log.shape.epochs}"
    if log.epoch == 0:
        return "the log ends here"
    if log.ended == log.epoch:
        return f"the log ends after epoch {log.epoch}{of}"
    at = f", after iteration {log.iteration}" if log.iteration else ""
    return f"the log ends in epoch {log.epoch}{of}{at}"


def _recordable(path: Path) -> str:
    return str(path).encode("utf-8", "backslashreplace").decode()
