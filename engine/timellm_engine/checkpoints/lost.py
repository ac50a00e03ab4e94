"""Whether a run that has no `last` to go on from has had one: what its folder and records say.

A run that was ended before its first `last` loses nothing by beginning again. One whose `last` is
gone would lose all that it held, so it is only begun again by a person who wants that.
"""

import contextlib
from pathlib import Path
from shlex import quote

import msgspec
from msgspec import Struct

from timellm_engine.checkpoints.provenance import event_lines
from timellm_ops.contract.checkpoint_names import BROKEN, STEP
from timellm_ops.contract.layout import RunLayout

_SAVED, _WRITING = b'"type":"CheckpointSaved"', b'"type":"CheckpointWriting"'
_LAST, _BEST = b'"kind":"last"', b'"kind":"best"'


class _Where(Struct):
    epoch: int | None = None
    iteration: int | None = None


class _Line(_Where):
    """A line of the engine's events, or one of the journal, which wraps the same event."""

    event: _Where | None = None


class Lost(Struct, frozen=True, kw_only=True):
    """A `last` that was durable once and is not there."""

    signs: tuple[str, ...]
    """What shows that there was one, each a phrase."""
    broken: tuple[str, ...] = ()
    """The names of the folders that were set aside as damaged, in order."""


def lost_last(layout: RunLayout) -> Lost | None:
    """What shows that the run has had a `last`; `None`: it was ended before its first one.

    Only to be asked where none can be loaded. `best` is written before `last`, so a run that was
    ended between the two has a `best` whose writing is on record, and has lost nothing.
    """
    signs: list[str] = []
    best_is_on_record = False
    for path in (layout.engine_events, layout.journal):
        newest: bytes | None = None
        for line in event_lines(path):
            if _SAVED in line and _LAST in line:
                newest = line
            elif _WRITING in line and _BEST in line:
                best_is_on_record = True
        if newest is not None:
            signs.append(f"{path.name} says that it was saved{_after(newest)}")
            break
    folder = layout.checkpoints
    if folder.joinpath("best").exists() and (signs or not best_is_on_record):
        signs.append("a `best` is there, of weights alone")
    broken = _broken(folder)
    if broken:
        signs.append(f"set aside as damaged: {', '.join(broken)}")
    return Lost(signs=tuple(signs), broken=broken) if signs else None


def what_is_right(layout: RunLayout, lost: Lost) -> str:
    """What a person may do about a `last` that is lost, to be read after "expected"."""
    ways = ["put a copy of it back in its place"]
    if len(lost.broken) == 1:
        name = lost.broken[0].removeprefix(BROKEN).rpartition("-")[0]
        ways.append(f"rename {lost.broken[0]} to {name} if it is good")
    elif lost.broken:
        ways.append(f"rename one of the {BROKEN}… back if it is good")
    ways.append(f"begin a new run (timellm-ops run {quote(str(layout.config))})")
    return f"a whole checkpoint to go on from: {', '.join(ways[:-1])}, or {ways[-1]}"


def _broken(folder: Path) -> tuple[str, ...]:
    """Each one that was to be gone on from and was found to be damaged."""
    kinds = (f"{BROKEN}last-*", f"{BROKEN}{STEP}*")
    return tuple(sorted(path.name for kind in kinds for path in folder.glob(kind)))


def _after(line: bytes) -> str:
    """The step that a saved checkpoint holds, in words; nothing where the line is cut."""
    with contextlib.suppress(msgspec.MsgspecError):
        told = msgspec.json.decode(line, type=_Line)
        where = told.event or told
        if where.epoch is not None and where.iteration is not None:
            return f" after step {where.iteration} of epoch {where.epoch}"
    return ""
