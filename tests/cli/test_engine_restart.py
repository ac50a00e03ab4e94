"""Engines that are really killed, crash and run out of memory, and what comes of it."""

import resource
import shutil
import signal
import time

import psutil
import pytest
from conftest import PATIENCE_S, TINY, Shell

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.identity import send_signal

pytestmark = pytest.mark.slow

SOON = f"{TINY}\n[supervisor]\nrestarts = 2\nrestart_after_s = 0.2\n"
LONG = SOON.replace("epochs = 2", "epochs = 400").replace("[gpu]", "patience = 400\n\n[gpu]")
LARGE = (
    LONG.replace("seq_len = 48", "seq_len = 512")
    .replace("batch_size = 16", "batch_size = 512")
    .replace("synthetic_rows = 600", "synthetic_rows = 4000")
)
"""A step of it wants hundreds of MiB."""
SPARE_BYTES = 160 << 20


def begin(shell: Shell, text: str) -> None:
    shell.write("run.toml", text)
    done = shell("run", "run.toml", "--detach")
    assert done.code == 0, done


def kill_engine(shell: Shell) -> None:
    assert send_signal(shell.engine().process, signal.SIGKILL)


def restarts(shell: Shell) -> list[ev.EngineRestart]:
    records = read_records(shell.run.journal)
    return [r.event for r in records if isinstance(r.event, ev.EngineRestart)]


def until_it_trains(shell: Shell) -> None:
    """Look closely: the first step begins within milliseconds."""
    give_up_t = time.monotonic() + PATIENCE_S
    events = shell.run.engine_events
    while not (events.exists() and b"TrainingStarted" in events.read_bytes()):
        assert time.monotonic() < give_up_t
        time.sleep(0.001)


def moves(state: RunState) -> bool:
    return state.activity in ("training", "evaluating") and state.iteration > 0


def test_a_run_whose_engine_is_killed_finishes_by_itself_and_as_if_it_had_not_been(
    shell: Shell,
) -> None:
    begin(shell, SOON)
    shell.until(lambda state: state.last is not None)
    kill_engine(shell)
    done = shell.until(lambda state: state.ended)
    assert (done.outcome, done.restarts) == ("finished", 1), done.end_reason
    (again,) = restarts(shell)
    assert again.reason == "the engine was ended by SIGKILL"
    undisturbed = Shell(shell.folder / "other")
    undisturbed.folder.mkdir()
    undisturbed.write("run.toml", SOON)
    assert undisturbed("run", "run.toml", "--plain").code == 0
    assert done.final_mse == undisturbed.state().final_mse


def test_a_run_whose_last_checkpoint_is_gone_is_not_begun_again_behind_ones_back(
    shell: Shell,
) -> None:
    begin(shell, LONG.replace("restart_after_s = 0.2", "restart_after_s = 2"))
    shell.until(lambda state: state.last is not None)
    kill_engine(shell)
    for name in ("last", ".previous-last"):
        shutil.rmtree(shell.run.checkpoints / name, ignore_errors=True)
    refused = shell.until(lambda state: state.ended)
    assert (refused.outcome, refused.exit_code, refused.restarts) == ("refused", 2, 1)
    events = shell.run.engine_events
    for _ in range(2):
        assert f"{shell.run.checkpoints / 'last'}: found none, and " in shell.state().end_reason
        done = shell("run", "--resume", "latest", "--plain")
        assert done.code == 2, done
    assert events.read_bytes().count(b'"TrainingStarted"') == 1
    assert not (shell.run.checkpoints / "last").exists()


def test_an_engine_that_gets_no_further_is_not_started_for_ever(shell: Shell) -> None:
    begin(shell, LONG)
    for number in range(3):
        shell.until(lambda state, n=number: state.restarts == n and state.engine_pid is not None)  # type: ignore[misc]
        kill_engine(shell)
    failed = shell.until(lambda state: state.ended)
    assert (failed.outcome, failed.exit_code) == ("failed", 4)
    assert "started again 2 times without getting to a further checkpoint" in failed.end_reason


@pytest.mark.parametrize("by", ["a request", "a signal"])
def test_a_stop_while_no_engine_is_there_is_obeyed(shell: Shell, by: str) -> None:
    begin(shell, LONG.replace("restart_after_s = 0.2", "restart_after_s = 600"))
    shell.until(lambda state: state.last is not None)
    kill_engine(shell)
    shell.until(lambda state: state.phase == "restarting")
    if by == "a request":
        done = shell("stop", "--wait")
        assert (done.code, "no engine is there now" in done.out) == (0, True)
    else:
        assert send_signal(shell.supervisor().process, signal.SIGTERM)
    stopped = shell.until(lambda state: state.ended)
    assert (stopped.outcome, stopped.exit_code) == ("stopped", 0)
    assert "--resume" in stopped.end_reason


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="no way to limit memory here")
def test_a_batch_that_does_not_fit_into_memory_is_computed_in_finer_pieces(shell: Shell) -> None:
    begin(shell, LARGE)
    shell.until(lambda state: state.engine_pid is not None)
    engine = psutil.Process(shell.engine().process.pid)
    until_it_trains(shell)
    # It may have what it has before its first step, and little more.
    limit = engine.memory_info().vms + SPARE_BYTES
    engine.rlimit(resource.RLIMIT_AS, (limit, limit))
    shell.until(lambda state: state.restarts == 1)
    (again,) = restarts(shell)
    assert again.pieces == 2, again.reason
    assert "memory" in again.reason
    left = [
        r.event for r in read_records(shell.run.journal) if isinstance(r.event, ev.EngineExited)
    ]
    assert [exited.code for exited in left] == [6]
    shell.until(lambda state: state.restarts == 1 and moves(state))
    argv = psutil.Process(shell.engine().process.pid).cmdline()
    assert argv[argv.index("--pieces") + 1] == "2"
    assert shell("stop", "--wait").code == 0
    # A person who resumes it gets the finer pieces too.
    assert shell("run", "--resume", shell.run.run_id, "--detach").code == 0
    shell.until(lambda state: not state.ended and moves(state))
    argv = psutil.Process(shell.engine().process.pid).cmdline()
    assert argv[argv.index("--pieces") + 1] == "2"
    assert shell("stop", "--now", "--wait").code == 0
