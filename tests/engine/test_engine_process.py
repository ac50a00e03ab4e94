"""The engine as a process: its exit codes, its last words, signals, and being killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from tiny_runs import events_of, only, tiny_run, write_control

from timellm_engine.checkpoints.checkpoint import Contents, FolderStorage
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.lock import FileLock

PATIENCE_S = 120.0
"""How long a test waits for something that must come. Never how long something takes."""
LONG = {"train__epochs": 500}
FULL = Path("/dev/full")


def until(look: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < end, "what was awaited did not come"
        time.sleep(0.01)


@contextmanager
def engine(layout: RunLayout, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The engine as a supervisor starts it; it is gone afterwards."""
    argv = [sys.executable, "-m", "timellm_engine", "--run-dir", str(layout.root), *options]
    with layout.engine_log.open("ab") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def finished(layout: RunLayout, *options: str) -> int:
    with engine(layout, *options) as child:
        return child.wait(PATIENCE_S)


def last_word(layout: RunLayout) -> ev.EngineFailed:
    event = events_of(layout)[-1]
    assert isinstance(event, ev.EngineFailed), event
    assert "\n" not in event.message
    assert layout.engine_log.read_text().splitlines()[-1] == event.message
    return event


def has(layout: RunLayout, kind: type[ev.BaseEvent], count: int = 1) -> Callable[[], bool]:
    return lambda: layout.engine_events.exists() and len(only(layout, kind)) >= count


@pytest.mark.slow
def test_a_run_from_beginning_to_end(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path)
    assert finished(layout) == 0
    assert isinstance(events_of(layout)[-1], ev.TrainingFinished)
    log = layout.engine_log.read_text()
    assert "Traceback" not in log
    assert "\titers: 2, epoch: 1 | loss: " in log
    assert finished(layout, "--resume") == 2
    assert "finished" in last_word(layout).message


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_and_the_run_can_go_on(tmp_path: Path, number: int) -> None:
    layout = tiny_run(tmp_path, **LONG)
    with engine(layout) as child:
        until(has(layout, ev.Progress, 2))
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGUSR1)  # ends nothing either: it shows where the engine is
        until(lambda: "(most recent call first)" in layout.engine_log.read_text())
        for _ in range(3):
            child.send_signal(number)
        assert child.wait(PATIENCE_S) == 0
    saved = only(layout, ev.CheckpointSaved)[-1]
    assert saved.kind == "last"
    with engine(layout, "--resume") as child:
        until(has(layout, ev.TrainingStarted, 2))
        child.terminate()
        assert child.wait(PATIENCE_S) == 0
    again = only(layout, ev.TrainingStarted)[1]
    assert (again.start_epoch, again.start_iteration) == (saved.epoch, saved.iteration)


@pytest.mark.slow
def test_pause_resume_and_stop_by_control(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, **LONG)
    write_control(layout, 1)
    with engine(layout) as child:
        until(has(layout, ev.Progress))
        write_control(layout, 2, "pause")
        until(has(layout, ev.Paused))
        stood_at = events_of(layout)
        time.sleep(1.0)
        assert events_of(layout) == stood_at
        write_control(layout, 3)
        until(has(layout, ev.Resumed))
        steps = len(only(layout, ev.Progress))
        until(has(layout, ev.Progress, steps + 1))
        write_control(layout, 4, "stop_now")
        assert child.wait(PATIENCE_S) == 0
    acknowledged = [each.sequence for each in only(layout, ev.ControlAcknowledged)]
    assert acknowledged == [1, 2, 3, 4]
    assert only(layout, ev.CheckpointSaved)[-1].kind == "last"


def test_a_config_that_is_wrong_is_one_line_and_code_2(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, model__patch_len=99)
    assert finished(layout) == 2
    assert last_word(layout).kind == "input"
    assert "model.patch_len: found 99" in last_word(layout).message
    assert not layout.checkpoints.exists()


@pytest.mark.slow
def test_bad_data_and_a_backbone_that_does_not_fit_are_code_2(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("date,OT\n" + "".join(f"d{row},1.5\n" for row in range(300)) + "d300,oops\n")
    bad_cell = tiny_run(tmp_path / "cell", data__dataset="custom", data__path=str(table))
    assert finished(bad_cell) == 2
    assert 'column "OT", row 301' in last_word(bad_cell).message
    too_deep = tiny_run(tmp_path / "deep", backbone__layers=9)
    assert finished(too_deep) == 2
    assert last_word(too_deep).message.startswith("backbone.layers: found 9")
    assert "Traceback" not in too_deep.engine_log.read_text()


@pytest.mark.slow
def test_a_backbone_that_cannot_be_had_is_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_TOKEN", "nobody/nothing")  # a secret that gets into a message
    layout = tiny_run(tmp_path / "run", backbone__source="nobody/nothing", backbone__layers=1)
    assert finished(layout) == 3
    assert last_word(layout).kind == "preflight"
    assert "***" in last_word(layout).message
    assert "nobody/nothing" not in layout.engine_log.read_text()


@pytest.mark.slow
def test_training_that_fails_is_code_4(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__learning_rate=1e30, train__schedule="cosine")
    assert finished(layout) == 4
    assert last_word(layout).kind == "training"
    assert "Traceback" not in layout.engine_log.read_text()


@pytest.mark.slow
def test_what_nobody_foresaw_is_code_4_with_a_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "run_session")  # as if a line of the traceback held one
    layout = tiny_run(tmp_path)
    of_no_engine = Contents(epoch=1, iteration=1, tensors={}, state=b'{"position": "unknown"}')
    FolderStorage(layout.checkpoints).save("last", of_no_engine)
    assert finished(layout, "--resume") == 4
    assert last_word(layout).kind == "training"
    log = layout.engine_log.read_text()
    assert "Traceback" in log
    assert "run_session" not in log


def test_a_folder_that_is_not_there_is_code_2(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "timellm_engine", "--run-dir", str(tmp_path / "none")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_training_does_not_end_of_a_disk_that_takes_no_word(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path)
    layout.engine_events.symlink_to(FULL)
    argv = [sys.executable, "-m", "timellm_engine", "--run-dir", str(layout.root)]
    full = os.open(FULL, os.O_WRONLY)
    done = subprocess.run(argv, stdout=full, stderr=full, timeout=PATIENCE_S, check=False)
    os.close(full)
    assert done.returncode == 0
    assert (layout.checkpoints / "best" / "manifest.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_one_whose_last_words_no_disk_has_stays_while_somebody_supervises_it(
    tmp_path: Path,
) -> None:
    layout = tiny_run(tmp_path)
    layout.engine_events.symlink_to(FULL)
    with FileLock.acquire(layout.supervisor_lock) or nullcontext(), engine(layout) as child:
        until(layout.bundle.exists)  # the last that it makes
        time.sleep(1.5)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_S) == 0
