"""Records that must survive a power cut are on the disk before anything is done about them."""

from pathlib import Path

from sync_log import calls_of

RECORDS = """
import sys
from pathlib import Path
from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
say("open")
for event in (
    ev.Telemetry(sample=GpuSample(source="simulated")),
    ev.Command(who="me", what="pause"),
    ev.PolicyDecision(action="pause", rule="thermal", reason="hot"),
    ev.RunEnded(outcome="finished", exit_code=0, reason="done"),
):
    journal.append(event)
    say(type(event).__name__)
"""
REPLACES = """
import sys
from pathlib import Path
from timellm_ops.process.files import replace_file
replace_file(Path(sys.argv[1]), b"x")
say("durable")
replace_file(Path(sys.argv[1]), b"y", durable=False)
say("not")
"""


def test_what_was_decided_is_synced_and_what_was_measured_is_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    calls = [(verb, what) for verb, what, _ in calls_of(tmp_path, RECORDS, path)]
    synced = ("sync", str(path))
    assert calls == [
        ("sync", str(tmp_path)), ("said", "open"),
        ("said", "Telemetry"),
        synced, ("said", "Command"),
        synced, ("said", "PolicyDecision"),
        synced, ("said", "RunEnded"),
    ]  # fmt: skip


def test_a_file_is_synced_before_it_takes_its_name_and_the_name_after(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    calls = calls_of(tmp_path, REPLACES, path)
    (first, renamed, folder, durable, again, end) = calls
    assert first[0] == "sync"
    assert renamed == ("rename", first[1], str(path))
    assert folder == ("sync", str(tmp_path), "")
    assert durable == ("said", "durable", "")
    assert (again[0], again[2]) == ("rename", str(path))
    assert end == ("said", "not", "")
