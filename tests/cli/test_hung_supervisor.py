"""A supervisor that is there and does nothing: stopped by somebody, or waiting for a share."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import TINY, Shell, kill_supervisor, moves, until

from timellm_ops.process.identity import is_alive

pytestmark = pytest.mark.slow

HUNG_AFTER_S = 3.0
LONG = f"""{TINY}
[supervisor]
orphan_after_s = 1.0
hung_after_s = {HUNG_AFTER_S}
restart_after_s = 0.5
""".replace("epochs = 2", "epochs = 4000\npatience = 4000")


@contextmanager
def stopped(shell: Shell) -> Iterator[None]:
    """With the run's supervisor standing still, its lock in its hands."""
    pid = shell.supervisor().process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def paused(shell: Shell) -> Shell:
    """A run that was paused a few steps after its last checkpoint."""
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None and moves(state) and state.steps_at_risk > 0)
    assert shell("pause").code == 0
    shell.until(lambda state: state.standing)
    return shell


def test_a_paused_engine_leaves_a_supervisor_that_hangs_and_is_started_again_by_it(
    paused: Shell,
) -> None:
    stood, engine = paused.state(), paused.engine()
    with stopped(paused):
        until(lambda: not is_alive(engine.process), "its leave")
    again = paused.until(lambda state: state.restarts == 1 and state.standing)
    assert again.engine_pid != engine.process.pid
    assert again.last is not None
    assert again.last.step is not None
    assert again.last.step >= stood.step, "it had saved where it stood"
    assert again.steps_at_risk == 0
    assert "had hung" in again.restart_reason
    assert paused("resume").code == 0
    paused.until(lambda state: moves(state) and state.step > stood.step)
    assert paused("stop", "--wait").code == 0
    assert paused.state().outcome == "stopped"


def test_one_that_hangs_for_good_can_be_replaced(paused: Shell) -> None:
    stood, engine = paused.state(), paused.engine()
    with stopped(paused):
        until(lambda: not is_alive(engine.process), "its leave")
        unheard = paused("resume")
        assert unheard.code != 0
        assert f"kill -KILL {paused.supervisor().process.pid}" in unheard.error
        assert f"timellm-ops attach {paused.run.run_id}" in unheard.error
        kill_supervisor(paused)
    assert paused("attach", "--plain").code == 0
    ended = paused.state()
    assert (ended.outcome, ended.restarts) == ("stopped", 0)
    assert ended.last is not None
    assert ended.last.step is not None
    assert ended.last.step >= stood.step
    assert f"timellm-ops run --resume {paused.run.run_id}" in ended.end_reason
