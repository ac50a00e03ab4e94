"""What is said of a run that has not ended to whoever closes the window on it."""

import os
from pathlib import Path

from timellm_ops.cli.watching import left
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.process.identity import identify
from timellm_ops.process.records import SupervisorRecord, write_record


def test_a_run_that_nobody_supervises_is_not_said_to_go_on(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "r1")
    told = left(layout, RunState(run_id="r1"))
    assert told.startswith("nobody supervises r1")
    assert "timellm-ops attach r1" in told
    assert "goes on" not in told


def test_a_run_that_is_supervised_goes_on(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "r1")
    layout.root.mkdir()
    process = identify(os.getpid())
    assert process is not None
    write_record(layout.supervisor_process, SupervisorRecord(process=process, socket=""))
    told = left(layout, RunState(run_id="r1"))
    assert told == "r1 goes on without this window; watch it again: timellm-ops attach r1"


def test_no_engine_of_an_imported_training_goes_on(tmp_path: Path) -> None:
    told = left(RunLayout(tmp_path / "r1"), RunState(run_id="r1", engine="imported"))
    assert "goes on" not in told
