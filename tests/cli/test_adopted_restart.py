"""A run that was adopted and then loses both its engine and its last checkpoint."""

import shutil
import signal
import time
from pathlib import Path

import pytest
from conftest import PATIENCE_S, TINY, Shell

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.identity import is_alive, send_signal

pytestmark = pytest.mark.slow

LONG = f"{TINY}\n[supervisor]\nrestarts = 2\nrestart_after_s = 0.2\n".replace(
    "epochs = 2", "epochs = 400"
).replace("[gpu]", "patience = 400\n\n[gpu]")


def kill_supervisor(shell: Shell) -> None:
    record = shell.supervisor()
    assert send_signal(record.process, signal.SIGKILL)
    give_up_t = time.monotonic() + PATIENCE_S
    while is_alive(record.process):
        assert time.monotonic() < give_up_t
        time.sleep(0.02)


def take_last_away(shell: Shell) -> Path:
    """Move every `last` out of the run, its predecessor too, and kill the engine, which stands
    meanwhile so that it cannot save another one. Where the newest is now."""
    engine, checkpoints = shell.engine().process, shell.run.checkpoints
    give_up_t = time.monotonic() + PATIENCE_S
    while True:
        assert send_signal(engine, signal.SIGSTOP)
        if (checkpoints / "last" / "manifest.json").exists():
            break
        assert send_signal(engine, signal.SIGCONT)  # it was about to rename the next one
        assert time.monotonic() < give_up_t
        time.sleep(0.01)
    copy = shell.folder / "copy-of-last"
    shutil.move(checkpoints / "last", copy)
    shutil.rmtree(checkpoints / ".previous-last", ignore_errors=True)
    assert send_signal(engine, signal.SIGKILL)
    return copy


def starts(shell: Shell) -> list[ev.TrainingStarted]:
    records = read_records(shell.run.journal)
    return [r.event for r in records if isinstance(r.event, ev.TrainingStarted)]


def moves(state: RunState) -> bool:
    return not state.ended and state.activity in ("training", "evaluating") and state.iteration > 0


def test_an_adopted_run_whose_last_vanished_is_refused_and_goes_on_once_it_is_back(
    shell: Shell,
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None)
    kill_supervisor(shell)
    client = shell.start("attach", "--plain", output=shell.folder / "out")
    shell.until(lambda state: state.supervisor_pid == shell.supervisor().process.pid)
    copy = take_last_away(shell)

    refused = shell.until(lambda state: state.ended)
    assert (refused.outcome, refused.exit_code, refused.restarts) == ("refused", 2, 1)
    missing = f"{shell.run.checkpoints / 'last'}: found none, and the run has had one"
    assert refused.end_reason.startswith(missing)
    assert "put a copy of it back in its place" in refused.end_reason
    assert client.wait(PATIENCE_S) == 2
    again = shell("run", "--resume", "latest", "--plain")
    assert again.code == 2
    assert missing in again.out + again.err
    assert len(starts(shell)) == 1
    assert not (shell.run.checkpoints / "last").exists()

    shutil.move(copy, shell.run.checkpoints / "last")
    assert shell("run", "--resume", "latest", "--detach").code == 0
    shell.until(moves)
    _, second = starts(shell)
    assert (second.start_epoch, second.start_iteration) > (1, 0)
    assert shell("stop", "--wait").code == 0
    stopped = shell.state()
    assert (stopped.outcome, stopped.steps_at_risk) == ("stopped", 0)
