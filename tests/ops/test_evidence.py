"""What the supervisor finds on disk once an engine has gone."""

import hashlib
import json
from pathlib import Path

import pytest

from timellm_ops.contract.events import CheckpointSaved
from timellm_ops.contract.layout import RunLayout
from timellm_ops.supervisor.evidence import look_for_evidence, untold_save


def saved(sha256: str | None) -> CheckpointSaved:
    return CheckpointSaved(kind="last", path="p", bytes=1, sha256=sha256)


def place(epoch: int, iteration: int, sha256: str | None = "another") -> CheckpointSaved:
    return CheckpointSaved(
        kind="last", path="p", bytes=1, sha256=sha256, epoch=epoch, iteration=iteration
    )


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


@pytest.mark.parametrize(
    "line", ["\titers: 18, epoch: 9 | l", "speed: 0.0149s/iter; left time: 55.7s"]
)
def test_a_line_of_progress_is_no_last_word(tmp_path: Path, line: str) -> None:
    layout = RunLayout(tmp_path)
    layout.engine_log.write_text(f"Updating learning rate to 0.1\n{line}")
    assert look_for_evidence(layout, None).last_line == ""


MANIFEST = {
    "format": 1, "kind": "last", "epoch": 2, "iteration": 9, "digests": {},
    "files": {"weights.safetensors": {"bytes": 1_000, "sha256": "ab"}},
}  # fmt: skip


def test_a_save_that_could_not_be_told_of_is_found(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    assert untold_save(layout, None) is None
    manifest = layout.checkpoints / "last" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    raw = json.dumps(MANIFEST).encode()
    manifest.write_bytes(raw)
    for told in (None, place(1, 400), place(2, 8), place(2, 9)):  # there, before an evaluation
        found = untold_save(layout, told)
        assert found is not None
        assert (found.kind, found.epoch, found.iteration) == ("last", 2, 9)
        assert found.bytes == 1_000 + len(raw)
        assert look_for_evidence(layout, found).last_on_disk


def test_a_save_that_was_told_of_or_lies_further_back_is_none(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    manifest = layout.checkpoints / "last" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    raw = json.dumps(MANIFEST).encode()
    manifest.write_bytes(raw)
    same = place(2, 9, hashlib.sha256(raw).hexdigest())
    for told in (same, place(3, 1), place(1, 1, None)):
        assert untold_save(layout, told) is None
    for garbage in (b"", b"{}", b"[" * 10_000, b'{"epoch": "x"}', raw[:-20]):
        manifest.write_bytes(garbage)
        assert untold_save(layout, None) is None
