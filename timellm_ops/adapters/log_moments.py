"""How much of an engine's log there was at each record of the run's journal.

A log has no times of its own. The events of a foreign engine say how many bytes of it they account
for. Our own engine prints a line with most of its events, and the two are paired in their order.
What lies between two such places is taken to have come with the later one: a replay may be late
with a line, and shows none that is still to come.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord

Key = tuple[str, int, int] | tuple[str, bytes]
"""What a line and an event have in common."""


def log_ends(records: Sequence[JournalRecord], log: Path) -> "array[int]":
    """For each record, how many bytes of the file `log` there were. It is read once where it is
    our own engine's, and no byte that comes later counts.

    From the last exit of the engine on, and with the last record of a run that goes on, it is all
    of it. Raises `OSError`.
    """
    engine = next((r.event.engine for r in records if isinstance(r.event, ev.RunStarted)), "")
    size = log.stat().st_size
    ends = _paired(records, log) if engine == "timellm" else _accounted(records)
    for index in range(_whole_from(records), len(records)):
        ends[index] = size
    return ends


def _accounted(records: Sequence[JournalRecord]) -> "array[int]":
    """By what the events of a foreign engine say."""
    ends, end = array("Q"), 0
    for record in records:
        end = end if record.engine_offset is None else record.engine_offset
        ends.append(end)
    return ends


def _paired(records: Sequence[JournalRecord], log: Path) -> "array[int]":
    """By the lines of our own engine. One whose event is missing is passed over, so that those
    after it find theirs."""
    places: dict[Key, list[int]] = {}
    for index, record in enumerate(records):
        key = key_of_event(record.event)
        if key is not None:
            places.setdefault(key, []).append(index)
    ends = array("Q", bytes(8 * len(records)))
    before = -1
    with log.open("rb") as lines:
        for line_key, end in keyed_lines(lines):
            found = places.get(line_key, [])
            at = bisect_right(found, before)
            if at < len(found):
                before = found[at]
                ends[before] = end
    for index in range(1, len(ends)):
        ends[index] = max(ends[index], ends[index - 1])
    return ends


def _whole_from(records: Sequence[JournalRecord]) -> int:
    """The record from which on nothing more is printed."""
    for index in range(len(records) - 1, -1, -1):
        match records[index].event:
            case ev.EngineExited():
                return index
            case ev.EngineStarted():
                break
            case _:
                pass
    return max(0, len(records) - 1)


def key_of_event(event: ev.Event) -> Key | None:
    """What the line that our engine prints with `event` begins with; `None`: it prints none."""
    match event:
        case ev.Progress():
            return ("step", event.epoch, event.iteration)
        case ev.EvaluationProgress(split="vali", done=0, epoch=int(epoch)):
            return ("trained", epoch, 0)
        case ev.EpochEnded():
            return ("epoch", event.epoch, 0)
        case ev.CheckpointSaved(kind=kind):
            return ("saved", kind.encode())
        case ev.TrainingStarted():
            return ("going on", event.start_epoch, event.start_iteration)
        case ev.TestEvaluated(epoch=int(epoch)):
            return ("test", epoch, 0)
        case ev.Alert():
            return ("alert", event.message.encode("utf-8", "replace").partition(b"\n")[0])
        case _:
            return None


def keyed_lines(lines: Iterable[bytes], at: int = 0) -> Iterator[tuple[Key, int]]:
    """The lines that go with an event, each with the byte that it ends before; the first one begins
    at byte `at`. A record of progress has two."""
    progress: Key | None = None  # held back until it is known whether its second line follows
    progress_end = 0
    for line in lines:
        at += len(line)
        if line.startswith(b"\tspeed:"):
            progress_end = at
            continue
        if progress is not None:
            yield progress, progress_end
            progress = None
        key = key_of_line(line)
        if key[0] == "step":
            progress, progress_end = key, at
        else:
            yield key, at
    if progress is not None:
        yield progress, progress_end


def key_of_line(line: bytes) -> Key:
    """By how it begins. A line of no kind may be what an alert says."""
    words = line.split(maxsplit=11)
    try:
        match words:
            case [b"iters:", step, b"epoch:", epoch, b"|", *_]:
                return ("step", int(epoch), int(step.rstrip(b",")))
            case [b"Epoch:", epoch, b"cost", *_]:
                return ("trained", int(epoch), 0)
            case [b"Epoch:", epoch, b"|", *_]:
                return ("epoch", int(epoch), 0)
            case [b"Checkpoint", name, b"is", b"on", b"disk:", *_]:
                return ("saved", name.partition(b"-")[0])
            case [b"Going", b"on", b"after", b"step", step, b"of", b"epoch", epoch, *_]:
                return ("going on", int(epoch), int(step))
            case [b"Test", b"with", b"the", b"weights", b"of", b"epoch", epoch, *_]:
                return ("test", int(epoch.rstrip(b":")), 0)
            case _:
                pass
    except ValueError:
        pass
    return ("alert", line.rstrip(b"\n"))
