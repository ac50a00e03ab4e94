"""Windows, batches and iterations, against what is counted one by one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.config import DataSection, TrainSection
from timellm_ops.contract.datareport import DataReport, SplitReport
from timellm_ops.planning.steps import published_data, reported_data, steps_plan


def ett(**changes: object) -> DataSection:
    return msgspec.convert({"dataset": "ETTh1", **changes}, DataSection)


def test_the_users_own_numbers() -> None:
    data = published_data(ett())
    assert [(s.rows, s.look_back, s.windows, s.columns, s.samples) for s in data.splits] == [
        (8_640, 0, 8_033, 7, 56_231),
        (2_880, 512, 2_785, 7, 19_495),
        (2_880, 512, 2_785, 7, 19_495),
    ]
    steps = steps_plan(TrainSection(batch_size=4, epochs=3), data)
    assert (steps.per_epoch, steps.total) == (14_058, 42_174)
    assert (steps.per_epoch_without_partial, steps.total_without_partial) == (14_057, 42_171)
    assert steps.partial_batch == 3
    dropped = steps_plan(TrainSection(batch_size=4, epochs=3, drop_last=True), data)
    assert (dropped.per_epoch, dropped.total) == (14_057, 42_171)
    assert dropped.total_with_partial == 42_174


@pytest.mark.parametrize(
    ("dataset", "rows", "columns"),
    [
        ("ETTh2", 17_420, 7), ("ETTm1", 69_680, 7), ("Weather", 52_696, 21), ("ECL", 26_304, 321),
        ("Traffic", 17_544, 862), ("Exchange", 7_588, 8),
    ],
)  # fmt: skip
def test_published_data_sets_are_known_without_their_files(
    dataset: str, rows: int, columns: int
) -> None:
    data = published_data(ett(dataset=dataset))
    assert (data.rows, data.columns, data.source) == (rows, columns, "")
    assert all(split.windows > 0 for split in data.splits)


def test_features_decide_of_which_columns_windows_are_taken() -> None:
    for features, train, test in (("M", 7, 7), ("MS", 7, 1), ("S", 1, 1)):
        columns = [split.columns for split in published_data(ett(features=features)).splits]
        assert columns == [train, test, test]


@given(
    st.integers(1, 40), st.integers(1, 30), st.integers(1, 5), st.integers(1, 50), st.booleans(),
    st.sampled_from(["each_epoch", "end", "never"]),
)  # fmt: skip
def test_steps_are_those_of_a_loop_over_batches(
    windows: int, batch_size: int, epochs: int, eval_batch: int, drop_last: bool, cadence: str
) -> None:
    train = msgspec.convert(
        {
            "batch_size": batch_size, "epochs": epochs, "eval_batch_size": eval_batch,
            "drop_last": drop_last, "test": cadence,
        },
        TrainSection,
    )  # fmt: skip
    report = DataReport(
        source="tides.csv",
        rows=500,
        columns=("a",),
        splits=tuple(
            SplitReport(name=n, rows=9, first="f", last="l", windows=w, columns=1)
            for n, w in (("train", windows), ("vali", 7), ("test", 11))
        ),
    )
    data = reported_data(ett(), report)
    assert [(s.rows, s.look_back) for s in data.splits] == [(9, 0), (9, 512), (9, 512)]
    steps = steps_plan(train, data)
    batches = [range(windows)[i : i + batch_size] for i in range(0, windows, batch_size)]
    full = [batch for batch in batches if len(batch) == batch_size]
    assert steps.per_epoch_with_partial == len(batches)
    assert steps.per_epoch_without_partial == len(full)
    assert steps.partial_batch == sum(len(batch) for batch in batches if batch not in full)
    assert steps.per_epoch == (len(full) if drop_last and full else len(batches))
    assert steps.total == epochs * steps.per_epoch
    tests = {"each_epoch": epochs, "end": 1, "never": 0}[cadence]
    assert steps.evaluated_windows == epochs * 7 + tests * 11
    assert steps.vali_batches == len(range(0, 7, eval_batch))
    solving = steps_plan(train, data, solves_head=True)
    assert (solving.head_windows, steps.head_windows) == (windows + 7, 0)
