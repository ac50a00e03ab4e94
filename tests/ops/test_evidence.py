"""What the supervisor finds on disk once an engine has gone."""

import hashlib
from pathlib import Path

from timellm_ops.contract.events import CheckpointSaved
from timellm_ops.contract.layout import RunLayout
from timellm_ops.supervisor.evidence import look_for_evidence


def saved(sha256: str | None) -> CheckpointSaved:
    return CheckpointSaved(kind="last", path="p", bytes=1, sha256=sha256)


def test_only_the_checkpoint_that_was_said_to_be_saved_counts(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    manifest = layout.checkpoints / "last" / "manifest.json"
    digest = hashlib.sha256(b"{}").hexdigest()
    assert not look_for_evidence(layout, saved(digest)).last_on_disk
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(b"{}")
    assert look_for_evidence(layout, saved(digest)).last_on_disk
    assert look_for_evidence(layout, saved(None)).last_on_disk
    assert not look_for_evidence(layout, None).last_on_disk, "nobody said that one was saved"
    manifest.write_bytes(b"{ }")
    assert not look_for_evidence(layout, saved(digest)).last_on_disk, "it is another one"


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    assert look_for_evidence(layout, None).last_line == ""
    layout.engine_log.write_bytes(b"one\n 99%|##|\rRuntimeError: \x1b[31mout of memory\n\n  \n")
    assert look_for_evidence(layout, None).last_line == "RuntimeError: [31mout of memory"
    layout.engine_log.write_bytes(b"x" * 50_000)
    assert len(look_for_evidence(layout, None).last_line) <= 301
