"""What a comparison says of runs, and what it must not say."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from sample_journals import (
    Journal,
    failed,
    finished,
    foreign,
    imported,
    in_second_epoch,
    starting,
    without_gpu,
)  # fmt: skip

from timellm_dashboard.folds.series import Point
from timellm_dashboard.lines import text_of, width_of
from timellm_dashboard.panels.comparison import draw_comparison
from timellm_dashboard.panels.curves import Curve, draw_curves
from timellm_dashboard.runs.compare import compare
from timellm_dashboard.runs.compared import MOST_RUNS, ComparedRun, Comparison
from timellm_dashboard.viewmodel.view import Recorder

BASE: dict[str, Any] = {
    "run": {"name": "a", "seed": 2021},
    "data": {"dataset": "ETTh1", "pred_len": 96, "seq_len": 512, "path": ""},
    "train": {"learning_rate": 1e-3, "loss": "mse"},
    "policy": {"thermal": {"pause_above_c": 85.0}},
}
JOURNALS: dict[str, Callable[[], Journal]] = {
    "finished": finished, "training": in_second_epoch, "failed": failed, "foreign": foreign,
    "imported": imported, "starting": starting, "without_gpu": without_gpu,
}  # fmt: skip


@cache
def recorder_of(kind: str) -> Recorder:
    recorder = Recorder()
    recorder.take(JOURNALS[kind]().records)
    return recorder


def run(kind: str = "finished", mse: float | None = None, **keys: Any) -> ComparedRun:
    """A run of that kind; `mse` is its final test's; `keys` are `section__key` of its config."""
    recorder = recorder_of(kind)
    state = recorder.state
    if mse is not None:
        state = replace(state, final_mse=mse, best_vali_mse=mse, final_mae=mse)
    config = json.loads(json.dumps(BASE))
    for key, value in keys.items():
        section, name = key.split("__", 1)
        config[section][name] = value
    return ComparedRun(
        run_id=f"20260131-214503-{kind}-7f3a", state=state, history=recorder.history,
        supervised=False, config=config,
    )  # fmt: skip


def said(comparison: Comparison) -> str:
    return "\n".join(comparison.findings)


def better(comparison: Comparison) -> dict[str, str]:
    return {result.id: result.better for result in comparison.results if result.better}


def test_the_lower_error_is_named_with_its_distance_and_called_no_proof() -> None:
    found = compare([run(mse=0.40), run(mse=0.38, train__learning_rate=5e-4)])
    assert "B has the lowest test MSE: 0.3800, 5.0 % below A (0.4000)." in said(found)
    assert "One key that training depends on differs: train.learning_rate." in said(found)
    assert "a difference is no proof" in said(found)
    assert better(found) == {"vali_mse": "B", "test_mse": "B", "test_mae": "B"}
    (row,) = [result for result in found.results if result.id == "test_mse"]
    assert row.better_text == "B, 5.0 % less"


def test_only_the_keys_that_differ_are_shown() -> None:
    found = compare([run(), run(run__name="b", train__learning_rate=5e-4)])
    keys = {key.key: key.values for key in found.config}
    assert keys == {"run.name": ("a", "b"), "train.learning_rate": ("0.001", "0.0005")}


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"data__pred_len": 192}, "data.pred_len"),
        ({"data__dataset": "ETTh2"}, "data.dataset"),
        ({"data__features": "MS"}, "data.features"),
    ],
)
def test_errors_of_different_tasks_are_not_compared(keys: dict[str, Any], named: str) -> None:
    found = compare([run(mse=0.4), run(mse=0.1, **keys)])
    assert f"different tasks ({named})" in said(found)
    assert "lowest" not in said(found)
    assert better(found) == {}


def test_a_drawn_series_is_another_one_with_another_seed() -> None:
    drawn = {"data__dataset": "synthetic"}
    found = compare([run(mse=0.4, **drawn), run(mse=0.1, run__seed=1, **drawn)])
    assert "different tasks (run.seed)" in said(found)
    assert better(found) == {}


def test_with_nothing_but_other_seeds_the_spread_is_what_is_learned() -> None:
    runs = [run(mse=0.40), run(mse=0.38, run__seed=1), run(mse=0.39, run__seed=2)]
    assert "as far as 3 runs tell, chance alone moves the test MSE by 5.0 %" in said(compare(runs))


def test_what_training_does_not_depend_on_is_no_cause() -> None:
    found = compare([run(mse=0.4), run(mse=0.38, policy__thermal={"pause_above_c": 80.0})])
    assert "No key that training depends on differs." in said(found)
    assert [key.key for key in found.config] == ["policy.thermal.pause_above_c"]


def test_of_several_keys_none_is_called_the_cause() -> None:
    found = compare([run(), run(train__learning_rate=5e-4, data__seq_len=336)])
    assert "2 keys that training depends on differ" in said(found)


def test_equal_is_called_equal() -> None:
    found = compare([run(mse=0.4), run(mse=0.4)])
    assert "The test MSE is 0.4000 in A and B alike." in said(found)
    assert better(found) == {}


def test_what_has_not_finished_and_what_is_not_there_is_said() -> None:
    found = compare([run(), run("training"), run("starting")])
    assert "Not finished: B and C." in said(found)
    assert "C: no test MSE yet." in said(found)
    assert "lowest" not in said(found)
    assert "The test errors of B are those of the best epoch" in said(found)


@pytest.mark.parametrize(("steps", "said_of_it"), [(49, ""), (50, "equal")])
def test_the_pace_of_a_few_steps_is_not_compared(steps: int, said_of_it: str) -> None:
    whole = run()
    early = replace(whole, state=replace(whole.state, epoch=1, iteration=steps))
    (row,) = [r for r in compare([whole, early]).results if r.id == "seconds_per_step"]
    assert row.better_text == said_of_it


def test_a_diverged_run_is_neither_better_nor_worse_by_a_share() -> None:
    found = compare([run(mse=0.4), run(mse=math.nan)])
    assert "lowest" not in said(found)
    assert better(found) == {}


def test_long_names_are_cut_where_they_are_the_same() -> None:
    name = "/home/someone/backbones/a-very-long-name-of-a-backbone-{}b".format
    runs = [run(data__path=name(size)) for size in (1, 3, 7)]
    text = "\n".join(text_of(row) for row in draw_comparison(compare(runs), 80))
    for size in (1, 3, 7):
        assert f"-backbone-{size}b" in text


def test_a_config_that_cannot_be_read_is_named() -> None:
    unreadable = replace(run(mse=0.38), config=None)
    found = compare([run(mse=0.4), unreadable])
    assert found.config_unknown == ("B",)
    assert "No key" not in said(found)
    assert "a difference is no proof" in said(found)
    assert "not readable: B" in "\n".join(text_of(row) for row in draw_comparison(found, 80))


@pytest.mark.parametrize("count", [0, 1, MOST_RUNS + 1])
def test_fewer_than_two_and_more_than_letters_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 6"):
        compare([run()] * count)


kinds = st.lists(st.sampled_from(sorted(JOURNALS)), min_size=2, max_size=MOST_RUNS)


@given(
    kinds=kinds,
    errors=st.lists(st.floats(0.01, 10.0) | st.just(math.inf), min_size=6, max_size=6),
    width=st.integers(60, 220),
    look=st.sampled_from([("en", False), ("zh", False), ("en", True)]),
)
def test_whatever_is_compared_fits_and_names_the_lowest(
    kinds: list[str], errors: list[float], width: int, look: tuple[Any, bool]
) -> None:
    runs = [run(kind, mse) for kind, mse in zip(kinds, errors, strict=False)]
    found = compare(runs, lang=look[0], ascii_only=look[1])
    for row in draw_comparison(found, width):
        assert width_of(row) <= width
        assert text_of(row).isascii() or not look[1]
    (test,) = [result for result in found.results if result.id == "test_mse"]
    if test.better:
        values = [figure.value for figure in test.figures]
        assert values["ABCDEF".index(test.better)] == min(v for v in values if v is not None)
    document = msgspec.json.encode(found)
    assert msgspec.json.decode(document, type=Comparison).findings == found.findings


def curve(letter: str, *values: float) -> Curve:
    return Curve(letter, [Point(i, i, v, v, v) for i, v in enumerate(values)])


def test_every_curve_has_its_letter_on_it() -> None:
    curves = [curve("A", *(1 / (i + 1) for i in range(200))), curve("B", *([0.9] * 200))]
    for ascii_only in (False, True):
        rows = draw_curves(curves, 80, 12, ascii_only=ascii_only, step_word="step {step}")
        text = "\n".join(text_of(row) for row in rows)
        assert len(rows) == 12
        assert {cell_len(text_of(row)) for row in rows} == {80}
        assert "A" in text
        assert "B" in text
        assert text.isascii() == ascii_only


@pytest.mark.parametrize("curves", [[], [curve("A")], [curve("A", 0.5)], [curve("A", 0.5, 0.5)]])
def test_curves_without_extent_are_no_error(curves: list[Curve]) -> None:
    rows = draw_curves(curves, 40, 8, ascii_only=False, step_word="{step}")
    assert bool(rows) == any(found.points for found in curves)
