"""What is on disk once an engine has gone: read, never judged."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from timellm_ops.contract.events import CheckpointSaved
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import SavedCheckpoint
from timellm_ops.supervisor.outcome import Evidence

_TAIL_BYTES = 1 << 14
_LONGEST_LINE = 300
_NO_LAST_WORDS = ("iters:", "speed:")
"""How lines of progress begin, whole or torn: they say nothing of an end."""


def look_for_evidence(
    layout: RunLayout, last: CheckpointSaved | SavedCheckpoint | None
) -> Evidence:
    """The engine's last line, and whether the checkpoint it said to have saved last is there.

    A manifest is written last and holds the digests of all files, so its own digest stands for
    the whole checkpoint.
    """
    return Evidence(last_line=_last_line(layout), last_on_disk=_is_on_disk(layout, last))


class _File(Struct):
    bytes: int


class _Manifest(Struct):
    """The part of a checkpoint's manifest that says what it is."""

    epoch: int
    iteration: int
    files: dict[str, _File]


def untold_save(
    layout: RunLayout, last: CheckpointSaved | SavedCheckpoint | None
) -> CheckpointSaved | None:
    """The save of `last` that our own engine could not tell of, as on a disk that took the files
    and no more words; `None`: what was told last is the newest there is."""
    raw = _manifest(layout)
    if raw is None:
        return None
    try:
        found = msgspec.json.decode(raw, type=_Manifest)
    except (ValueError, RecursionError):
        return None
    digest = hashlib.sha256(raw).hexdigest()
    if last is not None and (
        last.sha256 in (None, digest)
        or (found.epoch, found.iteration) < (last.epoch or 0, last.iteration or 0)
    ):
        return None
    return CheckpointSaved(
        kind="last",
        path=str(_last(layout)),
        bytes=len(raw) + sum(file.bytes for file in found.files.values()),
        sha256=digest,
        epoch=found.epoch,
        iteration=found.iteration,
    )


def _is_on_disk(layout: RunLayout, last: CheckpointSaved | SavedCheckpoint | None) -> bool:
    manifest = _manifest(layout)
    if last is None or manifest is None:
        return False
    return last.sha256 is None or hashlib.sha256(manifest).hexdigest() == last.sha256


def _last(layout: RunLayout) -> Path:
    return layout.checkpoints / "last"


def _manifest(layout: RunLayout) -> bytes | None:
    """Of `last`; `None` where there is none that can be read."""
    try:
        return (_last(layout) / "manifest.json").read_bytes()
    except OSError:
        return None


def _last_line(layout: RunLayout) -> str:
    try:
        with layout.engine_log.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            tail = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in tail.replace("\r", "\n").split("\n")]
    shown = "".join(c for c in next(filter(None, reversed(lines)), "") if c.isprintable())
    if shown.startswith(_NO_LAST_WORDS):
        return ""
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"
