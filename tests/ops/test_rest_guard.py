"""Whoever stands for a moment moves again when the one who stopped it is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from families import clear_away, family_argv, members_of, moves, stands, wait_for
from waiting import python, until

from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import EngineProcess, launch_argv
from timellm_ops.process.identity import ProcessIdentity, identify
from timellm_ops.process.rest_guard import RestGuard

STOPPER = """
import sys, time
from pathlib import Path
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import adopt
engine = adopt(RunLayout(Path(sys.argv[1])))
engine.rest()
if sys.argv[2] == "pause":
    engine.suspend()
print("stopped", flush=True)
if sys.argv[2] == "leave":
    sys.exit()
time.sleep(1000)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "family"
    where.mkdir()
    yield where
    clear_away(where)


@pytest.fixture
def engine(tmp_path: Path, folder: Path) -> Iterator[EngineProcess]:
    (tmp_path / "run").mkdir()
    made = launch_argv(RunLayout(tmp_path / "run"), family_argv(folder, 1))
    yield made
    made.kill()
    until(lambda: made.exit_status() is not None)


def stopped_by_another(
    tmp_path: Path, everyone: dict[str, ProcessIdentity], how: str
) -> subprocess.Popen[bytes]:
    with python(STOPPER, tmp_path / "run", how, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"stopped\n"
        if how != "leave":
            wait_for(stands, everyone)
    return other  # killed


@pytest.mark.parametrize("how", ["kill", "leave"])
def test_a_whole_tree_at_rest_moves_when_its_supervisor_is_gone(
    tmp_path: Path, folder: Path, engine: EngineProcess, how: str
) -> None:
    everyone = members_of(folder, 3)
    stopped_by_another(tmp_path, everyone, how)
    wait_for(moves, everyone)


def test_one_that_is_paused_stays_so(tmp_path: Path, folder: Path, engine: EngineProcess) -> None:
    everyone = members_of(folder, 3)
    stopped_by_another(tmp_path, everyone, "pause")
    wait_for(stands, everyone)
    engine.resume()
    wait_for(moves, everyone)


def test_rests_and_moves_in_turns(folder: Path, engine: EngineProcess) -> None:
    everyone = members_of(folder, 3)
    for _ in range(3):
        engine.rest()
        wait_for(stands, everyone)
        engine.resume()
        wait_for(moves, everyone)


def test_a_guard_that_was_killed_is_replaced() -> None:
    guard = RestGuard()
    with python("import time; time.sleep(1000)") as child:
        identity = identify(child.pid)
        assert identity is not None
        guard.tell([child.pid])
        shell = guard._shell
        assert shell is not None
        shell.kill()
        shell.wait()
        guard.tell([child.pid])
        guard.tell([child.pid])
        os.kill(child.pid, signal.SIGSTOP)
        wait_for(stands, {"child": identity})
        guard.close()
        wait_for(moves, {"child": identity})


def test_a_guard_that_is_told_to_stop_does_not() -> None:
    guard = RestGuard()
    guard.tell([os.getpid()])
    shell = guard._shell
    assert shell is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        until(lambda: b"sh" in Path(f"/proc/{shell.pid}/cmdline").read_bytes())
        until(lambda: _ignores(shell.pid, signal.SIGTERM))
        shell.send_signal(number)
    guard.tell(())
    assert shell.poll() is None
    guard.close()
    assert shell.returncode == 0


def _ignores(pid: int, number: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


DETACHED = """
import os, subprocess, sys
again = [sys.executable, "-c", sys.argv[3], sys.argv[2], "far", "0"]
subprocess.Popen([*again, sys.argv[3]], start_new_session=True)
while not os.path.exists(os.path.join(sys.argv[2], "far")):
    pass
"""
"""Starts a worker in a session of its own and ends: nobody saw them together."""


def test_a_worker_that_lost_its_parent_unseen_stands_moves_and_ends_with_the_engine(
    tmp_path: Path, folder: Path
) -> None:
    from families import FAMILY, gone

    (tmp_path / "run").mkdir()
    argv = [sys.executable, "-c", DETACHED, "x", str(folder), FAMILY]
    engine = launch_argv(RunLayout(tmp_path / "run"), argv)
    everyone = members_of(folder, 1)
    until(lambda: engine.exit_status() is not None)
    assert moves(everyone["far"])
    engine.suspend()
    wait_for(stands, everyone)
    engine.resume()
    wait_for(moves, everyone)
    engine.suspend()
    wait_for(stands, everyone)
    another = EngineProcess(engine.identity, RunLayout(tmp_path / "run"), foreign=False)
    another.resume()
    wait_for(moves, everyone)
    engine.kill()
    wait_for(gone, everyone)
