"""The series: where the splits are, what the scaler knows, and what a bad file is told."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timellm_engine.data import Rows, Series, fit_scaler, load_series, prepare, split_rows
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection

DATA = Path(os.environ.get("TIMELLM_DATA_DIR", "no-data"))
real_data = pytest.mark.skipif(
    not (DATA / "ETTh1.csv").is_file(), reason="no ETT data (set TIMELLM_DATA_DIR)"
)
ETT = DataSection(dataset="ETTh1")
CUSTOM = DataSection(dataset="custom", path="a.csv", seq_len=4, pred_len=2, target="b")


def csv_file(folder: Path, rows: Sequence[Sequence[object]], header: str = "date,a,b") -> Path:
    path = folder / "a.csv"
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def section(path: Path, **changes: Any) -> DataSection:
    return msgspec.structs.replace(CUSTOM, path=str(path), **changes)


def numbered(rows: int) -> list[tuple[str, int, float]]:
    return [(f"2026-01-{row}", row, row * row / 7) for row in range(rows)]


def test_ett_is_split_as_published() -> None:
    splits = split_rows(ETT, 17420, "ETTh1.csv")
    assert splits.train == Rows(0, 8640)
    assert splits.vali == Rows(8640 - 512, 11520)
    assert splits.test == Rows(11520 - 512, 14400)


@real_data
@pytest.mark.parametrize("name", ["ETTh1", "ETTh2"])
def test_the_real_ett_has_the_published_windows(name: str) -> None:
    data = prepare(msgspec.structs.replace(ETT, dataset=name, path=str(DATA / f"{name}.csv")), 0)
    assert (len(data.train), len(data.vali), len(data.test)) == (56231, 19495, 19495)
    assert data.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")


@real_data
def test_the_scaler_of_etth1_is_the_published_one() -> None:
    data = prepare(msgspec.structs.replace(ETT, path=str(DATA / "ETTh1.csv")), 0)
    rows = np.loadtxt(DATA / "ETTh1.csv", delimiter=",", skiprows=1, usecols=range(1, 8))[:8640]
    assert data.mean == pytest.approx(rows.mean(axis=0), rel=1e-12)
    assert data.deviation == pytest.approx(rows.std(axis=0), rel=1e-12)


@given(
    rows=st.integers(30, 5000),
    seq_len=st.integers(1, 8),
    pred_len=st.integers(1, 3),
    percent=st.integers(60, 100),
)
def test_ratio_splits_cover_the_file_once_and_look_back_only(
    rows: int, seq_len: int, pred_len: int, percent: int
) -> None:
    chosen = msgspec.structs.replace(CUSTOM, seq_len=seq_len, pred_len=pred_len, percent=percent)
    splits = split_rows(chosen, rows, "a.csv")
    train_end = int(rows * 0.7)
    assert splits.train.begin == splits.fitted.begin == 0
    assert splits.fitted.end == train_end
    assert splits.train.end == (train_end - seq_len) * percent // 100 + seq_len <= train_end
    assert splits.vali == Rows(train_end - seq_len, rows - int(rows * 0.2))
    assert splits.test == Rows(splits.vali.end - seq_len, rows)


def test_a_share_of_the_training_rows_is_taken_from_their_start_as_published() -> None:
    tenth = msgspec.structs.replace(ETT, percent=10)
    assert split_rows(tenth, 17420, "ETTh1.csv").train == Rows(0, (8640 - 512) * 10 // 100 + 512)


def test_the_scaler_knows_the_training_rows_only(tmp_path: Path) -> None:
    rows = numbered(60)
    plain = prepare(section(csv_file(tmp_path, rows)), 0)
    later = [row if index < 42 else (row[0], 1e6, -1e6) for index, row in enumerate(rows)]
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
    data = prepare(section(csv_file(tmp_path, numbered(60)), features="S"), 0)
    assert data.columns == ("b",)
    whole = prepare(section(csv_file(tmp_path, numbered(60))), 0)
    assert len(whole.train) == 2 * len(data.train)


def test_the_digest_is_of_the_values_and_not_of_the_files_bytes(tmp_path: Path) -> None:
    path = csv_file(tmp_path, numbered(20))
    before = load_series(section(path), 0).digest
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert load_series(section(path), 0).digest == before
    assert Series(columns=("b", "a"), values=np.zeros((2, 2)), source="").digest != (
        Series(columns=("a", "b"), values=np.zeros((2, 2)), source="").digest
    )


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "", "abc", "1_000", "1,5"])
def test_a_bad_cell_is_named_by_column_and_row(tmp_path: Path, cell: str) -> None:
    rows: list[Sequence[object]] = list(numbered(30))
    rows[16] = ("2026-01-16", 16, f'"{cell}"')
    with pytest.raises(InputError) as caught:
        prepare(section(csv_file(tmp_path, rows)), 0)
    message = str(caught.value)
    assert 'column "b", row 17 (line 18)' in message
    assert "expected a finite number" in message
    assert "\n" not in message


def test_a_bad_cell_of_a_column_that_is_not_used_does_not_matter(tmp_path: Path) -> None:
    rows = [(date, "broken", b) for date, _, b in numbered(60)]
    assert len(prepare(section(csv_file(tmp_path, rows), features="S"), 0).train) > 0


@pytest.mark.parametrize(
    ("change", "header", "words"),
    [
        ({"target": "OT"}, "date,a,b", ['no column "OT"', "one of date, a, b"]),
        ({"date_column": "when"}, "date,a,b", ['no column "when"', "date, a, b"]),
        ({}, "date,b,b", ['the column "b" twice']),
        ({"seq_len": 100}, "date,a,b", ["20 rows", "data.seq_len 100"]),
        ({"pred_len": 5}, "date,a,b", ["validation with its look-back", "at least 9"]),
    ],
)
def test_a_file_that_does_not_fit_is_told_why(
    tmp_path: Path, change: dict[str, Any], header: str, words: list[str]
) -> None:
    path = csv_file(tmp_path, numbered(20), header)
    with pytest.raises(InputError) as caught:
        prepare(section(path, **change), 0)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [*numbered(20), ("2026-01-21", 1)]
    with pytest.raises(InputError, match=r"row 21 \(line 22\): found 2 cells; expected 3"):
        prepare(section(csv_file(tmp_path, rows)), 0)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"date"])
def test_a_file_that_is_no_csv_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        prepare(section(path), 0)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        prepare(section(tmp_path / "none.csv"), 0)


def test_ett_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, numbered(1000))
    short = DataSection(dataset="ETTh1", path=str(path), target="b")
    with pytest.raises(InputError, match=r"found 1000 rows; expected at least 14400"):
        prepare(short, 0)
