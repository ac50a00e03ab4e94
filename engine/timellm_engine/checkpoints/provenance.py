"""Where weights come from, and the errors that they are on record with."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from timellm_engine.training.evaluate import Errors
from timellm_ops.contract import events as ev
from timellm_ops.contract.bundle import Origin
from timellm_ops.contract.layout import RunLayout


def origin_of(
    layout: RunLayout,
    checkpoint: str,
    epoch: int,
    iteration: int,
    test: Errors | None = None,
    *,
    of_an_end: bool = True,
) -> Origin:
    """Of the weights after `iteration` steps of `epoch`, with the errors on record.

    `of_an_end`: these are all the steps of the epoch, of which validation errors may be known.
    `test` are errors that are not on record yet.
    """
    errors = _errors_of(layout.engine_events, epoch) if of_an_end else {}
    if test is not None:
        errors.update(test_mse=test.mse, test_mae=test.mae)
    return Origin(
        run_id=layout.run_id, checkpoint=checkpoint, epoch=epoch, iteration=iteration, **errors
    )


def _errors_of(path: Path, epoch: int) -> dict[str, float | None]:
    """As the engine has told them; the latest word counts."""
    errors: dict[str, float | None] = {}
    for line in event_lines(path):
        if b'"EpochEnded"' not in line and b'"TestEvaluated"' not in line:
            continue
        with contextlib.suppress(msgspec.MsgspecError):
            match ev.decode_event(line):
                case ev.EpochEnded() as event if event.epoch == epoch:
                    errors.update(vali_mse=event.vali_mse, vali_mae=event.vali_mae)
                    if event.test_mse is not None:
                        errors.update(test_mse=event.test_mse, test_mae=event.test_mae)
                case ev.TestEvaluated() as event if event.epoch == epoch:
                    errors.update(test_mse=event.mse, test_mae=event.mae)
                case _:
                    pass
    return errors


def event_lines(path: Path) -> Iterator[bytes]:
    """The engine's events so far; none of what is no file, such as a device without an end."""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                yield from file
