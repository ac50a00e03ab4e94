"""A card's answers in a file: recorded through the real bindings, and replayed without them."""

from pathlib import Path

import msgspec
import pynvml
import pytest
from nvml_driver import FULL, Library, next_sample, readers

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import queries
from timellm_ops.probe.gpu_reader import DeviceUnusableError
from timellm_ops.probe.gpu_recording import (
    GpuRecording,
    QueryRecord,
    encode_recording,
    read_recording,
    sample_of,
    without_ids,
)
from timellm_ops.probe.nvml import NvmlProbe
from timellm_ops.probe.recorder import record_gpu

STEADY = FULL.replace("61 62 63", "61") + "value process_1 1\nvalue drawing_1 2\n"
ADA = """
value temperature 58
value margin 29
value field_194 -2
value field_193 -7
value power_mw 80100
value throttle 0x600
"""
BARE = "value temperature 50\n"


def live(index: int = 0) -> GpuSample:
    probe = NvmlProbe(GpuSection(index=index))
    try:
        return next_sample(probe)
    finally:
        probe.close()


def as_recorded(sample: GpuSample) -> GpuSample:
    """The names of processes are never recorded."""
    processes = sample.processes and tuple(
        msgspec.structs.replace(process, name=None) for process in sample.processes
    )
    return msgspec.structs.replace(sample, source="recorded", processes=processes)


def answer(recording: GpuRecording, call: str) -> QueryRecord:
    return next(record for record in recording.answers if record.call == call)


@pytest.mark.parametrize("generation", ["new", "old"])
@pytest.mark.parametrize("script", [STEADY, ADA, BARE], ids=["full", "ada", "bare"])
def test_a_recording_replays_as_the_reading_that_the_card_gave(
    driver: Library, tmp_path: Path, script: str, generation: str
) -> None:
    driver(script, generation)
    path = tmp_path / "card.json"
    path.write_bytes(encode_recording(record_gpu()))
    assert sample_of(read_recording(path)) == as_recorded(live())
    assert readers() == []


def test_so_does_one_of_the_second_gpu(driver: Library) -> None:
    driver(STEADY + "value gpus 2\nvalue temperature@1 77\n")
    sample = sample_of(record_gpu(index=1))
    assert sample == as_recorded(live(index=1))
    assert (sample.index, sample.gpus, sample.temperature_c) == (1, 2, 77.0)


def test_nothing_in_it_tells_the_card_from_another_of_its_kind(driver: Library) -> None:
    driver(STEADY)
    recording = record_gpu(uuid="GPU-00000000-1111")
    told, kept = encode_recording(without_ids(recording)), encode_recording(recording)
    for secret in (b"1111-2222", b"1234567890", b"0000-1111"):
        assert secret in kept
        assert secret not in told
    one, other = sample_of(recording), sample_of(without_ids(recording))
    assert one == msgspec.structs.replace(other, uuid=one.uuid)


def test_each_answer_says_what_was_asked_and_what_came_of_it(driver: Library) -> None:
    driver(STEADY + "error nvmlDeviceGetFanSpeed 4\n")
    recording = record_gpu()
    assert [record.query for record in recording.answers] == list(queries.EVERYTHING)
    driver_version = answer(recording, "nvmlSystemGetDriverVersion")
    assert (driver_version.value, driver_version.answered) == ("999.1", True)
    fan = answer(recording, "nvmlDeviceGetFanSpeed")
    assert (fan.code, fan.error, fan.answered) == (4, "NO_PERMISSION", False)
    assert fan.problem == "this user may not ask the driver for it"
    missing = answer(recording, "nvmlDeviceGetBrand")
    assert missing.error == "FUNCTION_NOT_FOUND"
    assert all(record.took_s > 0.0 for record in recording.answers)


def test_a_query_that_hangs_or_crashes_is_noted_and_the_others_are_asked(driver: Library) -> None:
    driver(STEADY)
    whole = as_recorded(live())
    driver(f"{STEADY}hang nvmlDeviceGetPowerUsage\ncrash nvmlDeviceGetTotalEnergyConsumption\n")
    recording = record_gpu(deadline_s=1.0)
    hung = answer(recording, "nvmlDeviceGetPowerUsage")
    assert (hung.problem, hung.answered) == ("no answer within 1 s", False)
    crashed = answer(recording, "nvmlDeviceGetTotalEnergyConsumption")
    assert crashed.problem == "the reader crashed (SIGSEGV)"
    lost = msgspec.structs.replace(whole, power_w=None, energy_mj=None)
    assert sample_of(recording) == lost
    assert readers() == []


def test_a_card_that_takes_every_reader_down_is_not_asked_for_ever(driver: Library) -> None:
    driver("\n".join(f"crash {query.call}" for query in queries.USED))
    recording = record_gpu()
    problems = [record.problem for record in recording.answers]
    assert len(problems) == len(queries.EVERYTHING)
    assert problems[-1].startswith("not asked")
    assert sum("crashed" in problem for problem in problems) < len(queries.USED)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("error nvmlInitWithFlags 9", "the NVIDIA driver is not loaded"),
        ("error nvmlDeviceGetHandleByIndex_v2 2", "there is no GPU with index 0"),
        ("crash nvmlInitWithFlags", "the reader crashed (SIGSEGV)"),
    ],
)
def test_a_card_that_cannot_be_opened_is_on_record_as_that(
    driver: Library, script: str, words: str
) -> None:
    driver(script)
    recording = record_gpu()
    assert (recording.opening.problem, recording.answers) == (words, ())
    with pytest.raises(DeviceUnusableError) as raised:
        sample_of(recording)
    assert str(raised.value) == words


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"schema":"other/1"}', b"\xff", b"[" * 9999]
)
def test_a_file_of_anything_else_is_no_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"card.json: .*expected a file of timellm-ops.gpu-rec"):
        read_recording(path)


def test_every_query_is_a_call_of_the_bindings_that_only_reads() -> None:
    assert set(queries.USED) <= set(queries.EVERYTHING)
    assert len(set(queries.EVERYTHING)) == len(queries.EVERYTHING)
    assert len(queries.USED) < queries.NONE_UNDER_WAY
    for query in queries.EVERYTHING:
        assert callable(getattr(pynvml, query.call)), query
        reads = query.call.startswith(("nvmlDeviceGet", "nvmlSystemGet"))
        assert reads or query == queries.XIDS


CARDS = Path(__file__).parents[1] / "fixtures" / "cards"
"""Recordings that were sent in, each beside the reading that is right for it, `X.sample.json`."""


RECORDED = [path for path in sorted(CARDS.glob("*.json")) if ".sample" not in path.name]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_card_that_was_recorded_reads_as_it_should(path: Path) -> None:
    expected = path.with_suffix(".sample.json").read_bytes()
    assert sample_of(read_recording(path)) == msgspec.json.decode(expected, type=GpuSample)
