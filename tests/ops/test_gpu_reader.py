"""What becomes of a GPU's answers, whoever gives them: the reader over a scripted driver."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.telemetry import GpuProcess, GpuSample, PowerLimits
from timellm_ops.probe import queries
from timellm_ops.probe.fault import Scope, fault_of
from timellm_ops.probe.gpu_reader import DeviceUnusableError, GpuReader
from timellm_ops.probe.queries import DriverError, Query

NOT_SUPPORTED = 3
METRIC_ERRORS = [c for c in (*range(1, 31), 999) if fault_of(c).scope is Scope.METRIC]
DEVICE_ERRORS = [c for c in (*range(1, 31), 999) if fault_of(c).scope is not Scope.METRIC]


@dataclass
class Card:
    """Answers as it is told, and with "not supported" to everything else."""

    answers: dict[Query, Any]
    errors: dict[Query, int] = field(default_factory=dict)
    asked: list[Query] = field(default_factory=list)

    def ask(self, query: Query) -> Any:
        self.asked.append(query)
        if query in self.errors or query not in self.answers:
            raise DriverError(self.errors.get(query, NOT_SUPPORTED))
        return self.answers[query]


def process(pid: int, used: int | None = 100) -> dict[str, Any]:
    return {"pid": pid, "usedGpuMemory": used, "gpuInstanceId": 0, "computeInstanceId": 0}


def full() -> dict[Query, Any]:
    """A card that knows everything, by every interface, each with an answer of its own."""
    return {
        queries.COUNT: 2,
        queries.INDEX: 1,
        queries.NAME: "RTX",
        queries.UUID: "GPU-1",
        queries.TEMPERATURE[0]: 61,
        queries.TEMPERATURE[1]: 62,
        queries.MEMORY[0]: {"version": 1, "total": 1000, "reserved": 10, "free": 500, "used": 490},
        queries.MEMORY[1]: {"total": 1000, "free": 500, "used": 500},
        queries.SLOWDOWN: 97,
        queries.SHUTDOWN: 102,
        queries.MARGIN: 25,
        queries.RELATIVE_LIMITS: [{"field": 194, "value": -2}, {"field": 193, "value": -8}],
        queries.POWER: 95_500,
        queries.POWER_LIMIT: 115_000,
        queries.SET_LIMIT: 120_000,
        queries.LIMIT_CONSTRAINTS: [60_000, 130_000],
        queries.UTILIZATION: {"gpu": 98, "memory": 20},
        queries.SM_CLOCK: 1425,
        queries.THROTTLE[0]: 0x24,
        queries.THROTTLE[1]: 0x04,
        queries.ENERGY: 123_456,
        queries.ECC_ERRORS: 0,
        queries.XIDS: [79],
        queries.COMPUTE_PROCESSES[0]: [process(7)],
        queries.COMPUTE_PROCESSES[1]: [process(8)],
        queries.GRAPHICS_PROCESSES[0]: [process(9)],
        queries.GRAPHICS_PROCESSES[1]: [process(10)],
    }


MADE_FROM: dict[str, tuple[Query, ...]] = {
    "index": (queries.INDEX,),
    "gpus": (queries.COUNT,),
    "name": (queries.NAME,),
    "uuid": (queries.UUID,),
    "temperature_c": queries.TEMPERATURE,
    "memory_used_bytes": queries.MEMORY,
    "memory_total_bytes": queries.MEMORY,
    "power_w": (queries.POWER,),
    "power_limit_w": (queries.POWER_LIMIT,),
    "utilization_pct": (queries.UTILIZATION,),
    "sm_clock_mhz": (queries.SM_CLOCK,),
    "throttle_reasons": queries.THROTTLE,
    "slowdown_c": (queries.SLOWDOWN,),
    "shutdown_c": (queries.SHUTDOWN,),
    "energy_mj": (queries.ENERGY,),
    "ecc_errors": (queries.ECC_ERRORS,),
    "xids": (queries.XIDS,),
    "power_limits": (queries.SET_LIMIT, queries.LIMIT_CONSTRAINTS),
    "processes": (*queries.COMPUTE_PROCESSES, *queries.GRAPHICS_PROCESSES),
}
"""By field of a sample, the queries whose failure may change it."""


def read(card: Card, *, paravirtual: bool = False) -> GpuSample:
    return GpuReader(card, index=1, paravirtual=paravirtual).read()


def test_every_field_of_a_sample_is_read() -> None:
    sample = read(Card(full()))
    untold = {"source", "throttle_c"}  # NVML has no word on where its software throttles
    assert set(MADE_FROM) == {f.name for f in msgspec.structs.fields(GpuSample)} - untold
    assert None not in [getattr(sample, name) for name in MADE_FROM]


def test_how_far_the_power_limit_can_be_moved_is_told_with_the_first_reading_alone() -> None:
    reader = GpuReader(Card(full()))
    assert reader.read().power_limits == PowerLimits(limit_w=120.0, lowest_w=60.0, highest_w=130.0)
    assert reader.read().power_limits is None


@pytest.mark.parametrize("reach_mw", [[0, 130_000], [90_000, 60_000], [60_000], [60_000, 1e12]])
def test_a_reach_that_cannot_be_is_not_believed(reach_mw: list[float]) -> None:
    assert read(Card(full() | {queries.LIMIT_CONSTRAINTS: reach_mw})).power_limits is None


@given(
    st.dictionaries(st.sampled_from(queries.USED), st.sampled_from(METRIC_ERRORS)),
    st.dictionaries(
        st.sampled_from(queries.USED), st.none() | st.text(max_size=3) | st.just({"other": 1})
    ),
)
def test_a_query_that_fails_costs_no_other_value(
    errors: dict[Query, int], nonsense: dict[Query, Any]
) -> None:
    whole = read(Card(full()))
    sample = read(Card(full() | nonsense, errors))
    spoilt = {*errors, *nonsense}
    for name, made_from in MADE_FROM.items():
        if not spoilt.intersection(made_from):
            assert getattr(sample, name) == getattr(whole, name), name
        assert not isinstance(getattr(sample, name), str) or name in ("name", "uuid")


@given(st.sampled_from(queries.USED), st.sampled_from(DEVICE_ERRORS))
def test_an_error_of_the_device_ends_the_reading(query: Query, code: int) -> None:
    card = Card(full(), {query: code})
    try:
        read(card)
    except DeviceUnusableError as error:
        assert error.fault == fault_of(code)  # noqa: PT017 - it is not raised by what is not asked
    else:
        assert query not in card.asked


def test_an_error_of_the_device_in_a_single_field_does_too() -> None:
    answers = {queries.TEMPERATURE[0]: 60, queries.MARGIN: 20}
    answers[queries.RELATIVE_LIMITS] = [{"field": 194, "error": 15}, {"field": 193, "value": -8}]
    with pytest.raises(DeviceUnusableError, match="lost"):
        read(Card(answers))


@pytest.mark.parametrize(
    ("query", "answer", "name"),
    [
        (queries.TEMPERATURE[0], 2**32 - 1, "temperature_c"),
        (queries.TEMPERATURE[0], -300, "temperature_c"),
        (queries.POWER, 2**32 - 1, "power_w"),
        (queries.POWER_LIMIT, 0, "power_limit_w"),
        (queries.POWER_LIMIT, 2**32 - 1, "power_limit_w"),
        (queries.UTILIZATION, {"gpu": 2**32 - 1, "memory": 0}, "utilization_pct"),
        (queries.SM_CLOCK, 2**32 - 1, "sm_clock_mhz"),
        (queries.SLOWDOWN, 0, "slowdown_c"),
        (queries.SHUTDOWN, 255, "shutdown_c"),
        (queries.ENERGY, 2**64 - 1, "energy_mj"),
        (queries.ECC_ERRORS, 2**64 - 1, "ecc_errors"),
    ],
)
def test_what_cannot_be_is_unknown(query: Query, answer: Any, name: str) -> None:
    """Where a driver has no value, some leave all bits set or none."""
    card = Card({query: answer})
    assert getattr(read(card), name) is None


@given(st.integers(25, 95), st.integers(-20, 60), st.integers(-15, 0), st.integers(-15, 0))
def test_limits_of_newer_cards_lie_beyond_the_highest_working_temperature(
    temperature: int, margin: int, slowdown: int, shutdown: int
) -> None:
    answers = {queries.TEMPERATURE[0]: temperature, queries.MARGIN: margin}
    answers[queries.RELATIVE_LIMITS] = [
        {"field": 194, "value": slowdown},
        {"field": 193, "value": shutdown},
    ]
    sample = read(Card(answers))
    for limit_c, relative in ((sample.slowdown_c, slowdown), (sample.shutdown_c, shutdown)):
        told = temperature + margin - relative
        assert limit_c == (told if 50 <= told <= 130 else None)


def test_limits_are_asked_for_until_they_can_be_told_and_then_no_more() -> None:
    card = Card(full())
    del card.answers[queries.SLOWDOWN], card.answers[queries.TEMPERATURE[0]]
    del card.answers[queries.TEMPERATURE[1]]
    reader = GpuReader(card)
    assert reader.read().slowdown_c is None
    card.answers[queries.TEMPERATURE[0]] = 60
    assert reader.read().slowdown_c == 87.0
    card.asked.clear()
    assert reader.read().slowdown_c == 87.0
    assert queries.RELATIVE_LIMITS not in card.asked


def test_who_computes_and_draws_is_told_once() -> None:
    card = Card(
        {
            queries.COMPUTE_PROCESSES[0]: [process(7, 300), process(8, None)],
            queries.GRAPHICS_PROCESSES[0]: [process(7, 300), process(9, 2**64 - 1)],
        }
    )
    assert read(card).processes == (
        GpuProcess(pid=7, used_bytes=300),
        GpuProcess(pid=9),
        GpuProcess(pid=8),
    )


def test_nobody_on_the_gpu_is_not_believed_where_another_system_drives_it() -> None:
    empty = {queries.COMPUTE_PROCESSES[0]: [], queries.GRAPHICS_PROCESSES[0]: []}
    assert read(Card(empty)).processes == ()
    assert read(Card(empty), paravirtual=True).processes is None
    told = empty | {queries.COMPUTE_PROCESSES[0]: [process(7)]}
    assert read(Card(told), paravirtual=True).processes == (GpuProcess(pid=7, used_bytes=100),)
