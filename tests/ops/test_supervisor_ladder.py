"""The stop ladder: SIGINT, SIGTERM, SIGKILL, each with its patience, never back."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.commands import STOP_MODES, StopMode
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.ladder import (
    HARDWARE_STOP_PATIENCE_S,
    RUNGS,
    Climb,
    is_stronger,
    lowest_signal,
    next_signal,
)
from timellm_ops.supervisor.memory import Memory

INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


@pytest.mark.parametrize(
    ("climb", "lowest", "now_t", "expected"),
    [
        (None, INT, 0.0, INT),
        (None, KILL, 0.0, KILL),
        (Climb(INT, 0.0), INT, 19.9, None),
        (Climb(INT, 0.0), INT, 20.0, TERM),
        (Climb(TERM, 20.0), INT, 39.9, None),
        (Climb(TERM, 20.0), INT, 40.0, KILL),
        (Climb(INT, 0.0), TERM, 1.0, TERM),
        (Climb(INT, 0.0), KILL, 1.0, KILL),
        (Climb(TERM, 0.0), INT, 1.0, None),
        (Climb(KILL, 0.0), KILL, 9999.0, None),
    ],
)
def test_the_next_rung(
    climb: Climb | None, lowest: int, now_t: float, expected: int | None
) -> None:
    assert next_signal(climb, lowest, now_t, grace_s=20.0) == expected


@given(
    lowest=st.lists(st.sampled_from(RUNGS), min_size=1, max_size=30),
    grace_s=st.floats(0.0, 60.0),
    step_s=st.floats(0.1, 10.0),
)
def test_no_signal_is_sent_twice_none_is_followed_by_a_gentler_one_and_the_last_is_reached(
    lowest: list[int], grace_s: float, step_s: float
) -> None:
    climb: Climb | None = None
    sent: list[Climb] = []
    rounds = len(lowest) + round(2 * grace_s / step_s) + 4
    for turn in range(rounds):
        wanted = lowest[min(turn, len(lowest) - 1)]
        number = next_signal(climb, wanted, turn * step_s, grace_s)
        if number is not None:
            climb = Climb(number, turn * step_s)
            sent.append(climb)
    ranks = [RUNGS.index(rung.number) for rung in sent]
    assert ranks == sorted(set(ranks))
    assert sent[-1].number == KILL


@pytest.mark.parametrize(
    ("engine", "stop", "safe", "expected"),
    [
        ("timellm", None, "", None),
        ("timellm", "after_checkpoint", "", None),
        ("timellm", "checkpoint", "", None),
        ("timellm", "now", "", TERM),
        ("timellm", "kill", "", KILL),
        ("foreign", None, "", None),
        ("foreign", None, "saved", None),
        ("foreign", "after_checkpoint", "", None),
        ("foreign", "after_checkpoint", "saved", INT),
        ("foreign", "checkpoint", "", INT),
        ("foreign", "now", "", TERM),
        ("foreign", "kill", "", KILL),
    ],
)
def test_where_the_climb_begins(
    engine: str, stop: StopMode | None, safe: str, expected: int | None
) -> None:
    run = RunState(engine=engine, stop=stop)  # type: ignore[arg-type]
    assert lowest_signal(run, Memory(safe=safe), 100.0) == expected


def test_for_the_hardwares_sake_an_engine_that_does_not_save_in_time_is_terminated() -> None:
    run = RunState(stop="checkpoint", stopping_for_hardware=True)
    memory = Memory(stop_t=1000.0)
    assert lowest_signal(run, memory, 1000.0 + HARDWARE_STOP_PATIENCE_S) is None
    assert lowest_signal(run, memory, 1000.1 + HARDWARE_STOP_PATIENCE_S) == TERM


def test_a_users_stop_has_no_such_limit() -> None:
    run = RunState(stop="checkpoint")
    assert lowest_signal(run, Memory(stop_t=0.0), 1e6) is None


@given(mode=st.sampled_from(STOP_MODES), than=st.sampled_from(STOP_MODES))
def test_of_two_ways_to_stop_exactly_one_is_stronger(mode: StopMode, than: StopMode) -> None:
    assert is_stronger(mode, None)
    assert is_stronger(mode, than) + is_stronger(than, mode) == (mode != than)


def test_from_patient_to_abrupt() -> None:
    assert is_stronger("checkpoint", "after_checkpoint")
    assert is_stronger("now", "checkpoint")
    assert is_stronger("kill", "now")
