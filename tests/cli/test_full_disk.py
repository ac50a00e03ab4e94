"""A run whose disk somebody fills to the last byte: it is still steered, and nobody gives it up."""

import time
from collections.abc import Iterator

import pytest
from conftest import TINY, Shell, moves, until
from small_disk import fill, small_disk

from timellm_ops.process.identity import is_alive

pytestmark = pytest.mark.slow

ORPHAN_AFTER_S = 2.0
EPOCHS = 8
LONG = (
    f"{TINY}\n[supervisor]\norphan_after_s = {ORPHAN_AFTER_S}\n\n[policy.disk]\nenabled = false\n"
).replace("epochs = 2", "epochs = 4000\npatience = 4000")


@pytest.fixture
def small(shell: Shell) -> Iterator[Shell]:
    """A shell whose runs lie on a disk with just the room that a run is begun with."""
    with small_disk(shell.folder / "runs", kib=280 << 10):
        yield shell


def test_a_pause_is_obeyed_and_kept_on_a_full_disk_until_there_is_room(small: Shell) -> None:
    small.write("run.toml", LONG)
    assert small("run", "run.toml", "--detach").code == 0
    small.until(lambda state: state.last is not None and moves(state))
    engine, filler = small.engine(), fill(small.folder / "runs")
    assert small("pause").code == 0

    time.sleep(3.0 * ORPHAN_AFTER_S)  # nobody may take the supervisor for gone meanwhile
    assert is_alive(engine.process)
    before_s = small.engine_cpu_s()
    time.sleep(1.5)
    assert small.engine_cpu_s() - before_s < 0.75

    filler.unlink()
    stood = small.until(lambda state: state.standing)
    assert stood.engine_pid == engine.process.pid
    assert small("resume").code == 0
    small.until(lambda state: moves(state) and state.step > stood.step)
    assert small("stop", "--wait").code == 0
    assert small.state().outcome == "stopped"


def stands_still(shell: Shell) -> bool:
    before_s = shell.engine_cpu_s()
    time.sleep(1.5)
    return shell.engine_cpu_s() - before_s < 0.3


def test_a_run_that_ends_on_a_full_disk_ends_once_there_is_room_and_tells_everything(
    small: Shell,
) -> None:
    small.write("run.toml", LONG.replace("epochs = 4000", f"epochs = {EPOCHS}"))
    assert small("run", "run.toml", "--detach").code == 0
    small.until(lambda state: state.last is not None and moves(state))
    begun, engine, filler = small.state(), small.engine(), fill(small.folder / "runs")
    until(lambda: stands_still(small), "an engine that only waits")
    assert is_alive(engine.process), "its last weights and words are with it alone"

    filler.unlink()
    ended = small.until(lambda state: state.ended)
    assert (ended.outcome, ended.restarts) == ("finished", 0)
    assert begun.epoch < EPOCHS
    assert [row.epoch for row in ended.rows] == list(range(1, EPOCHS + 1))
    assert ended.final_mse is not None
    assert ended.best is not None
    assert ended.best.epoch == min(ended.rows, key=lambda row: row.vali_mse or 0.0).epoch
    assert ended.last is not None
    assert (ended.last.step, ended.steps_at_risk) == (ended.total_steps, 0)


IMPATIENT = f"""{TINY.replace("_rows = 600", "_rows = 4_000").replace("epochs = 2", "epochs = 1")}
[policy.disk]
enabled = false

[policy.health]
stall_action = "stop"
stall_min_s = 1.0
stall_iterations = 5.0
stall_stop_after_s = 2.0
"""
"""An engine that says nothing for two seconds is ended as one that hangs."""


def test_an_engine_whose_words_a_full_disk_refuses_is_not_ended_as_one_that_hangs(
    small: Shell,
) -> None:
    """Neither in its steps, of which nobody hears, nor at its end, where it waits for room."""
    small.write("run.toml", IMPATIENT)
    assert small("run", "run.toml", "--detach").code == 0
    small.until(lambda state: len(state.recent_training) >= 5)
    engine, filler = small.engine(), fill(small.folder / "runs")
    until(lambda: stands_still(small), "an engine that only waits")
    time.sleep(2.0)
    assert is_alive(engine.process)
    filler.unlink()
    ended = small.until(lambda state: state.ended)
    assert (ended.outcome, ended.restarts) == ("finished", 0)
    assert not [notice for notice in ended.notices if "hang" in notice.message]
