"""The recorded probe, the absent probe, and the small tables behind the NVML child."""

import pynvml
import pytest

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.events import Event, JournalRecord, Progress, Telemetry, TelemetryLost
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import Reading, Unreadable, open_probe
from timellm_ops.probe.fault import Scope, fault_of, opening_fault
from timellm_ops.probe.recorded import RecordedProbe
from timellm_ops.probe.throttle import THROTTLE_REASONS, throttle_reasons


def journal(*events: Event) -> list[JournalRecord]:
    return [JournalRecord(seq=n, event=event) for n, event in enumerate(events, start=1)]


def telemetry(t: float, temperature_c: float) -> Telemetry:
    return Telemetry(t=t, sample=GpuSample(source="nvml", temperature_c=temperature_c))


NIGHT = journal(
    telemetry(1000.0, 60.0),
    Progress(t=1000.5, iteration=1, epoch=1, loss=1.0),
    telemetry(1002.0, 61.0),
    TelemetryLost(t=1004.0, reason="the GPU is lost", permanent=True),
    telemetry(5.0, 62.0),  # the machine was started anew
    telemetry(7.0, 63.0),
)


def replayed(probe: RecordedProbe, until_s: int, start_t: float = 50.0) -> list[tuple[int, object]]:
    seen: list[tuple[int, object]] = []
    for second in range(until_s):
        while (reading := probe.poll(start_t + second)) is not None:
            seen.append((second, _short(reading)))
    return seen


def _short(reading: Reading) -> object:
    if isinstance(reading, GpuSample):
        assert reading.source == "recorded"
        return reading.temperature_c
    return (reading.reason, reading.permanent)


def test_replays_with_the_recorded_timing() -> None:
    assert replayed(RecordedProbe(NIGHT), 20) == [
        (0, 60.0),
        (2, 61.0),
        (4, ("the GPU is lost", False)),
        (4, 62.0),
        (6, 63.0),
        (6, ("the recording is over", True)),
    ]


def test_speed_shortens_the_waits() -> None:
    seen = replayed(RecordedProbe(NIGHT, speed=2.0), 20)
    assert [second for second, _ in seen] == [0, 1, 2, 2, 3, 3]


def test_a_closed_recording_is_silent() -> None:
    probe = RecordedProbe(NIGHT)
    probe.close()
    assert replayed(probe, 20) == []


def test_an_empty_recording_says_that_it_is_over() -> None:
    assert replayed(RecordedProbe([]), 3) == [(0, ("the recording is over", True))]


def test_no_probe_says_nothing() -> None:
    probe = open_probe(GpuSection(probe="none"), lambda: 0.0)
    assert probe.source == "none"
    assert [probe.poll(float(t)) for t in range(5)] == [None] * 5
    probe.close()


def test_throttle_names_are_those_of_the_bindings() -> None:
    for bit, name in THROTTLE_REASONS.items():
        constant = "nvmlClocksThrottleReason" + "".join(part.title() for part in name.split("_"))
        assert getattr(pynvml, constant) == bit
    assert throttle_reasons(0) == ()
    assert throttle_reasons(1) == ()
    assert throttle_reasons(0x48) == ("hw_slowdown", "hw_thermal_slowdown")
    assert throttle_reasons(0x1000) == ("unknown_0x1000",)


def test_every_bit_of_the_bindings_has_a_name() -> None:
    everything = pynvml.nvmlClocksThrottleReasonAll
    assert throttle_reasons(everything) == tuple(THROTTLE_REASONS.values())


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("UNINITIALIZED", Scope.DEVICE),
        ("NOT_SUPPORTED", Scope.METRIC),
        ("NO_PERMISSION", Scope.METRIC),
        ("DRIVER_NOT_LOADED", Scope.ABSENT),
        ("TIMEOUT", Scope.METRIC),
        ("LIBRARY_NOT_FOUND", Scope.ABSENT),
        ("FUNCTION_NOT_FOUND", Scope.METRIC),
        ("GPU_IS_LOST", Scope.DEVICE),
        ("RESET_REQUIRED", Scope.DEVICE),
        ("OPERATING_SYSTEM", Scope.METRIC),
        ("LIB_RM_VERSION_MISMATCH", Scope.DEVICE),
        ("GPU_NOT_FOUND", Scope.ABSENT),
        ("UNKNOWN", Scope.METRIC),
    ],
)
def test_what_an_error_takes_away(name: str, scope: Scope) -> None:
    fault = fault_of(getattr(pynvml, f"NVML_ERROR_{name}"))
    assert fault.scope is scope
    assert fault.message


def test_every_error_while_opening_takes_the_whole_gpu_away() -> None:
    codes = [getattr(pynvml, name) for name in dir(pynvml) if name.startswith("NVML_ERROR_")]
    assert len(codes) > 20
    assert Scope.METRIC not in {opening_fault(code, "index 7").scope for code in codes}
    absent = opening_fault(pynvml.NVML_ERROR_INVALID_ARGUMENT, "index 7")
    assert (absent.scope, "index 7" in absent.message) == (Scope.ABSENT, True)


def test_every_error_of_the_bindings_has_its_name_and_its_own_words() -> None:
    known = {
        getattr(pynvml, name): name.removeprefix("NVML_ERROR_")
        for name in dir(pynvml)
        if name.startswith("NVML_ERROR_")
    }
    assert {code: fault_of(code).name for code in known} == known
    assert len({fault_of(code).message for code in known}) == len(known)


def test_unreadable_is_neither_permanent_nor_asleep_unless_told() -> None:
    plain = Unreadable(reason="x")
    assert not plain.permanent
    assert not plain.asleep
