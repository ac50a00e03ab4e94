"""What cards, drivers and machines lack, and which GPU is read: real bindings in a real child."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nvml_driver import (
    FULL,
    LeapingClock,
    Library,
    next_problem,
    next_reading,
    next_sample,
    rewrite,
    sample_after_problems,
)

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import Unreadable
from timellm_ops.probe.nvml import NvmlProbe
from timellm_ops.probe.reader_process import COMMAND

Opened = Callable[..., NvmlProbe]

TWO = FULL + "value gpus 2\nvalue temperature@1 71\ntext name@1 Second RTX\n"


@pytest.fixture
def opened() -> Iterator[Opened]:
    probes: list[NvmlProbe] = []

    def opening(*options: str, deadline_s: float = 5.0, **which: Any) -> NvmlProbe:
        gpu = GpuSection(poll_s=0.05, deadline_s=deadline_s, **which)
        nowhere = ("--pci-devices", "/nonexistent", "--os-release", "/nonexistent")
        probe = NvmlProbe(gpu, command=(*COMMAND, *nowhere, *options), startup_s=20.0)
        probes.append(probe)
        return probe

    yield opening
    for probe in probes:
        probe.close()


# --- which GPU -----------------------------------------------------------------------------------


def identity(sample: GpuSample) -> tuple[object, ...]:
    return sample.index, sample.gpus, sample.name, sample.temperature_c


def test_the_gpu_of_an_index(driver: Library, opened: Opened) -> None:
    driver(TWO)
    assert identity(next_sample(opened(index=1))) == (1, 2, "Second RTX", 71.0)
    assert identity(next_sample(opened(index=0))) == (0, 2, "Scripted RTX", 61.0)


@pytest.mark.parametrize("uuid", ["GPU-00000001-1111-2222-3333-444444444444", "GPU-00000001"])
def test_the_gpu_of_a_uuid_or_of_its_beginning(driver: Library, opened: Opened, uuid: str) -> None:
    driver(TWO)
    sample = next_sample(opened(uuid=uuid))
    assert identity(sample) == (1, 2, "Second RTX", 71.0)
    assert sample.uuid == "GPU-00000001-1111-2222-3333-444444444444"


@pytest.mark.parametrize("uuid", ["GPU-0000", "GPU-7777", "MIG-7777"])
def test_a_uuid_of_no_gpu_or_of_several(driver: Library, opened: Opened, uuid: str) -> None:
    driver(TWO)
    problem = next_problem(opened(uuid=uuid))
    assert not problem.permanent
    assert len(problem.others) == 2
    assert f"no GPU with UUID {uuid}" in problem.reason


def test_of_a_mig_slice_memory_is_its_own_and_heat_is_the_cards(
    driver: Library, opened: Opened
) -> None:
    slice_alone = "value mig_memory_total 1000\nvalue mig_memory_used 600\nvalue mig_process_1 77\n"
    driver(TWO + slice_alone + "text mig_name Slice\n")
    sample = next_sample(opened(uuid="MIG-00000001-1111-2222-3333-444444444444"))
    assert (sample.memory_used_bytes, sample.memory_total_bytes) == (600, 1000)
    assert (sample.name, sample.temperature_c, sample.power_w) == ("Slice", 71.0, 95.5)
    assert sample.processes is not None
    assert [p.pid for p in sample.processes] == [77]


# --- what is missing -----------------------------------------------------------------------------


def test_processes_of_an_old_driver(driver: Library, opened: Opened) -> None:
    driver(FULL + "value process_1 41\nvalue process_2 42\nvalue drawing_1 43\n", "old")
    processes = next_sample(opened()).processes
    assert processes is not None
    assert {p.pid for p in processes} == {41, 42, 43}


@pytest.mark.parametrize(("release", "processes"), [("microsoft-standard-WSL2", None), ("6.8", ())])
def test_wsl_does_not_tell_who_computes(
    driver: Library, opened: Opened, tmp_path: Path, release: str, processes: tuple[()] | None
) -> None:
    driver(FULL)
    (tmp_path / "osrelease").write_text(f"5.15.90.1-{release}\n")
    probe = opened("--os-release", str(tmp_path / "osrelease"))
    assert next_sample(probe).processes == processes


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5])
def test_a_field_may_be_a_number_of_any_kind(driver: Library, opened: Opened, kind: int) -> None:
    types = f"value type_194 {kind}\nvalue type_193 {kind}\n"
    driver(f"value temperature 60\nvalue margin 30\nvalue field_194 2\nvalue field_193 1\n{types}")
    sample = next_sample(opened())
    assert (sample.slowdown_c, sample.shutdown_c) == (88.0, 89.0)


def test_a_gpu_that_is_lost_between_two_fields(driver: Library, opened: Opened) -> None:
    driver("value temperature 60\nvalue margin 30\nvalue field_error_194 15\n")
    assert "GPU is lost" in next_problem(opened()).reason


def test_a_name_that_is_no_text_costs_the_name_alone(driver: Library, opened: Opened) -> None:
    script = driver("")
    script.write_bytes(FULL.encode() + b"text name RTX \xff\n")
    sample = next_sample(opened())
    assert (sample.name, sample.temperature_c) == (None, 61.0)


# --- what hangs and crashes ----------------------------------------------------------------------


def test_a_query_that_crashes_the_reader_twice_is_left_out(driver: Library, opened: Opened) -> None:
    query = "nvmlDeviceGetCurrentClocksEventReasons"
    driver(f"{FULL}crash {query}\n")
    probe, clock = opened(), LeapingClock()
    reason = next_problem(probe, clock).reason
    assert reason == f"the NVML reader crashed (SIGSEGV), in {query}"
    clock.leap()
    assert next_problem(probe, clock).reason == f"{reason}; it is left out from here on"
    sample = sample_after_problems(probe, clock)
    assert (sample.temperature_c, sample.power_w) == (61.0, 95.5)
    assert sample.throttle_reasons == ("sw_power_cap", "sw_thermal_slowdown")  # an older call


def test_so_is_one_that_hangs_twice_in_a_run(driver: Library, opened: Opened) -> None:
    query = "nvmlDeviceGetTotalEnergyConsumption"
    script = driver(FULL)
    probe, clock = opened(deadline_s=1.0), LeapingClock()
    for end in (f"in {query}", f"in {query}; it is left out from here on"):
        sample_after_problems(probe, clock)
        rewrite(script, f"{FULL}hang {query}\n")
        assert next_problem(probe, clock).reason.endswith(end)
        rewrite(script, FULL)
    rewrite(script, f"{FULL}hang {query}\n")
    sample = sample_after_problems(probe, clock)
    assert (sample.temperature_c, sample.power_w, sample.energy_mj) == (61.0, 95.5, None)


def test_the_last_way_to_the_temperature_is_asked_again_and_again(
    driver: Library, opened: Opened
) -> None:
    both = "crash nvmlDeviceGetTemperatureV\ncrash nvmlDeviceGetTemperature\n"
    script = driver(FULL + both)
    probe, clock = opened(), LeapingClock()
    reasons = []
    for _ in range(5):
        reasons.append(next_problem(probe, clock).reason)
        clock.leap()
    assert [r.endswith("left out from here on") for r in reasons] == [False, True] + [False] * 3
    rewrite(script, FULL)
    assert sample_after_problems(probe, clock).temperature_c == 61.0


# --- what changes under the run ------------------------------------------------------------------


def test_a_curve_is_followed_with_its_gaps(driver: Library, opened: Opened) -> None:
    curve = [48, 55, 63, 70, 76, 81, 84, 86, 87, 86, 79, 72]
    script = driver(f"value temperature {' '.join(map(str, curve))}\n")
    probe = opened()
    assert [next_sample(probe).temperature_c for _ in curve] == curve
    both = "error nvmlDeviceGetTemperatureV 3\nerror nvmlDeviceGetTemperature 10\n"
    rewrite(script, FULL + both)
    while next_sample(probe).temperature_c is not None:
        pass
    rewrite(script, "value temperature 66\nvalue power_mw 20000\n")
    while (sample := next_sample(probe)).temperature_c is None:
        pass
    assert (sample.temperature_c, sample.power_w, sample.utilization_pct) == (66.0, 20.0, None)


def test_errors_that_the_driver_logs_are_told_once_each(driver: Library, opened: Opened) -> None:
    driver(FULL + "value xid 0 31 79 0 0\n")
    probe = opened()
    assert [next_sample(probe).xids for _ in range(4)] == [(), (31, 79), (), ()]


def test_a_driver_that_logs_without_end_is_not_listened_to_without_end(
    driver: Library, opened: Opened
) -> None:
    driver(FULL + "value xid 63\n")
    sample = next_sample(opened())
    assert sample.xids is not None
    assert set(sample.xids) == {63}


@pytest.mark.parametrize("call", ["nvmlDeviceRegisterEvents", "nvmlEventSetCreate"])
def test_a_driver_that_tells_of_no_errors(driver: Library, opened: Opened, call: str) -> None:
    driver(f"{FULL}error {call} 3\n")
    sample = next_sample(opened())
    assert (sample.xids, sample.temperature_c) == (None, 61.0)


def test_a_gpu_that_falls_asleep_is_left_alone(
    driver: Library, opened: Opened, tmp_path: Path
) -> None:
    script = driver(FULL)
    device = tmp_path / "pci" / "0000:01:00.0"
    (device / "power").mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030000\n")
    status = device / "power" / "runtime_status"
    status.write_text("active\n")
    probe = opened("--pci-devices", str(tmp_path / "pci"))
    next_sample(probe)
    status.write_text("suspended\n")
    while isinstance(reading := next_reading(probe), GpuSample):
        pass
    assert reading == Unreadable(reason="the GPU sleeps; not woken", asleep=True)
    rewrite(script, FULL + "crash nvmlDeviceGetTemperatureV\n")
    assert next_reading(probe) == reading
