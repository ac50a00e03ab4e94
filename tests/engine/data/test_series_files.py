"""A series from a file: the same bits from CSV and Parquet, and every fault with its place."""

import datetime
import math
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from series_files import hours, numbered, read, section, told, write

from timellm_engine.data.series import load_series
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.validation import one_line

DAY = "2026-01-01"


def problem(path: Path, **changes: Any) -> str:
    """The one problem that is raised, and also reported."""
    with pytest.raises(InputError) as caught:
        read(path, **changes)
    text = str(caught.value)
    assert "\n" not in text
    assert told(path, **changes).problems[0] == one_line(text)
    return text


# --- the same bits from everywhere ---------------------------------------------------------------


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.tuples(*[st.floats(-1e150, 1e150)] * 2), min_size=20, max_size=40),
    first=st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),  # noqa: DTZ001
    minutes=st.integers(1, 10**5),
)
def test_any_series_reads_back_to_the_same_bits_from_csv_and_parquet(
    tmp_path: Path, numbers: list[tuple[float, float]], first: datetime.datetime, minutes: int
) -> None:
    first = first.replace(microsecond=0)
    dates = [first + datetime.timedelta(minutes=minutes * row) for row in range(len(numbers))]
    frame = pd.DataFrame(
        {"date": dates, "a": [a for a, _ in numbers], "b": [b for _, b in numbers]}
    )
    rows = [
        [date.isoformat(" "), repr(a), repr(b)] for date, (a, b) in zip(dates, numbers, strict=True)
    ]
    text = read(write(tmp_path, rows))
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    binary = read(tmp_path / "a.parquet")
    assert text.values.tobytes() == b"".join(struct.pack("<2d", *pair) for pair in numbers)
    assert binary.values.tobytes() == text.values.tobytes()
    assert np.array_equal(text.timestamps, np.array(dates, dtype="datetime64[ns]"))
    assert (binary.digest, binary.frequency) == (text.digest, text.frequency)


def test_the_digest_is_of_names_times_and_values_and_not_of_the_files_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, numbered(20))
    before = read(path).digest
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n  \r\n")
    assert read(path).digest == before
    for rows, header in (
        (numbered(20), "date,c,b"),
        ([[when, row + (row == 7), b] for when, row, b in numbered(20)], "date,a,b"),
        (
            [
                [when, *row[1:]]
                for when, row in zip(hours(20, "2027-01-01"), numbered(20), strict=True)
            ],
            "date,a,b",
        ),
    ):
        assert read(write(tmp_path, rows, header)).digest != before


def test_whole_numbers_and_single_precision_of_a_parquet_file_are_numbers(tmp_path: Path) -> None:
    whole = np.arange(20, dtype=np.int32)
    single = whole.astype(np.float32) / 3
    frame = pd.DataFrame({"a": whole, "b": single, "date": hours(20)})
    frame.to_parquet(tmp_path / "a.parquet")
    values = read(tmp_path / "a.parquet").values
    assert values[:, 0].tolist() == whole.tolist()
    assert values[:, 1].tolist() == single.tolist()


def test_the_synthetic_series_is_hourly_from_2020_on() -> None:
    series = load_series(
        DataSection(dataset="synthetic", synthetic_rows=700, seq_len=48, pred_len=24), 0
    )
    assert series.frequency == "1h"
    assert series.timestamps[[0, -1]].astype("datetime64[h]").astype(str).tolist() == [
        "2020-01-01T00",
        "2020-01-30T03",
    ]


def test_reading_loads_no_torch() -> None:
    script = "import sys, timellm_engine.data.inspection, pandas; print('torch' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert said.stdout == "False\n"


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-Infinity", "", "abc", "1_000", '"1,5"', "True", "0x10"]
)
def test_a_cell_without_a_number_is_named_by_column_row_and_line(tmp_path: Path, cell: str) -> None:
    rows = numbered(30)
    rows[16][2] = cell
    path = write(tmp_path, rows)
    text = problem(path)
    assert text.startswith(f'{path}, column "b", row 17 (line 18): found ')
    assert 'expected a finite number, or data.missing = "previous" or "interpolate"' in text


def test_a_cell_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[16][2] = '"\x1b[31mred\nline"'
    (text,) = told(write(tmp_path, rows)).problems
    assert text.isprintable()
    assert r'found "\x1b[31mred\nline"' in text


def test_every_column_has_its_own_problem_and_its_count(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[3][1] = rows[9][1] = rows[5][2] = ""
    first, second = told(write(tmp_path, rows)).problems
    assert 'column "a", row 4 (line 5): found nothing, one of 2 such cells of the column' in first
    assert 'column "b", row 6 (line 7)' in second


def test_the_line_of_a_row_counts_blank_lines_and_cells_of_two_lines(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[16][2] = "abc"
    path = write(tmp_path, rows)
    lines = path.read_text().splitlines()
    lines[5] = lines[5].replace(" ", '" "', 1).replace('" "', " ") + "\n"
    path.write_text("\n".join(lines))
    assert "row 17 (line 19)" in problem(path)


def test_missing_cells_take_the_value_before(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[3][1] = rows[4][1] = ""
    found = read(write(tmp_path, rows), missing="previous")
    assert found.values[:6, 0].tolist() == [0, 1, 2, 2, 2, 5]
    assert any("2 cells of 30" in words and "the value before" in words for words in found.findings)


def test_nothing_before_the_first_cell_is_a_problem(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[0][1] = rows[1][1] = "?"
    path = write(tmp_path, rows)
    assert 'column "a", row 1: found no number' in problem(path, missing="previous")
    assert read(path, missing="interpolate").values[:4, 0].tolist() == [2, 2, 2, 3]


def test_missing_cells_are_on_a_line_over_time(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[3][1], rows[29][1] = "", "nan"
    rows[4][0] = f"{DAY} 03:30:00"  # so 3 is two thirds of the way from 2 to 3.5
    found = read(write(tmp_path, rows), missing="interpolate")
    assert found.values[3, 0] == pytest.approx(2 + 2 * 1 / 1.5)
    assert found.values[29, 0] == 28


def test_a_column_without_any_number_is_always_a_problem(tmp_path: Path) -> None:
    rows = [[when, "station", b] for when, _, b in numbered(30)]
    path = write(tmp_path, rows)
    for missing in ("error", "previous", "interpolate"):
        assert "at least somewhere in the column" in problem(path, missing=missing)
    assert read(path, features="S").columns == ("b",)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([1.5, -2.0, math.nan]), min_size=2, max_size=30))
def test_previous_never_looks_ahead(column: list[float]) -> None:
    from timellm_engine.data.missing import filled
    from timellm_engine.data.notes import Notes

    values = np.array([[0.0, *column]]).T
    times = np.datetime64(DAY, "ns") + np.arange(len(values)) * np.timedelta64(1, "h")
    chosen = section(Path("a.csv"), missing="previous")
    whole = filled(values, times, ["b"], chosen, "", Notes())
    assert np.isfinite(whole).all()
    for end in range(1, len(values)):
        part = filled(values[:end], times[:end], ["b"], chosen, "", Notes())
        assert np.array_equal(part, whole[:end])


# --- rows and columns ----------------------------------------------------------------------------


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, [*numbered(20), [f"{DAY} 20:00", 1]])
    assert "row 21 (line 22): found 2 cells; expected 3" in problem(path)
    path = write(tmp_path, [*numbered(20), [f"{DAY} 20:00", 1, 2, 3]])
    assert "row 21 (line 22): found 4 cells; expected 3" in problem(path)
    path = write(tmp_path, [[*row, 9] for row in numbered(20)])
    assert "row 1 (line 2): found 4 cells; expected 3" in problem(path)


def test_numbers_that_cannot_be_squared_are_refused(tmp_path: Path) -> None:
    rows = [[when, 1e200 * row, b] for row, (when, _, b) in enumerate(numbered(30))]
    assert "numbers too large to be squared, in a" in problem(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("change", "header", "words"),
    [
        ({"target": "OT"}, "date,a,b", ['no column "OT"', "one of a, b"]),
        ({"date_column": "when"}, "date,a,b", ['no column "when"', "date, a, b"]),
        ({}, "date,b,b", ['the column "b" twice']),
        ({"seq_len": 100}, "date,a,b", ["20 rows", "data.seq_len 100"]),
        ({"pred_len": 5}, "date,a,b", ["validation with its look-back", "at least 7"]),
    ],
)
def test_a_file_that_does_not_fit_is_told_why(
    tmp_path: Path, change: dict[str, Any], header: str, words: list[str]
) -> None:
    text = problem(write(tmp_path, numbered(20), header), **change)
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    "content",
    [b"", b"date", b"\xff\xfe\x00", b"date,b\n\xff\xfe,1\n", b"\x00" * 1000, b"PAR1 and no more",
     b'date,b\n"2026-01-01,1\n', b"x" * 200_000, b"date,b\n", b"date,b\n2026-01-01,1\n"],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert "found" in problem(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert "which cannot be read" in problem(tmp_path / "none.csv")
    assert "which cannot be read" in problem(tmp_path)


def test_a_constant_column_is_told_refused_or_left_out(tmp_path: Path) -> None:
    rows = [[when, 3 if row < 21 else row, b] for row, (when, _, b) in enumerate(numbered(30))]
    path = write(tmp_path, rows)
    assert any("1 of 2 columns never change: a. They" in words for words in read(path).findings)
    assert "never change: a; expected none" in problem(path, constant="error")
    left = read(path, constant="drop")
    assert (left.columns, left.tested, left.values.shape) == (("b",), (0,), (30, 1))
    assert "the target a" in problem(path, constant="drop", target="a")


def test_a_published_set_of_another_shape_is_a_finding(tmp_path: Path) -> None:
    path = write(tmp_path, numbered(60))
    found = told(path, dataset="Exchange")
    assert found.problems == ()
    assert any(
        "60 rows and 2 columns: the usual file of Exchange has 7588 and 8" in words
        for words in found.findings
    )


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "finding"),
    [
        ("%Y-%m-%d %H:%M:%S", ""), ("%Y-%m-%dT%H:%M", ""), ("%Y/%m/%d %H:%M", ""),
        ("%m/%d/%Y %H:%M", ""), ("%d/%m/%Y %H:%M", "the day before the month"),
        ("%d.%m.%Y %H:%M", "the day before the month"), ("%Y-%m-%dT%H:%M:%SZ", "in UTC"),
        ("%Y-%m-%d %H:%M:%S+0000", "in UTC"), ("%Y%m%d %H%M", ""),
    ],
)  # fmt: skip
def test_dates_of_many_forms_are_read(tmp_path: Path, form: str, finding: str) -> None:
    times = pd.date_range("2026-01-10 23:00", periods=200, freq="h")
    rows = [[when.strftime(form), row, row] for row, when in enumerate(times)]
    series = read(write(tmp_path, rows))
    assert series.frequency == "1h"
    assert np.array_equal(series.timestamps, times.to_numpy().astype("datetime64[ns]"))
    assert finding in " ".join(series.findings)


def test_months_are_not_taken_for_days_where_both_can_be_read(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=40, freq="MS")
    for form, finding in (("%d/%m/%Y", "the day before the month"), ("%m/%d/%Y", "")):
        rows = [[when.strftime(form), row, row] for row, when in enumerate(times)]
        series = read(write(tmp_path, rows))
        assert series.frequency == "1mo"
        assert finding in " ".join(series.findings)


def test_midnight_may_be_written_without_its_hour(tmp_path: Path) -> None:
    rows = [[when.removesuffix(" 00:00:00"), a, b] for when, a, b in numbered(50)]
    assert read(write(tmp_path, rows)).frequency == "1h"


def test_dates_of_a_parquet_file_may_have_a_zone_or_be_days(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.date_range(DAY, periods=30, freq="h", tz="Asia/Shanghai")})
    frame["b"] = range(30)
    frame.to_parquet(tmp_path / "a.parquet")
    zoned = read(tmp_path / "a.parquet")
    assert zoned.timestamps[0] == np.datetime64("2025-12-31T16:00")
    assert any("in UTC" in words for words in zoned.findings)
    frame["date"] = pd.date_range(DAY, periods=30).date
    frame.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").frequency == "1d"


@pytest.mark.parametrize(
    "cell", ["", "soon", "2026-13-01", "1467331200", "9999-01-01", "0001-01-01"]
)
def test_a_date_that_is_none_is_named(tmp_path: Path, cell: str) -> None:
    rows = numbered(30)
    rows[16][0] = cell
    text = problem(write(tmp_path, rows))
    assert 'column "date", row 17 (line 18): found ' in text
    assert "expected a timestamp such as" in text


def test_timestamps_that_go_back_are_refused_or_sorted(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[4], rows[20] = rows[20], rows[4]
    path = write(tmp_path, rows)
    text = problem(path)
    assert "timestamps that go back, 2 times, first in row 6, 2026-01-01 05:00:00 after" in text
    assert 'data.unordered = "sort"' in text
    found = read(path, unordered="sort")
    assert found.digest == read(write(tmp_path, numbered(30))).digest
    assert any(words.startswith("Timestamps went back 2 times") for words in found.findings)


@pytest.mark.parametrize(("choice", "kept"), [("first", 5.0), ("last", 11.0), ("mean", 8.0)])
def test_rows_of_the_same_time_are_refused_or_made_one(
    tmp_path: Path, choice: str, kept: float
) -> None:
    rows = numbered(30)
    rows.insert(6, [rows[5][0], 11, rows[5][2]])
    path = write(tmp_path, rows)
    assert "1 row with the timestamp of another one, the first at 2026-01-01 05:00:00" in problem(
        path
    )
    found = read(path, duplicates=choice)
    assert found.values.shape == (30, 2)
    assert found.values[4:7, 0].tolist() == [4, kept, 6]
    assert any("1 row had the timestamp of another" in words for words in found.findings)


def test_skipped_timestamps_are_told_refused_or_filled(tmp_path: Path) -> None:
    rows = numbered(40)
    del rows[30], rows[5:8]
    path = write(tmp_path, rows)
    found = read(path)
    assert len(found.values) == 36
    assert any(
        "4 timestamps are skipped in 2 places, the first after 2026-01-01 04:00:00" in words
        for words in found.findings
    )
    assert "found 4 skipped timestamps in 2 places" in problem(path, gaps="error")
    whole = read(path, gaps="fill", missing="interpolate")
    assert whole.values[:, 0].tolist() == list(range(40))
    assert whole.timestamps.tolist() == read(write(tmp_path, numbered(40))).timestamps.tolist()


def test_filling_does_not_make_a_series_many_times_as_long(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[-1][0] = "2126-01-01 00:00:00"
    text = problem(write(tmp_path, rows), gaps="fill", missing="previous")
    assert "no more than 10 times the rows" in text


def test_timestamps_off_the_step_are_told_and_cannot_be_filled(tmp_path: Path) -> None:
    rows = numbered(30)
    rows[9][0] = f"{DAY} 09:20:00"
    path = write(tmp_path, rows)
    words = "1 timestamp off the steps of 1h from the first row, the first in row 10"
    assert any(words in finding for finding in read(path).findings)
    assert words in problem(path, gaps="fill", missing="previous")


@pytest.mark.parametrize(
    ("alias", "frequency"),
    [("15min", "15min"), ("D", "1d"), ("7D", "1w"), ("MS", "1mo"), ("ME", "1mo"), ("QS", "3mo"),
     ("YS", "12mo"), ("100ms", "100ms"), ("30s", "30s")],
)  # fmt: skip
def test_the_frequency_is_inferred_and_goes_on(tmp_path: Path, alias: str, frequency: str) -> None:
    from timellm_engine.data.timeline import following

    times = pd.date_range("2026-01-01", periods=50, freq=alias)
    rows = [[when, row, row] for row, when in enumerate(times[:40])]
    series = read(write(tmp_path, rows))
    assert series.frequency == frequency
    assert not any("skipped" in words or "not whole" in words for words in series.findings)
    expected = times[40:].to_numpy().astype("datetime64[ns]")
    assert np.array_equal(following(series.timestamps[-1], series.frequency, 10), expected)


def test_a_frequency_that_the_config_names_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path, numbered(30))
    assert read(path, frequency="60min").frequency == "1h"
    assert problem(path, frequency="1d").startswith("data.frequency: found 1d; expected 1h")


def test_months_that_are_skipped_are_counted(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-31", periods=40, freq="ME").delete([3, 4])
    path = write(tmp_path, [[when.date(), row, row] for row, when in enumerate(times)])
    assert any("2 timestamps are skipped in 1 place" in words for words in read(path).findings)
    filled = read(path, gaps="fill", missing="previous").timestamps
    expected = pd.date_range("2020-01-31", periods=40, freq="ME").to_numpy()
    assert np.array_equal(filled, expected.astype("datetime64[ns]"))


# --- splits by dates -----------------------------------------------------------------------------


def test_splits_by_dates_begin_at_the_first_row_that_is_not_before(tmp_path: Path) -> None:
    path = write(tmp_path, numbered(96))
    found = read(path, train_end="2026-01-03", vali_end="2026-01-03 11:30", test_end="2026-01-04")
    assert found.splits.train == (0, 48)
    assert found.splits.vali == (46, 60)
    assert found.splits.test == (58, 72)
    whole = read(path, train_end="2026-01-03", vali_end="2026-01-03T12:00:00")
    assert whole.splits.test == (58, 96)


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ({"train_end": "soon", "vali_end": "2026-01-03"}, 'data.train_end: found "soon"'),
        ({"train_end": "2026-01-03", "vali_end": "2026-01-02"}, "a timestamp after 2026-01-03"),
        ({"train_end": "2025-01-03", "vali_end": "2026-01-02"}, "a timestamp after 2026-01-01"),
        ({"train_end": "2026-01-03", "vali_end": "2027-01-02"}, "at most 2026-01-04 23:00:00"),
        (
            {"train_end": "2026-01-02", "vali_end": "2026-01-03", "test_end": "2026-01-03"},
            "data.test_end",
        ),
        ({"train_end": "2026-01-01 02:00", "vali_end": "2026-01-03"}, "for training"),
    ],
)
def test_dates_that_do_not_split_are_refused(
    tmp_path: Path, dates: dict[str, str], words: str
) -> None:
    assert words in problem(write(tmp_path, numbered(96)), **dates)


# --- the report ----------------------------------------------------------------------------------


def test_the_report_says_every_split_with_its_dates_and_windows(tmp_path: Path) -> None:
    found = told(write(tmp_path, numbered(100)), features="MS")
    assert (found.rows, found.columns, found.tested) == (100, ("a", "b"), ("b",))
    assert (found.first, found.last, found.frequency) == (
        "2026-01-01 00:00:00",
        "2026-01-05 03:00:00",
        "1h",
    )
    train, vali, test = found.splits
    assert (train.rows, train.windows, train.columns, train.samples) == (70, 68, 2, 136)
    assert (vali.rows, vali.windows, vali.samples) == (10, 10, 10)
    assert (test.first, test.last, test.rows) == ("2026-01-04 08:00:00", found.last, 20)
    assert found.problems == ()
    assert len(found.digest) == 64


def test_the_report_has_every_problem_at_once(tmp_path: Path) -> None:
    rows = numbered(40)
    rows[3][1] = "?"
    rows[7], rows[8] = rows[8], rows[7]
    rows.insert(20, rows[19])
    problems = told(write(tmp_path, rows), frequency="1d").problems
    assert [re.split("[ ;]", text.split(": found ")[1])[0] for text in problems] == [
        '"?"',
        "timestamps",
        "1",
        "1d",
    ]
