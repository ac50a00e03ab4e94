"""Where splits begin and end, how many windows they have, and what is too short."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.config import DataSection, TrainSection
from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.contract.splits import (
    Ends,
    Rows,
    dated_ends,
    forecast_columns,
    shortage,
    split_ends,
    splits_of,
    steps_per_epoch,
)


def custom(**changes: Any) -> DataSection:
    return DataSection(**{"dataset": "custom", "path": "a.csv", **changes})


def test_ett_is_split_as_published() -> None:
    hourly = DataSection(dataset="ETTh1")
    splits = splits_of(hourly, split_ends(hourly, 17_420))
    assert splits.train == splits.fitted == Rows(0, 8640)
    assert splits.vali == Rows(8640 - 512, 11_520)
    assert splits.test == Rows(11_520 - 512, 14_400)
    quarters = DataSection(dataset="ETTm1")
    assert split_ends(quarters, 69_680) == Ends(34_560, 46_080, 57_600)


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        # Rows of the published splits less 512 + 96 - 1, with 512 of look-back but for training.
        ("ETTm1", (33_953, 11_425, 11_425)),
        ("Weather", (36_280, 5_175, 10_444)),
        ("ECL", (17_805, 2_537, 5_165)),
        ("Traffic", (11_673, 1_661, 3_413)),
        ("Exchange", (4_704, 665, 1_422)),
    ],
)
def test_published_splits_have_the_published_windows(
    name: Any, windows: tuple[int, int, int]
) -> None:
    section = DataSection(dataset=name)
    splits = splits_of(section, split_ends(section, PUBLISHED_SHAPES[name].rows))
    assert tuple(split.windows(section) for split in splits[:3]) == windows


def test_ratios_of_the_config_are_for_a_file_of_ones_own() -> None:
    assert split_ends(custom(train_ratio=0.5, test_ratio=0.3), 1000) == Ends(500, 700, 1000)
    weather = DataSection(dataset="Weather", train_ratio=0.5, test_ratio=0.3)
    assert split_ends(weather, 1000) == Ends(700, 800, 1000)


def test_a_share_of_the_training_rows_is_taken_from_their_start_as_published() -> None:
    tenth = DataSection(dataset="ETTh1", percent=10)
    splits = splits_of(tenth, split_ends(tenth, 17_420))
    assert splits.train == Rows(0, (8640 - 512) * 10 // 100 + 512)
    assert splits.fitted == Rows(0, 8640), "the scaler knows all of them, as published"


@given(
    rows=st.integers(1, 3000),
    seq_len=st.integers(1, 300),
    pred_len=st.integers(1, 200),
    percent=st.integers(1, 100),
    train_ratio=st.floats(0.05, 0.9),
    share=st.floats(0.05, 0.95),
)
def test_splits_follow_one_another_and_look_back_only(
    rows: int, seq_len: int, pred_len: int, percent: int, train_ratio: float, share: float
) -> None:
    section = custom(
        seq_len=seq_len, pred_len=pred_len, percent=percent, train_ratio=train_ratio,
        test_ratio=(1 - train_ratio) * share,
    )  # fmt: skip
    ends = split_ends(section, rows)
    splits = splits_of(section, ends)
    counts = [split.windows(section) for split in splits[:3]]
    short = shortage(section, ends, rows)
    if min(counts) == 0 or splits.vali.begin < 0:
        assert short is not None
        assert "data.seq_len" in short.expected
        return
    assert short is None
    assert splits.train.begin == splits.fitted.begin == 0
    assert splits.train.end <= splits.fitted.end == splits.vali.begin + seq_len
    assert splits.vali.end == splits.test.begin + seq_len
    assert splits.test.end == rows
    assert counts[1] == ends.vali - ends.train - pred_len + 1
    assert counts[2] == ends.test - ends.vali - pred_len + 1


def test_dates_become_rows() -> None:
    rows = {"b": 10, "d": 15, "f": 18}
    section = custom(train_end="b", vali_end="d")
    assert dated_ends(section, 20, rows.__getitem__) == Ends(10, 15, 20)
    section = custom(train_end="b", vali_end="d", test_end="f")
    assert dated_ends(section, 20, rows.__getitem__) == Ends(10, 15, 18)


def test_a_published_set_that_is_cut_short_is_told_its_months() -> None:
    section = DataSection(dataset="ETTh1")
    short = shortage(section, split_ends(section, 1000), 1000)
    assert short is not None
    assert short.found == "1,000 rows"
    assert short.expected.startswith("at least 14400: 20 months")
    assert shortage(section, split_ends(section, 14_400), 14_400) is None


def test_a_few_shot_share_without_a_window_is_named() -> None:
    section = custom(percent=1, seq_len=24, pred_len=8)
    short = shortage(section, split_ends(section, 500), 500)
    assert short is not None
    assert "for training" in short.found
    assert "data.percent 1" in short.expected


@pytest.mark.parametrize(("features", "counts"), [("M", (7, 7)), ("MS", (7, 1)), ("S", (1, 1))])
def test_columns_by_features(features: Any, counts: tuple[int, int]) -> None:
    assert forecast_columns(custom(features=features), 7) == counts


@given(windows=st.integers(1, 10_000), batch_size=st.integers(1, 500))
def test_steps_cover_the_windows_with_or_without_the_smaller_last_one(
    windows: int, batch_size: int
) -> None:
    steps = steps_per_epoch(TrainSection(batch_size=batch_size), windows)
    assert (steps - 1) * batch_size < windows <= steps * batch_size
    whole = steps_per_epoch(TrainSection(batch_size=batch_size, drop_last=True), windows)
    assert whole == max(1, windows // batch_size)
