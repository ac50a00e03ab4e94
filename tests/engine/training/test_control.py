"""The engine's side of its control: obeyed at boundaries, within a nap, and never by accident."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from engine_clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import events_of, only, write_control

from timellm_engine.emit import Emitter
from timellm_engine.training.control import NAP_S, Controls, Leave, Signals, StopNow
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import SupervisorSection
from timellm_ops.contract.control import Heartbeat
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.lock import FileLock

ORPHAN_AFTER_S = 60.0
HUNG_AFTER_S = 900.0


class Bench:
    """Controls over a run folder, with time in the test's hands."""

    def __init__(self, root: Path, **section: object) -> None:
        self.layout = RunLayout(root)
        self.clock = FakeClock()
        self.signals = Signals()
        self.output = os.open(os.devnull, os.O_WRONLY)
        self.emitter = Emitter.open(self.layout.engine_events, self.clock, self.output)
        waits = {"orphan_after_s": ORPHAN_AFTER_S, "hung_after_s": HUNG_AFTER_S}
        settings = msgspec.convert({**waits, **section}, SupervisorSection)
        self.controls = Controls(self.layout, settings, self.emitter, self.clock, self.signals)

    def control(self, sequence: int, desired: str = "run", duty: float = 1.0) -> None:
        write_control(self.layout, sequence, desired, duty)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        self.clock.at(self.clock.now + seconds, action)

    def beat(self, t: float | None = None) -> None:
        beat = Heartbeat(pid=1, t=self.clock.now if t is None else t)
        self.layout.heartbeat.write_bytes(msgspec.json.encode(beat))

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in events_of(self.layout)]

    def close(self) -> None:
        self.emitter.close()
        os.close(self.output)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_without_a_control_the_engine_runs(bench: Bench) -> None:
    bench.controls.boundary()
    bench.controls.saved()
    assert (bench.kinds(), bench.clock.slept) == ([], [])


def test_every_new_number_is_acknowledged_once(bench: Bench) -> None:
    bench.control(1)
    for _ in range(3):
        bench.controls.boundary()
    bench.control(2)
    bench.control(3, duty=0.5)
    bench.controls.boundary()
    acknowledged = only(bench.layout, ev.ControlAcknowledged)
    assert [(each.sequence, each.duty) for each in acknowledged] == [(1, 1.0), (3, 0.5)]
    assert [each.duty for each in only(bench.layout, ev.Paced)] == [0.5]


@pytest.mark.parametrize("content", [b"", b"{", b'{"sequence": 9, "desired": "fly"}', b"\xff\xfe"])
def test_a_control_that_cannot_be_read_changes_nothing(bench: Bench, content: bytes) -> None:
    bench.control(1, "stop_after_checkpoint")
    bench.controls.boundary()
    bench.layout.control.write_bytes(content)
    bench.controls.boundary()
    with pytest.raises(Leave):
        bench.controls.saved()
    bench.control(2)
    bench.controls.boundary()
    assert [each.sequence for each in only(bench.layout, ev.ControlAcknowledged)] == [1, 2]


def test_a_pause_holds_until_it_is_lifted(bench: Bench) -> None:
    bench.control(1, "pause")
    bench.later(30.0, bench.beat)
    bench.later(42.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds() == ["ControlAcknowledged", "Paused", "ControlAcknowledged", "Resumed"]
    (resumed,) = only(bench.layout, ev.Resumed)
    assert resumed.paused_seconds == pytest.approx(42.0, abs=2 * NAP_S)
    assert max(bench.clock.slept) <= NAP_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_a_pause_and_the_engine_still_counts_as_standing(
    bench: Bench, number: int
) -> None:
    bench.control(1, "pause")
    bench.later(5.0, lambda: bench.signals._remember(number, None))
    with pytest.raises(StopNow, match=signal.Signals(number).name):
        bench.controls.boundary()
    assert bench.kinds()[-1] == "Paused"
    assert bench.clock.now < 1005.0 + 2 * NAP_S


def test_stop_now_by_control(bench: Bench) -> None:
    bench.control(4, "stop_now")
    with pytest.raises(StopNow):
        bench.controls.boundary()
    assert bench.kinds() == ["ControlAcknowledged"]


def test_stop_after_checkpoint_goes_on_until_something_is_saved(bench: Bench) -> None:
    bench.control(1, "stop_after_checkpoint")
    bench.controls.boundary()
    bench.controls.boundary()
    with pytest.raises(Leave):
        bench.controls.saved()


def test_a_pause_can_become_a_stop_after_the_next_checkpoint(bench: Bench) -> None:
    bench.control(1, "pause")
    bench.later(3.0, lambda: bench.control(2, "stop_after_checkpoint"))
    bench.controls.boundary()
    assert bench.kinds()[-1] == "Resumed"
    with pytest.raises(Leave):
        bench.controls.saved()


@given(duty=st.floats(0.05, 1.0), worked_s=st.floats(0.001, 20.0))
def test_resting_makes_work_the_dutys_share_of_the_time(
    tmp_path_factory: pytest.TempPathFactory, duty: float, worked_s: float
) -> None:
    bench = Bench(tmp_path_factory.mktemp("duty"))
    bench.control(1, duty=duty)
    bench.controls.boundary()
    began = bench.clock.now
    bench.controls.rest(worked_s)
    rested_s = bench.clock.now - began
    assert worked_s / (worked_s + rested_s) == pytest.approx(duty, rel=1e-6)
    assert all(nap <= NAP_S for nap in bench.clock.slept)
    bench.close()


@pytest.mark.parametrize("desired", ["pause", "stop_now", "run"])
def test_a_rest_ends_when_something_else_is_asked_for(bench: Bench, desired: str) -> None:
    bench.control(1, duty=0.01)
    bench.controls.boundary()
    began = bench.clock.now
    bench.later(1.0, lambda: bench.control(2, desired))
    bench.controls.rest(10.0)
    assert bench.clock.now - began <= 1.0 + 2 * NAP_S


def test_a_rest_ends_with_a_signal(bench: Bench) -> None:
    bench.control(1, duty=0.01)
    bench.controls.boundary()
    began = bench.clock.now
    bench.later(1.0, lambda: bench.signals._remember(signal.SIGTERM, None))
    bench.controls.rest(10.0)
    assert bench.clock.now - began <= 1.0 + 2 * NAP_S


def test_a_paused_engine_whose_supervisor_is_gone_saves_and_leaves(bench: Bench) -> None:
    bench.control(1, "pause")
    bench.beat()
    with pytest.raises(StopNow, match="silent"):
        bench.controls.boundary()
    assert bench.clock.now == pytest.approx(1000.0 + ORPHAN_AFTER_S, abs=2 * NAP_S)
    assert bench.kinds()[-2:] == ["Paused", "Alert"]


def test_a_silent_supervisor_that_lives_is_waited_for_and_told_of_once(bench: Bench) -> None:
    """Its disk may take nothing for minutes, a heartbeat least of all. Its lock needs no disk."""
    bench.control(1, "pause")
    lock = FileLock.acquire(bench.layout.supervisor_lock)
    assert lock is not None
    bench.later(0.9 * HUNG_AFTER_S, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[1:] == ["Paused", "Alert", "ControlAcknowledged", "Resumed"]
    (told,) = only(bench.layout, ev.Alert)
    assert "lives" in told.message
    bench.control(3, "pause")
    bench.later(5.0 * ORPHAN_AFTER_S, lock.release)
    began = bench.clock.now
    with pytest.raises(StopNow, match="silent"):
        bench.controls.boundary()
    assert bench.clock.now == pytest.approx(began + 5.0 * ORPHAN_AFTER_S, abs=2 * NAP_S)


@pytest.mark.parametrize("orphan_after_s", [ORPHAN_AFTER_S, 2.0 * HUNG_AFTER_S])
def test_one_that_lives_and_says_nothing_for_good_is_not_waited_for_all_night(
    tmp_path: Path, orphan_after_s: float
) -> None:
    bench = Bench(tmp_path, orphan_after_s=orphan_after_s)
    bench.control(1, "pause")
    bench.beat()
    lock = FileLock.acquire(bench.layout.supervisor_lock)
    assert lock is not None
    with pytest.raises(StopNow, match="though it lives"):
        bench.controls.boundary()
    waited_s = max(HUNG_AFTER_S, orphan_after_s)
    assert bench.clock.now == pytest.approx(1000.0 + waited_s, abs=2 * NAP_S)
    assert only(bench.layout, ev.Alert)[-1].message.endswith("saving and leaving")
    lock.release()
    bench.close()


def test_one_that_hangs_is_done_without_where_so_configured_until_it_is_back(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, orphan_action="continue")
    bench.control(1, "pause")
    lock = FileLock.acquire(bench.layout.supervisor_lock)
    assert lock is not None
    bench.controls.boundary()
    assert bench.clock.now == pytest.approx(1000.0 + HUNG_AFTER_S, abs=2 * NAP_S)
    assert bench.kinds()[-1] == "Resumed"
    bench.controls.boundary()  # it trains on
    assert bench.kinds()[-1] == "Resumed"
    bench.beat()
    bench.later(1.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[-3:] == ["Paused", "ControlAcknowledged", "Resumed"]
    lock.release()
    bench.close()


def test_looking_for_a_supervisor_leaves_the_lock_to_whoever_comes(bench: Bench) -> None:
    lock = FileLock.acquire(bench.layout.supervisor_lock)
    assert lock is not None
    lock.release()
    bench.control(1, "pause")
    with pytest.raises(StopNow):
        bench.controls.boundary()
    assert FileLock.acquire(bench.layout.supervisor_lock) is not None


def test_without_a_heartbeat_the_silence_begins_with_the_pause(bench: Bench) -> None:
    bench.control(1, "pause")
    with pytest.raises(StopNow):
        bench.controls.boundary()
    assert bench.clock.now == pytest.approx(1000.0 + ORPHAN_AFTER_S, abs=2 * NAP_S)


def test_a_heartbeat_keeps_a_pause_alive(bench: Bench) -> None:
    bench.control(1, "pause")
    for seconds in range(50, 1000, 50):
        bench.later(float(seconds), bench.beat)
    bench.later(1000.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[-1] == "Resumed"


def test_a_heartbeat_from_another_boot_is_none(bench: Bench) -> None:
    bench.control(1, "pause")
    bench.beat(t=1e9)
    with pytest.raises(StopNow):
        bench.controls.boundary()


def test_a_heartbeat_that_is_torn_for_a_moment_is_not_silence(bench: Bench) -> None:
    bench.control(1, "pause")
    for seconds in range(50, 1000, 50):
        bench.later(float(seconds), bench.beat)
        bench.later(seconds + 1.0, lambda: bench.layout.heartbeat.write_bytes(b'{"pid":1,"t":'))
    bench.later(1000.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[-1] == "Resumed"


def test_a_machine_that_slept_with_its_clock_going_on_is_no_silence(bench: Bench) -> None:
    """It wakes before its supervisor has had a moment for a sign of life."""
    bench.control(1, "pause")
    bench.beat()

    def sleep_for_two_hours() -> None:
        bench.clock.now += 2 * 3600.0

    bench.later(10.0, sleep_for_two_hours)
    bench.later(10.0 + 2 * 3600.0 + 1.0, bench.beat)
    bench.later(10.0 + 2 * 3600.0 + 30.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[-1] == "Resumed"


def test_a_control_that_was_read_while_it_was_written_over_is_read_again(bench: Bench) -> None:
    bench.control(1)
    bench.controls.boundary()
    bench.control(2)  # the number of the next one, and what the one before asked for
    bench.controls.boundary()
    bench.control(2, "stop_now")
    with pytest.raises(StopNow):
        bench.controls.boundary()


def test_an_orphan_may_be_told_to_go_on_until_somebody_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, orphan_action="continue")
    bench.control(1, "pause")
    bench.controls.boundary()
    assert bench.kinds()[1:] == ["Paused", "Alert", "Resumed"]
    bench.controls.boundary()
    assert bench.kinds()[-1] == "Resumed"
    bench.beat()
    bench.later(1.0, lambda: bench.control(2))
    bench.controls.boundary()
    assert bench.kinds()[4:] == ["Paused", "ControlAcknowledged", "Resumed"]
    bench.close()
