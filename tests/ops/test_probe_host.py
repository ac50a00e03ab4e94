"""The probe of the machine: what is read, how often, and that nobody waits for it."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from small_disk import small_disk
from waiting import until

from timellm_ops.contract.config import HostSection
from timellm_ops.contract.telemetry import HostSample
from timellm_ops.probe.host import BackgroundHostProbe, HostReader
from timellm_ops.probe.power_supply import Battery


@dataclass
class FakeBattery:
    left: Battery = field(default_factory=Battery)

    def read(self) -> Battery:
        return self.left


def next_sample(probe: BackgroundHostProbe, now_t: float) -> HostSample:
    return until(lambda: probe.poll(now_t), "a reading of the machine")


def test_the_machine_is_read(tmp_path: Path) -> None:
    reader = HostReader(tmp_path, FakeBattery(Battery(pct=71.26, on_battery=True)))
    first, second = reader(), reader()
    assert first.cpu_pct is None  # of no time at all there is nothing to say
    assert second.cpu_pct is not None
    assert 0.0 <= second.cpu_pct <= 100.0
    assert second.memory_available_bytes is not None
    assert second.memory_total_bytes is not None
    assert 0 < second.memory_available_bytes < second.memory_total_bytes
    assert second.disk_free_bytes is not None
    assert second.disk_total_bytes is not None
    assert 0 < second.disk_free_bytes <= second.disk_total_bytes
    assert second.load_1min is not None
    assert (second.battery_pct, second.on_battery) == (71.3, True)


def test_a_folder_that_is_gone_costs_the_disk_alone(tmp_path: Path) -> None:
    sample = HostReader(tmp_path / "gone", FakeBattery())()
    assert (sample.disk_free_bytes, sample.disk_total_bytes) == (None, None)
    assert sample.memory_available_bytes is not None
    assert (sample.battery_pct, sample.on_battery) == (None, None)


def test_of_the_disk_the_runs_folder_is_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024) as folder:
        reader = HostReader(folder, FakeBattery())
        assert (reader().disk_free_bytes, reader().disk_total_bytes) == (1024 * 1024, 1024 * 1024)
        (folder / "file").write_bytes(b"x" * 200 * 1024)
        assert reader().disk_free_bytes == 824 * 1024


def test_a_reading_comes_every_so_often_and_once() -> None:
    made: list[HostSample] = []

    def read() -> HostSample:
        made.append(HostSample(disk_free_bytes=len(made)))
        return made[-1]

    probe = BackgroundHostProbe(HostSection(poll_s=10.0), read)
    try:
        assert next_sample(probe, 100.0) == HostSample(disk_free_bytes=0)
        assert [probe.poll(100.0 + t) for t in range(10)] == [None] * 10
        assert next_sample(probe, 110.0) == HostSample(disk_free_bytes=1)
        assert len(made) == 2
    finally:
        probe.close()


def test_a_read_that_hangs_is_not_waited_for_and_told_once_as_unknown() -> None:
    go_on = threading.Event()

    def read() -> HostSample:
        go_on.wait(30.0)
        return HostSample(disk_free_bytes=7)

    probe = BackgroundHostProbe(HostSection(poll_s=10.0), read)
    try:
        assert [probe.poll(100.0 + t) for t in range(31)] == [None] * 31
        assert probe.poll(130.5) == HostSample()
        assert [probe.poll(131.0 + t) for t in range(200)] == [None] * 200
        go_on.set()
        assert next_sample(probe, 400.0) == HostSample(disk_free_bytes=7)
        assert next_sample(probe, 401.0) == HostSample(disk_free_bytes=7)
    finally:
        go_on.set()
        probe.close()


def test_a_machine_that_is_not_to_be_read_is_not() -> None:
    probe = BackgroundHostProbe(HostSection(enabled=False), lambda: pytest.fail("it was read"))
    assert [probe.poll(float(t)) for t in range(0, 100, 10)] == [None] * 10
    probe.close()


def test_closing_ends_the_thread() -> None:
    before = set(threading.enumerate())
    probe = BackgroundHostProbe(HostSection(), HostSample)
    next_sample(probe, 0.0)
    (thread,) = set(threading.enumerate()) - before
    probe.close()
    thread.join(30.0)
    assert not thread.is_alive()


def test_every_field_of_a_sample_may_be_unknown() -> None:
    assert set(msgspec.structs.astuple(HostSample())) == {None}
