"""What a finished run has on record that must not depend on who was killed when."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout


class Difference(Exception):  # noqa: N818 - it is what was looked for
    """Something is not as it is without a kill. The text is one line."""


@dataclass(frozen=True)
class Record:
    """All of a finished run that must not depend on who was killed when."""

    losses: dict[tuple[int, int], float]
    """By epoch and step."""
    epochs: dict[int, tuple[float | None, ...]]
    tests: tuple[float, ...]
    files: dict[str, str]
    """SHA-256 by the path of a file of a checkpoint or of the bundle."""
    steps_again: tuple[int, ...] = ()


def events_of(path: Path, start: int = 0) -> Iterator[ev.Event]:
    """The whole events of the engine's file from a byte on; a torn line is none."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            with contextlib.suppress(msgspec.MsgspecError):
                yield ev.decode_event(line)


def record_of(layout: RunLayout) -> Record:
    """What a finished run has come to. Raises `Difference` where a step was lost or differed."""
    losses: dict[tuple[int, int], float] = {}
    epochs: dict[int, tuple[float | None, ...]] = {}
    tests: list[float] = []
    again: list[int] = []
    per_epoch = step = saved = 0
    for event in events_of(layout.engine_events):
        match event:
            case ev.TrainingStarted():
                per_epoch = event.steps_per_epoch
                start = (event.start_epoch - 1) * per_epoch + event.start_iteration
                if start < saved:
                    raise Difference(f"it went on after step {start}, but {saved} were saved")
                again.append(max(0, step - start))
                step = start
            case ev.Progress():
                at = (event.epoch, event.iteration)
                if losses.setdefault(at, event.loss) != event.loss:
                    raise Difference(f"epoch {at[0]}, step {at[1]} has two losses")
                if (event.epoch - 1) * per_epoch + event.iteration != step + 1:
                    raise Difference(f"after step {step} comes epoch {at[0]}, step {at[1]}")
                step += 1
            case ev.CheckpointSaved(kind="last"):
                saved = ((event.epoch or 1) - 1) * per_epoch + (event.iteration or 0)
            case ev.EpochEnded():
                errors = (event.train_mse, event.vali_mse, event.vali_mae, event.test_mse)
                if epochs.setdefault(event.epoch, errors) != errors:
                    raise Difference(f"epoch {event.epoch} has two results")
            case ev.TestEvaluated():
                tests += [event.mse, event.mae, event.windows, event.epoch or 0]
            case _:
                pass
    return Record(losses, epochs, tuple(tests), _digests(layout), tuple(again[1:]))


def _digests(layout: RunLayout) -> dict[str, str]:
    folders = [*sorted(layout.checkpoints.glob("*")), layout.root / "bundle"]
    return {
        f"{folder.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        if not folder.name.startswith(".")
        for path in sorted(folder.glob("*.safetensors"))
    }


def compare(found: Record, expected: Record) -> list[str]:
    """Every difference, one line each."""
    problems = []
    for what in ("losses", "epochs", "files"):
        one, other = getattr(found, what), getattr(expected, what)
        odd = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
        if odd:
            problems.append(f"{what}: {len(odd)} differ, the first is {odd[0]}")
    if found.tests != expected.tests:
        problems.append(f"the final test: {found.tests} and {expected.tests}")
    return problems
