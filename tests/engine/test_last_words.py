"""An engine leaves once its last events are on the disk, or nobody is there to wait for them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from engine_clock import FakeClock
from full_disk import files_end_at
from tiny_runs import events_of, write_control

from timellm_engine.emit import Emitter
from timellm_engine.last_words import hand_over
from timellm_engine.training.control import Signals
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.lock import FileLock

BEGAN = 1000.0


class Bench:
    """An engine at its end, whose last word a full disk has refused."""

    def __init__(self, root: Path) -> None:
        self.layout, self.clock, self.signals = RunLayout(root), FakeClock(now=BEGAN), Signals()
        self.output = os.open(os.devnull, os.O_WRONLY)
        self.emitter = Emitter.open(self.layout.engine_events, self.clock, self.output)
        self.disk = ExitStack()
        self.disk.enter_context(files_end_at(80))  # room for a control, and for half an event
        self.emitter.event(ev.TrainingFinished(epoch=2, best_epoch=1))
        lock = FileLock.acquire(self.layout.supervisor_lock)
        assert lock is not None
        self.supervisor = lock

    def leave(self) -> float:
        """The seconds that it takes to leave."""
        hand_over(self.emitter, self.layout, self.signals, self.clock)
        return self.clock.now - BEGAN

    def close(self) -> None:
        self.disk.close()
        self.supervisor.release()
        self.emitter.close()
        os.close(self.output)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_the_last_words_are_told_once_there_is_room(bench: Bench) -> None:
    told_at = bench.clock.wall()
    bench.clock.at(BEGAN + 3600.0, bench.disk.close)
    assert bench.leave() == pytest.approx(3600.0, abs=2.0)
    (told,) = events_of(bench.layout)
    assert told == ev.TrainingFinished(epoch=2, best_epoch=1, t=BEGAN, at=told_at)


def test_one_whose_words_are_all_told_leaves_at_once(bench: Bench) -> None:
    bench.disk.close()
    assert bench.emitter.flush()
    assert bench.leave() == 0.0


def test_one_that_is_told_to_stop_leaves(bench: Bench) -> None:
    write_control(bench.layout, 1, "pause")
    for later, desired in ((100.0, "run"), (200.0, "stop_now")):
        bench.clock.at(BEGAN + later, lambda to=desired: write_control(bench.layout, 2, to))
    assert bench.leave() == pytest.approx(200.0, abs=2.0)


def test_one_that_is_told_to_stop_after_its_checkpoint_has_done_so(bench: Bench) -> None:
    write_control(bench.layout, 1, "stop_after_checkpoint")
    assert bench.leave() == 0.0


def test_one_that_is_sent_a_signal_leaves(bench: Bench) -> None:
    bench.clock.at(BEGAN + 100.0, lambda: bench.signals._remember(15, None))
    assert bench.leave() == pytest.approx(100.0, abs=2.0)


def test_one_whose_supervisor_is_gone_leaves(bench: Bench) -> None:
    bench.clock.at(BEGAN + 100.0, bench.supervisor.release)
    assert bench.leave() == pytest.approx(100.0, abs=2.0)
