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


SECURES = """
import sys
from pathlib import Path
from timellm_ops.adapters.securing import Securing
for name in sys.argv[1:]:
    secured = Securing(Path(name), beside=False)
    assert secured.done and not secured.problem
    say(name)
"""


def test_what_a_script_has_saved_is_on_the_disk_before_it_is_told_of(tmp_path: Path) -> None:
    """Before the script may be stopped, that is: nobody else would sync it."""
    file, folder = tmp_path / "checkpoint", tmp_path / "checkpoint-9"
    file.write_bytes(b"weights")
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "model.bin").write_bytes(b"weights")
    calls = [(verb, what) for verb, what, _ in calls_of(tmp_path, SECURES, file, folder)]
    told = calls.index(("said", str(file)))
    assert calls[:told] == [("sync", str(file)), ("sync", str(tmp_path))]
    wanted = {folder / "inside" / "model.bin", folder / "inside", folder, tmp_path}
    assert {what for _, what in calls[told + 1 : -1]} == set(map(str, wanted))
    assert calls[-1] == ("said", str(folder))
