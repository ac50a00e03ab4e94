"""What a report has besides the journal: evaluations, and the last lines of the engine."""

import os
from pathlib import Path

import msgspec

from timellm_dashboard.reports.parts import Extras
from timellm_ops.contract.evaluation import Evaluation
from timellm_ops.contract.layout import RunLayout

LAST_LINES = 20
_TAIL_BYTES = 1 << 15


def extras_of(layout: RunLayout) -> Extras:
    """As far as the files are there and can be read."""
    return Extras(
        evaluations=tuple(_evaluations(layout)), last_lines=_last_lines(layout.engine_log)
    )


def _evaluations(layout: RunLayout) -> list[Evaluation]:
    found = []
    for path in sorted(layout.predictions.glob("evaluation-*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Evaluation))
        except (OSError, msgspec.MsgspecError):
            continue  # of another version, or half there: a report does without it
    return found


def _last_lines(path: Path) -> tuple[str, ...]:
    """The end of a text that may be long, in whole lines."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read()
    except OSError:
        return ()
    lines = tail.decode("utf-8", "replace").splitlines()
    whole = lines[1:] if size > _TAIL_BYTES else lines
    return tuple(line for line in whole if line.strip())[-LAST_LINES:]
