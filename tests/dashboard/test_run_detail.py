"""The picked run beside the list: what it says of each way to be, and that it keeps to its room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_journals import EPOCHS, RUN_ID, STATES, STEPS

from timellm_dashboard.lines import text_of
from timellm_dashboard.panels.rundetail import draw_run_detail
from timellm_dashboard.runs.runlist import RunRow, row_of, seen_as
from timellm_dashboard.viewmodel.headline import state_seen
from timellm_dashboard.viewmodel.view import Recorder


def row(state: str) -> RunRow:
    recorder = Recorder()
    recorder.take(STATES[state]().records)
    supervised = state in ("training", "paused_thermal")
    return row_of(RUN_ID, recorder.state, state_seen(recorder.state, supervised=supervised))


def told(state: str, width: int = 74, height: int = 40, **kind: bool) -> list[str]:
    drawn = draw_run_detail(
        row(state), width, height, lang="en", ascii_only=kind.get("ascii_only", False)
    )
    return [text_of(found) for found in drawn]


def test_it_tells_how_a_run_ended_and_how_to_go_on() -> None:
    text = "\n".join(told("failed"))
    assert text.startswith("✗ FAILED · the engine failed with exit code 4: CUDA out of memory")
    assert f"go on with: timellm-ops run --resume {RUN_ID}" in text
    assert f"step {STEPS + 1_200:,} of {EPOCHS * STEPS:,}" in text
    assert "go on with" not in "\n".join(told("finished"))


def test_every_epoch_has_a_row_with_its_results() -> None:
    text = told("finished")
    heads = next(i for i, line in enumerate(text) if line.lstrip().startswith("#"))
    assert [line.split()[0] for line in text[heads + 1 :]] == ["1", "2", "3"]
    assert "0.3705" in text[-2]
    assert [line.endswith("★") for line in text[heads + 1 :]] == [False, True, False]


def test_what_is_not_known_has_no_row() -> None:
    starting = "\n".join(told("starting"))
    for label in ("best epoch", "test MSE", "—"):
        assert label not in starting
    assert "total time" not in "\n".join(told("imported"))


def test_the_state_that_is_shown_of_a_run_is_told_and_not_that_on_record() -> None:
    (silent,) = seen_as((row("training"),), RUN_ID, "silent")
    assert "SILENT" in text_of(draw_run_detail(silent, 74, 9, lang="en", ascii_only=False)[0])
    assert seen_as((silent,), "another", "failed") == (silent,)


@given(
    st.sampled_from(sorted(STATES)), st.integers(60, 90), st.integers(1, 40),
    st.sampled_from(["en", "zh", "ascii"]),
)  # fmt: skip
def test_it_keeps_to_its_room(state: str, width: int, height: int, kind: str) -> None:
    drawn = draw_run_detail(
        row(state), width, height, lang="zh" if kind == "zh" else "en", ascii_only=kind == "ascii"
    )
    assert len(drawn) <= height
    assert all(cell_len(text_of(found)) <= width for found in drawn)
    assert kind != "ascii" or "".join(map(text_of, drawn)).isascii()


@pytest.mark.parametrize("height", [18, 19])
def test_of_many_epochs_the_latest_are_shown(height: int) -> None:
    short = told("finished", height=height)
    assert len(short) <= height
    assert short[-1].split()[0] == "3"
