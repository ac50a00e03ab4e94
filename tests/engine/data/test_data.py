"""The data of a training: its windows by split and column, and what the scaler knows."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_engine.data.prepare import prepare
from timellm_engine.data.scaler import fit_scaler
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.splits import forecast_columns

DATA = Path(os.environ.get("TIMELLM_DATA_DIR", "no-data"))
real_data = pytest.mark.skipif(
    not (DATA / "ETTh1.csv").is_file(), reason="no ETT data (set TIMELLM_DATA_DIR)"
)
ETT = DataSection(dataset="ETTh1")
CUSTOM = DataSection(dataset="custom", path="a.csv", seq_len=4, pred_len=2, target="b")
FIRST = datetime(2026, 1, 1)  # noqa: DTZ001 - a series has no time zone


def csv_file(folder: Path, numbers: list[tuple[float, float]]) -> Path:
    """Rows of `a` and `b`, day by day from the first of January."""
    path = folder / "a.csv"
    lines = [f"{FIRST + timedelta(days=day)},{a},{b}" for day, (a, b) in enumerate(numbers)]
    path.write_text("\n".join(["date,a,b", *lines]) + "\n", encoding="utf-8")
    return path


def section(path: Path, **changes: Any) -> DataSection:
    return msgspec.structs.replace(CUSTOM, path=str(path), **changes)


def numbered(rows: int) -> list[tuple[float, float]]:
    return [(row, row * row / 7) for row in range(rows)]


@real_data
@pytest.mark.parametrize("name", ["ETTh1", "ETTh2"])
def test_the_real_ett_has_the_published_windows(name: str) -> None:
    data = prepare(msgspec.structs.replace(ETT, dataset=name, path=str(DATA / f"{name}.csv")), 0)
    assert (len(data.train), len(data.vali), len(data.test)) == (56231, 19495, 19495)
    assert data.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert data.frequency == "1h"
    assert data.timestamps[[0, -1]].astype(str).tolist() == [
        "2016-07-01T00:00:00.000000000",
        "2018-06-26T19:00:00.000000000",
    ]


@real_data
def test_the_scaler_of_etth1_is_the_published_one() -> None:
    data = prepare(msgspec.structs.replace(ETT, path=str(DATA / "ETTh1.csv")), 0)
    rows = np.loadtxt(DATA / "ETTh1.csv", delimiter=",", skiprows=1, usecols=range(1, 8))
    assert np.array_equal(data.values, rows)
    assert data.mean == pytest.approx(rows[:8640].mean(axis=0), rel=1e-12)
    assert data.deviation == pytest.approx(rows[:8640].std(axis=0), rel=1e-12)


def test_the_scaler_knows_the_training_rows_only(tmp_path: Path) -> None:
    rows = numbered(60)
    plain = prepare(section(csv_file(tmp_path, rows)), 0)
    later = [row if index < 42 else (1e6, -1e6 + index) for index, row in enumerate(rows)]
    changed = prepare(section(csv_file(tmp_path, later)), 0)
    assert (changed.mean, changed.deviation) == (plain.mean, plain.deviation)
    assert plain.mean[0] == pytest.approx(20.5)  # rows 0 to 41
    assert changed.digest != plain.digest


def test_the_scaled_training_rows_have_mean_0_and_deviation_1(tmp_path: Path) -> None:
    one_window_a_column = section(csv_file(tmp_path, numbered(60)), seq_len=41, pred_len=1)
    data = prepare(one_window_a_column, 0)
    columns = torch.cat(data.train.batch(torch.arange(2)), dim=1)
    assert columns.shape == (2, 42)
    assert columns.mean(dim=1).tolist() == pytest.approx([0.0, 0.0], abs=1e-5)
    assert columns.std(dim=1, unbiased=False).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)


def test_a_constant_column_becomes_zeros() -> None:
    mean, deviation = fit_scaler(np.full((30, 1), 0.1))
    assert deviation.tolist() == [1.0]
    assert mean.tolist() == pytest.approx([0.1])


def test_the_target_alone_is_one_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, numbered(60))
    data = prepare(section(path, features="S"), 0)
    assert (data.columns, data.tested, data.values.shape) == (("b",), (0,), (60, 1))
    assert 2 * len(data.train) == len(prepare(section(path), 0).train)


def test_ms_trains_on_every_column_and_tests_on_the_target(tmp_path: Path) -> None:
    path = csv_file(tmp_path, numbered(60))
    every, target = prepare(section(path), 0), prepare(section(path, features="S"), 0)
    both = prepare(section(path, features="MS"), 0)
    assert (both.columns, both.tested, every.tested) == (("a", "b"), (1,), (0, 1))
    numbers = torch.arange(len(every.train))
    for ours, theirs in zip(both.train.batch(numbers), every.train.batch(numbers), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in ((both.vali, target.vali), (both.test, target.test)):
        assert len(ours) == len(theirs)
        numbers = torch.arange(len(ours))
        pairs = zip(ours.batch(numbers), theirs.batch(numbers), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)


@settings(max_examples=40)
@given(
    rows=st.integers(100, 400),
    columns=st.integers(1, 3),
    seq_len=st.integers(1, 12),
    pred_len=st.integers(1, 6),
    percent=st.integers(60, 100),
    features=st.sampled_from(["M", "S", "MS"]),
)
def test_windows_are_as_many_as_the_splits_say_and_no_target_is_in_two_splits(
    rows: int, columns: int, seq_len: int, pred_len: int, percent: int, features: Any
) -> None:
    chosen = DataSection(
        dataset="synthetic", synthetic_rows=rows, synthetic_columns=columns, seq_len=seq_len,
        pred_len=pred_len, percent=percent, features=features,
    )  # fmt: skip
    data = prepare(chosen, 0)
    trained, tested = forecast_columns(chosen, columns)
    targets = []
    for windows, split, count in (
        (data.train, data.splits.train, trained),
        (data.vali, data.splits.vali, tested),
        (data.test, data.splits.test, tested),
    ):
        assert len(windows) == split.windows(chosen) * count
        targets.append(set(range(split.begin + seq_len, split.end)))
        # The first and the last target of a column are where the split says.
        x, y = windows.batch(torch.tensor([0, split.windows(chosen) - 1]))
        column = 0 if count == len(data.columns) else data.tested[0]
        scaled = (data.values[:, column] - data.mean[column]) / data.deviation[column]
        ends = np.array([scaled[split.begin], scaled[split.end - 1]], dtype=np.float32)
        assert [x[0, 0].item(), y[-1, -1].item()] == ends.tolist()
    assert targets[0].isdisjoint(targets[1])
    assert targets[1].isdisjoint(targets[2])
    assert targets[0].isdisjoint(targets[2])


def test_a_file_that_cannot_be_trained_on_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        prepare(section(tmp_path / "none.csv"), 0)
    with pytest.raises(InputError, match=r"20 rows, of which .* data.seq_len 100"):
        prepare(section(csv_file(tmp_path, numbered(20)), seq_len=100), 0)
