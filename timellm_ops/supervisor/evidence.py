"""What is on disk once an engine has gone: read, never judged."""

import hashlib

from timellm_ops.contract.events import CheckpointSaved
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import SavedCheckpoint
from timellm_ops.supervisor.outcome import Evidence

_TAIL_BYTES = 1 << 14
_LONGEST_LINE = 300


def look_for_evidence(
    layout: RunLayout, last: CheckpointSaved | SavedCheckpoint | None
) -> Evidence:
    """The engine's last line, and whether the checkpoint it said to have saved last is there.

    A manifest is written last and holds the digests of all files, so its own digest stands for
    the whole checkpoint.
    """
    return Evidence(last_line=_last_line(layout), last_on_disk=_is_on_disk(layout, last))


def _is_on_disk(layout: RunLayout, last: CheckpointSaved | SavedCheckpoint | None) -> bool:
    if last is None:
        return False
    try:
        manifest = (layout.checkpoints / "last" / "manifest.json").read_bytes()
    except OSError:
        return False
    return last.sha256 is None or hashlib.sha256(manifest).hexdigest() == last.sha256


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
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"
