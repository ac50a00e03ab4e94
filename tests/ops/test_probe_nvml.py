"""The NVML probe: the real bindings in a real child process, over a scripted driver library."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from nvml_driver import (
    FULL,
    PATIENCE_S,
    LeapingClock,
    Library,
    next_problem,
    next_reading,
    next_sample,
    readers,
    rewrite,
    sample_after_problems,
)
from waiting import until

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.telemetry import GpuSample, PowerLimits
from timellm_ops.probe import PowerAnswer, Unreadable, open_probe
from timellm_ops.probe.nvml import NvmlProbe
from timellm_ops.probe.reader_process import COMMAND


@pytest.fixture
def opened() -> Iterator[Callable[..., NvmlProbe]]:
    probes: list[NvmlProbe] = []

    def opening(*, required: bool = False, pci: Path | None = None, **gpu: float) -> NvmlProbe:
        section = GpuSection(**{"poll_s": 0.05, "deadline_s": 0.5, **gpu})  # type: ignore[arg-type]
        where = ("--pci-devices", str(pci)) if pci else ("--pci-devices", "/nonexistent")
        probe = NvmlProbe(section, required=required, command=(*COMMAND, *where), startup_s=20.0)
        probes.append(probe)
        return probe

    yield opening
    for probe in probes:
        probe.close()
    for child in psutil.Process().children(recursive=True):
        assert "nvml_child" not in " ".join(child.cmdline())


def test_reads_every_metric(driver: Library, opened: Callable[..., NvmlProbe]) -> None:
    driver(FULL + f"value process_1 {os.getpid()}\n")
    probe = opened()
    sample = next_sample(probe)
    assert sample.processes is not None
    (process,) = sample.processes
    assert process.pid == os.getpid()
    assert process.used_bytes == 2**30
    assert process.name
    assert sample == GpuSample(
        source="nvml",
        index=0,
        gpus=1,
        uuid="GPU-00000000-1111-2222-3333-444444444444",
        name="Scripted RTX",
        temperature_c=61.0,
        memory_used_bytes=4 * 2**30,
        memory_total_bytes=6 * 2**30,
        power_w=95.5,
        power_limit_w=115.0,
        utilization_pct=98.0,
        sm_clock_mhz=1425.0,
        throttle_reasons=("sw_power_cap", "sw_thermal_slowdown"),
        slowdown_c=97.0,
        shutdown_c=102.0,
        energy_mj=123456,
        ecc_errors=0,
        xids=(),
        processes=sample.processes,
    )
    assert [next_sample(probe).temperature_c for _ in range(3)] == [62.0, 63.0, 63.0]


def test_what_a_card_does_not_tell_is_unknown(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver("value temperature 50\n")
    sample = next_sample(opened())
    assert sample.temperature_c == 50.0
    unknown = (
        sample.power_w,
        sample.power_limit_w,
        sample.utilization_pct,
        sample.sm_clock_mhz,
        sample.throttle_reasons,
        sample.slowdown_c,
        sample.shutdown_c,
        sample.energy_mj,
        sample.memory_used_bytes,
    )
    assert unknown == (None,) * 9
    assert sample.processes == ()


def test_an_idle_card_is_not_held_back(driver: Library, opened: Callable[..., NvmlProbe]) -> None:
    driver("value temperature 40\nvalue throttle 1\n")
    assert next_sample(opened()).throttle_reasons == ()


def test_old_driver_without_the_newer_calls(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver(FULL, generation="old")
    sample = next_sample(opened())
    assert sample.temperature_c == 61.0
    assert sample.memory_used_bytes == 4_400_000_000
    assert sample.throttle_reasons == ("sw_power_cap", "sw_thermal_slowdown")
    assert sample.slowdown_c == 97.0


def test_limits_of_newer_cards_come_from_the_margin(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver("value temperature 60 61\nvalue margin 27 26\nvalue field_194 -2\nvalue field_193 -8\n")
    probe = opened()
    sample = next_sample(probe)
    assert (sample.slowdown_c, sample.shutdown_c) == (89.0, 95.0)
    assert next_sample(probe).slowdown_c == 89.0


def test_a_limit_of_zero_is_no_limit(driver: Library, opened: Callable[..., NvmlProbe]) -> None:
    driver("value temperature 60\nvalue slowdown 0\nvalue shutdown 0\n")
    sample = next_sample(opened())
    assert (sample.slowdown_c, sample.shutdown_c) == (None, None)


# --- the power limit -----------------------------------------------------------------------------

MOVABLE = FULL + "value power_lowest_mw 60000\nvalue power_highest_mw 130000\n"


def next_answer(probe: NvmlProbe, clock: Callable[[], float] = time.monotonic) -> PowerAnswer:
    while True:
        reading = next_reading(probe, clock)
        if isinstance(reading, PowerAnswer):
            return reading


def test_the_first_reading_alone_tells_how_far_the_power_limit_can_be_moved(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver(MOVABLE)
    probe = opened()
    assert next_sample(probe).power_limits == PowerLimits(
        limit_w=115.0, lowest_w=60.0, highest_w=130.0
    )
    assert next_sample(probe).power_limits is None


def test_a_power_limit_is_set_and_a_later_child_finds_it(
    driver: Library,
    opened: Callable[..., NvmlProbe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver(MOVABLE)
    monkeypatch.setenv("NVML_STUB_STATE", str(tmp_path / "limit"))
    probe = opened()
    next_sample(probe)
    probe.limit_power(97.5)
    assert next_answer(probe) == PowerAnswer(limit_w=97.5)
    assert next_sample(probe).temperature_c is not None, "and readings go on"
    found = next_sample(opened()).power_limits
    assert found is not None
    assert found.limit_w == 97.5


@pytest.mark.parametrize(
    ("code", "words"),
    [(4, "this user may not"), (3, "does not support"), (2, "does not know what it was")],
)
def test_a_driver_that_refuses_a_power_limit_says_why_and_is_still_read(
    driver: Library, opened: Callable[..., NvmlProbe], code: int, words: str
) -> None:
    driver(f"{MOVABLE}error nvmlDeviceSetPowerManagementLimit {code}\n")
    probe = opened()
    next_sample(probe)
    probe.limit_power(100.0)
    answer = next_answer(probe)
    assert answer.limit_w == 100.0
    assert words in answer.problem
    next_sample(probe)


def test_a_limit_asked_for_before_there_is_a_child_is_set_by_the_next(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver(MOVABLE)
    probe = opened()
    probe.limit_power(80.0)
    assert next_answer(probe) == PowerAnswer(limit_w=80.0)


def test_a_driver_that_hangs_on_a_limit_costs_the_child_and_not_the_probe(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver(MOVABLE)
    probe = opened()
    next_sample(probe)
    rewrite(script, f"{MOVABLE}hang nvmlDeviceSetPowerManagementLimit\n")
    probe.limit_power(80.0)
    assert next_problem(probe).reason == "NVML has not answered for 0.5 s"
    rewrite(script, MOVABLE)
    while not isinstance(next_reading(probe), GpuSample):
        pass


# --- what can go wrong ---------------------------------------------------------------------------


def test_no_driver_is_told_once(driver: Library, opened: Callable[..., NvmlProbe]) -> None:
    driver("error nvmlInitWithFlags 9\n")
    probe = opened()
    reading = next_problem(probe)
    assert reading.permanent
    assert "no NVIDIA GPU or driver here" in reading.reason
    assert "driver is not loaded" in reading.reason
    clock = LeapingClock()
    for _ in range(20):
        clock.leap()
        assert probe.poll(clock()) is None
        time.sleep(0.01)


def test_no_library_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., NvmlProbe]
) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    reading = next_problem(opened())
    if not reading.permanent:
        pytest.skip("a driver's library elsewhere on this machine answers instead")
    assert "libnvidia-ml.so.1 is not installed" in reading.reason


def test_a_gpu_that_is_not_among_those_of_the_machine_is_unknown_and_not_given_up(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver(f"{FULL}value gpus 2\n")
    probe = opened(index=3)
    reading = next_problem(probe)
    assert not reading.permanent
    assert reading.reason == "there is no GPU with index 3"
    assert [uuid[:12] for uuid in reading.others] == ["GPU-00000000", "GPU-00000001"]


def test_a_machine_whose_driver_has_no_gpu_is_one_without(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver(f"{FULL}value gpus 0\n")
    reading = next_problem(opened())
    assert (reading.permanent, reading.others) == (True, ())


def test_a_required_driver_is_asked_again(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver("error nvmlInitWithFlags 9\n")
    probe = opened(required=True)
    reading = next_problem(probe)
    assert not reading.permanent
    assert 'gpu.probe is "nvml"' in reading.reason
    rewrite(script, FULL)
    assert sample_after_problems(probe).temperature_c == 61.0


@pytest.mark.parametrize(
    ("code", "words"),
    [(15, "GPU is lost"), (18, "different versions"), (1, "not initialised"), (16, "reset")],
)
def test_a_fault_of_the_device_is_named_and_mended_by_a_fresh_child(
    driver: Library, opened: Callable[..., NvmlProbe], code: int, words: str
) -> None:
    script = driver(FULL)
    probe = opened()
    next_sample(probe)
    rewrite(script, f"error nvmlDeviceGetTemperatureV {code}\n")
    problem = next_problem(probe)
    assert words in problem.reason
    assert not problem.permanent
    assert problem.lost == (code in (15, 16)), "the GPU itself, and not only the way to it"
    rewrite(script, FULL)
    assert sample_after_problems(probe).temperature_c == 61.0


def test_a_driver_that_goes_away_in_the_run_is_not_permanent(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver(FULL)
    probe = opened()
    next_sample(probe)
    rewrite(script, "error nvmlDeviceGetTemperatureV 9\n")
    assert not next_problem(probe).permanent


def test_a_hung_call_costs_its_deadline_and_the_child(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver(FULL)
    probe = opened(deadline_s=0.3)
    next_sample(probe)
    (hung,) = readers()
    rewrite(script, "hang nvmlDeviceGetTemperatureV\n")
    problem = next_problem(probe)
    assert "has not answered for 0.3 s" in problem.reason
    rewrite(script, FULL)
    sample_after_problems(probe)
    assert not hung.is_running()


def test_a_crash_of_the_library_stays_in_the_child(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver(FULL)
    probe = opened()
    next_sample(probe)
    rewrite(script, "crash nvmlDeviceGetTemperatureV\n")
    assert "crashed (SIGSEGV)" in next_problem(probe).reason
    rewrite(script, FULL)
    assert sample_after_problems(probe).temperature_c == 61.0


def failures_of(probe: NvmlProbe, count: int, now_t: float) -> list[float]:
    """The seconds of so many failures in a row, on a clock that waits for each answer."""
    failures_t: list[float] = []
    while len(failures_t) < count:
        child_answers_by = time.monotonic() + PATIENCE_S
        reading = probe.poll(now_t)
        while reading is None and readers() and time.monotonic() < child_answers_by:
            time.sleep(0.01)
            reading = probe.poll(now_t)
        if reading is not None:
            failures_t.append(now_t)
        now_t += 0.5
    return failures_t


def test_attempts_are_spaced_further_and_further_apart(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver("error nvmlInitWithFlags 999\n")
    failures_t = failures_of(opened(required=True), 4, now_t=100.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(failures_t)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 2 * gaps[0]


def test_a_reading_ends_the_row_of_failures(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    script = driver("error nvmlInitWithFlags 999\n")
    probe = opened(required=True)
    last_t = failures_of(probe, 4, now_t=100.0)[-1]
    rewrite(script, FULL)
    assert isinstance(next_reading(probe, lambda: last_t + 100.0), GpuSample)
    rewrite(script, "error nvmlDeviceGetTemperatureV 15\n")
    first_t, second_t = failures_of(probe, 2, now_t=last_t + 200.0)
    assert second_t - first_t < 2.0, "the next attempt does not wait as if nothing had been read"


def test_polling_never_waits_for_a_hung_driver(
    driver: Library, opened: Callable[..., NvmlProbe]
) -> None:
    driver("hang nvmlInitWithFlags\n")
    probe = opened()
    now_t = time.monotonic()
    # The probe's clock stands still, so nothing but an answer could end a waiting call.
    assert [probe.poll(now_t) for _ in range(200)] == [None] * 200


def test_a_sleeping_gpu_is_not_woken(
    driver: Library, opened: Callable[..., NvmlProbe], tmp_path: Path
) -> None:
    driver("crash nvmlInitWithFlags\n")
    devices = tmp_path / "pci"
    status = _pci_device(devices, "0000:01:00.0", "0x10de", "0x030000", "suspended")
    _pci_device(devices, "0000:00:02.0", "0x8086", "0x030000", "active")
    _pci_device(devices, "0000:01:00.1", "0x10de", "0x040300", "active")
    probe = opened(pci=devices)
    for _ in range(2):
        reading = next_reading(probe)
        assert reading == Unreadable(reason="the GPU sleeps; not woken", asleep=True)
    driver(FULL)
    status.write_text("active\n")
    assert next_sample(probe).temperature_c == 61.0


def test_the_child_dies_with_its_parent_even_in_a_hung_call(driver: Library) -> None:
    driver("hang nvmlInitWithFlags\n")
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "child.stdin.write(b'\\n'); child.stdin.flush()\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, *COMMAND]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _gone(child)


def test_close_leaves_no_process_behind(driver: Library, opened: Callable[..., NvmlProbe]) -> None:
    driver("hang nvmlInitWithFlags\n")
    probe = opened()
    probe.poll(time.monotonic())
    (child,) = until(readers, "a child that is another program by now")
    probe.close()
    assert not child.is_running()
    assert probe.poll(time.monotonic()) is None


def test_open_probe_reads_the_driver(driver: Library) -> None:
    driver(FULL)
    probe = open_probe(GpuSection(probe="nvml"), lambda: 0.0)
    assert probe.source == "nvml"
    try:
        assert next_sample(probe).name == "Scripted RTX"  # type: ignore[arg-type]
    finally:
        probe.close()


def test_a_reader_that_cannot_start_is_a_problem_not_a_crash() -> None:
    probe = NvmlProbe(GpuSection(), command=("/nonexistent/python",))
    reading = probe.poll(0.0)
    assert isinstance(reading, Unreadable)
    assert "could not be started" in reading.reason
    assert probe.poll(0.5) is None
    assert isinstance(probe.poll(1.5), Unreadable)


def _gone(process: psutil.Process) -> bool:
    try:
        process.wait(PATIENCE_S)
    except psutil.TimeoutExpired:
        return False
    return True


def _pci_device(devices: Path, address: str, vendor: str, kind: str, status: str) -> Path:
    device = devices / address
    (device / "power").mkdir(parents=True)
    (device / "vendor").write_text(vendor + "\n")
    (device / "class").write_text(kind + "\n")
    path = device / "power" / "runtime_status"
    path.write_text(status + "\n")
    return path
