"""The order of a list of runs, and its texts in both languages."""

import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_journals import STATES
from test_languages import CHINESE, placeholders

from timellm_dashboard.runs.runlist import SORTS, Order, RunRow, in_order, row_of, run_lines
from timellm_dashboard.viewmodel.headline import state_seen
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words.read_only import ReadOnlyWords, read_only_words
from timellm_dashboard.words.runs import RunsWords, runs_words

numbers = st.none() | st.floats(0, 10) | st.just(math.nan)
rows = st.builds(
    RunRow,
    run_id=st.from_regex(r"2026013[01]-\d{6}-[a-c]-[0-9a-f]{4}", fullmatch=True),
    state=st.sampled_from(["finished", "training", "failed"]),
    epoch=st.integers(0, 9),
    epochs=st.none() | st.integers(1, 9),
    best_vali_mse=numbers,
    test_mse=numbers,
    test_mae=numbers,
    active_s=st.none() | st.floats(0, 1e6),
    started_at=st.none(),
)


def known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


@given(st.lists(rows, unique_by=lambda row: row.run_id), st.sampled_from(SORTS), st.booleans())
def test_an_order_loses_nothing_and_puts_the_unknown_last(
    listed: list[RunRow], key: str, reverse: bool
) -> None:
    found = in_order(listed, Order(key, reverse))  # type: ignore[arg-type]
    assert sorted(row.run_id for row in found) == sorted(row.run_id for row in listed)
    if key == "mse":
        values = [row.test_mse for row in found]
        there = [value for value in values if known(value)]
        assert there == sorted(there, reverse=reverse)  # type: ignore[type-var]
        assert not any(known(value) for value in values[len(there) :])


def test_the_columns_go_round() -> None:
    order = Order()
    for _ in SORTS:
        order = order.beside(1)
    assert order == Order()
    assert Order().beside(-1).key == SORTS[-1]


@pytest.mark.parametrize("state", sorted(STATES))
def test_a_row_says_of_a_run_what_its_own_screen_says(state: str) -> None:
    recorder = Recorder()
    recorder.take(STATES[state]().records)
    name = state_seen(recorder.state, supervised=True)
    row = row_of("20260131-214503-etth1-7f3a", recorder.state, name)
    (line,) = run_lines([row], shown="", marked=(), lang="en", ascii_only=False)
    expected = {
        "starting": "STARTING", "first_steps": "TRAINING", "training": "TRAINING",
        "paused_thermal": "PAUSED", "paused_by_user": "PAUSED", "evaluating": "EVALUATING",
        "stopping": "STOPPING", "stopped": "STOPPED", "finished": "FINISHED", "failed": "FAILED",
        "telemetry_unknown": "PAUSED", "partly_unknown": "TRAINING", "without_gpu": "TRAINING",
        "simulated": "TRAINING", "foreign": "TRAINING", "imported": "IMPORTED",
    }  # fmt: skip
    assert line.word == expected[state]
    assert line.started == "2026-01-31 21:45"


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(RunsWords)])
def test_both_languages_have_the_text_with_the_same_blanks(name: str) -> None:
    english, chinese = getattr(runs_words("en"), name), getattr(runs_words("zh"), name)
    assert english
    assert not CHINESE.search(english)
    assert CHINESE.search(chinese) or not re.search("[A-Za-z]{4}", blankless(chinese))
    assert placeholders(english) == placeholders(chinese)
    assert getattr(runs_words("en", ascii_only=True), name).isascii()


def blankless(text: str) -> str:
    return re.sub(r"\{\w+\}", "", text)


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(ReadOnlyWords)])
def test_read_only_is_said_in_both_languages(name: str) -> None:
    assert getattr(read_only_words("en"), name).isascii()
    assert CHINESE.search(getattr(read_only_words("zh"), name))
