"""A run whose disk takes nothing for a while, and tells nobody: a call just does not return."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PATIENCE_S, TINY, Shell, kill_supervisor, moves, until
from preloaded import compiled

from timellm_ops.app import Order, SupervisorFailed, start_supervisor
from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records
from timellm_ops.process.identity import is_alive
from timellm_ops.process.lock import FileLock

pytestmark = pytest.mark.slow

ORPHAN_AFTER_S = 2.0
LONG = f"{TINY}\n[supervisor]\norphan_after_s = {ORPHAN_AFTER_S}\n".replace(
    "epochs = 2", "epochs = 4000\npatience = 4000"
)
STALL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fsync(int fd) {
    char link[64], path[4096];
    const char *stalled = getenv("STALLED");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    while (stalled && strstr(path, "/runs/") && access(stalled, F_OK) == 0) usleep(20000);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""


@pytest.fixture
def stall(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """While this file is there, whoever syncs anything of a run waits."""
    stalled = tmp_path / "stalled"
    monkeypatch.setenv("LD_PRELOAD", str(compiled(tmp_path, "stall", STALL)))
    monkeypatch.setenv("STALLED", str(stalled))
    yield stalled
    stalled.unlink(missing_ok=True)


def alerts(shell: Shell) -> list[str]:
    events = (record.event for record in read_records(shell.run.journal))
    return [event.message for event in events if isinstance(event, ev.Alert)]


def test_a_paused_engine_waits_for_a_supervisor_that_its_disk_holds_up(
    shell: Shell, stall: Path
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(moves)
    assert shell("pause").code == 0
    stood = shell.until(lambda state: state.standing)
    engine = shell.engine()
    stall.touch()
    held_up = shell("policy", "set", "policy.disk.margin_mib=1")  # what is decided is synced
    assert held_up.code != 0
    assert "did not answer" in held_up.error
    beat = shell.run.heartbeat.read_bytes()
    time.sleep(2.0 * ORPHAN_AFTER_S)
    assert shell.run.heartbeat.read_bytes() == beat, "the supervisor was to be held up"
    assert is_alive(engine.process)

    stall.unlink()
    shell.until(lambda state: bool(state.policy_settings))
    assert shell("resume").code == 0
    moved = shell.until(lambda state: moves(state) and state.step > stood.step)
    assert moved.engine_pid == engine.process.pid
    assert [text for text in alerts(shell) if "the supervisor lives" in text]

    assert shell("pause").code == 0
    shell.until(lambda state: state.standing)
    kill_supervisor(shell)  # one that is gone is not waited for
    until(lambda: not is_alive(engine.process), "its end")


def test_a_supervisor_that_is_not_up_in_time_does_not_begin_behind_ones_back(
    shell: Shell, stall: Path
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(moves)
    assert shell("stop", "--wait").code == 0
    stall.touch()
    with pytest.raises(SupervisorFailed, match="not up after 3 s"):
        start_supervisor(Order(root=str(shell.run.root), mode="resume"), within_s=3.0)
    stall.unlink()
    give_up_t = time.monotonic() + PATIENCE_S
    while (lock := FileLock.acquire(shell.run.supervisor_lock)) is None:
        assert time.monotonic() < give_up_t, "it was to end"
        time.sleep(0.05)
    lock.release()
    starts = [r for r in read_records(shell.run.journal) if isinstance(r.event, ev.RunStarted)]
    assert len(starts) == 1


def test_who_gives_up_waiting_for_one_that_adopts_ends_neither_it_nor_the_run(
    shell: Shell, stall: Path
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    begun = shell.until(moves)
    kill_supervisor(shell)
    stall.touch()
    with pytest.raises(SupervisorFailed, match="not up after 3 s"):
        start_supervisor(Order(root=str(shell.run.root), mode="adopt"), within_s=3.0)
    stall.unlink()
    adopted = shell.until(lambda state: state.supervisor_pid != begun.supervisor_pid)
    later = shell.until(lambda state: moves(state) and state.step > adopted.step)
    assert (later.engine_pid, later.stop) == (begun.engine_pid, None)
    assert shell("stop", "--wait").code == 0


def test_ctrl_c_while_a_run_is_started_leaves_nothing_of_it(shell: Shell, stall: Path) -> None:
    shell.write("run.toml", LONG)
    client = shell.start("run", "run.toml", "--detach", output=shell.folder / "out")
    until(lambda: list(shell.folder.glob("runs/*/supervisor.log")), "a supervisor", every_s=0.005)
    stall.touch()  # the supervisor is still loading its modules
    time.sleep(1.0)
    client.send_signal(signal.SIGINT)
    assert client.wait(PATIENCE_S) == 130
    assert (shell.folder / "out").read_text() == "\n"
    stall.unlink()
    time.sleep(1.0)
    assert shell.store.runs() == []
