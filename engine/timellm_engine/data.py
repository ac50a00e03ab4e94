"""The series: read, split, scaled, and cut into windows on the device.

Borders are those of the published code. ETTh1 and ETTh2 are 12, 4 and 4 months of 30 days; any
other series is split by ratios. Validation and test look back into the split before them, so
that their first forecast begins with their first row.
"""

import csv
import hashlib
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import torch

from timellm_engine.errors import InputError
from timellm_engine.synthetic import synthetic_series
from timellm_engine.windows import Windows
from timellm_ops.contract.config import DataSection

_MONTH = 30 * 24
_ETT_ENDS = (12 * _MONTH, 16 * _MONTH, 20 * _MONTH)
"""Rows at which ETT's training, validation and test end, hourly."""

_Values = np.ndarray[tuple[int, int], np.dtype[np.float64]]
_Row = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Series:
    """The columns that are forecast, as read: `values` is `[rows, columns]`, in float64."""

    columns: tuple[str, ...]
    values: _Values
    source: str
    """The file, or what the series is; for messages."""

    @property
    def digest(self) -> str:
        """SHA-256 over names and values, whatever the file's line ends or other columns are."""
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode())
        digest.update(np.ascontiguousarray(self.values).astype("<f8", copy=False).tobytes())
        return digest.hexdigest()


class Rows(NamedTuple):
    """A range of rows, `begin` included and `end` not."""

    begin: int
    end: int


class Splits(NamedTuple):
    """The rows of each split, with the look-back of validation and test."""

    train: Rows
    vali: Rows
    test: Rows
    fitted: Rows
    """What the scaler is fitted on: all training rows, whatever `percent` of them is used."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Everything that training needs of the series."""

    train: Windows
    vali: Windows
    test: Windows
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    """The scaler, by column: a scaled value is (value - mean) / deviation."""
    digest: str


def prepare(section: DataSection, seed: int, device: torch.device | str = "cpu") -> Data:
    """Read or draw the series that `section` names and lay its windows out on `device`.

    `seed` draws the synthetic series. Raises `InputError`.
    """
    series = load_series(section, seed)
    splits = split_rows(section, len(series.values), series.source)
    mean, deviation = fit_scaler(series.values[splits.fitted.begin : splits.fitted.end])
    scaled = ((series.values - mean) / deviation).T.astype(np.float32, order="C")
    on_device = torch.from_numpy(scaled).to(device)

    def windows(rows: Rows) -> Windows:
        return Windows(on_device[:, rows.begin : rows.end], section.seq_len, section.pred_len)

    return Data(
        train=windows(splits.train),
        vali=windows(splits.vali),
        test=windows(splits.test),
        columns=series.columns,
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        digest=series.digest,
    )


def load_series(section: DataSection, seed: int) -> Series:
    """The columns to forecast: all but the date, or the target alone. Raises `InputError`."""
    if section.dataset == "synthetic":
        names, values = synthetic_series(section.synthetic_rows, section.synthetic_columns, seed)
        chosen = _chosen(names, section, "the synthetic series")
        kept = values[:, [names.index(name) for name in chosen]]
        return Series(columns=tuple(chosen), values=kept, source="the synthetic series")
    if not section.path:
        raise InputError("data.path", "nothing", f"the file of {section.dataset}")
    return _read_csv(Path(section.path), section)


def _chosen(names: Sequence[str], section: DataSection, source: str) -> list[str]:
    if section.target not in names or section.target == section.date_column:
        found = f'no column "{section.target}" in {source}'
        raise InputError("data.target", found, f"one of {', '.join(names[:20])}")
    if section.features == "S":
        return [section.target]
    return [name for name in names if name != section.date_column]


def _read_csv(path: Path, section: DataSection) -> Series:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read_rows(path, file, section)
    except OSError as error:
        found = f"{path}, which cannot be read ({error.strerror or error})"
        raise InputError("data.path", found, "a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        found = f"{path}, which is no CSV file in UTF-8 ({error})"
        raise InputError("data.path", found, "a CSV file") from None


def _read_rows(path: Path, file: TextIO, section: DataSection) -> Series:
    reader = csv.reader(file)
    header: list[str] = next(reader, [])
    if section.date_column not in header:
        found = f'no column "{section.date_column}" in {path}'
        raise InputError("data.date_column", found, f"one of {', '.join(header[:20]) or 'its own'}")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(str(path), f'the column "{twice}" twice', "a name of its own for each")
    chosen = _chosen(header, section, str(path))
    positions = [header.index(name) for name in chosen]
    flat, rows = array("d"), 0
    for cells in reader:
        if not cells:
            continue
        rows += 1
        if len(cells) != len(header):
            where = f"{path}, row {rows} (line {reader.line_num})"
            raise InputError(where, f"{len(cells)} cells", f"{len(header)}, as in the header")
        numbers = [_number(cells[position]) for position in positions]
        if not all(map(math.isfinite, numbers)):
            bad = next(i for i, number in enumerate(numbers) if not math.isfinite(number))
            where = f'{path}, column "{chosen[bad]}", row {rows} (line {reader.line_num})'
            cell = cells[positions[bad]]
            raise InputError(where, f'"{cell[:40]}"' if cell else "nothing", "a finite number")
        flat.extend(numbers)
    values = np.frombuffer(flat, dtype=np.float64).reshape(rows, len(chosen))
    return Series(columns=tuple(chosen), values=values, source=str(path))


def _number(cell: str) -> float:
    """The cell's number; NaN where it holds none. Python's own `1_000` is a text here."""
    try:
        return float(cell) if "_" not in cell else math.nan
    except ValueError:
        return math.nan


def split_rows(section: DataSection, rows: int, source: str) -> Splits:
    """Where the splits begin and end. Raises `InputError` where one has not a single window."""
    if section.dataset in ("ETTh1", "ETTh2"):
        ends = _ETT_ENDS
        if rows < ends[-1]:
            found, expected = f"{rows} rows", f"at least {ends[-1]}: 20 months of 30 days, hourly"
            raise InputError(source, found, expected)
    else:
        train, test = int(rows * section.train_ratio), int(rows * section.test_ratio)
        ends = (train, rows - test, rows)
    used = (ends[0] - section.seq_len) * section.percent // 100 + section.seq_len
    splits = Splits(
        train=Rows(0, used),
        vali=Rows(ends[0] - section.seq_len, ends[1]),
        test=Rows(ends[1] - section.seq_len, ends[2]),
        fitted=Rows(0, ends[0]),
    )
    needed = section.seq_len + section.pred_len
    for name, (begin, end) in zip(("training", "validation", "test"), splits[:3], strict=True):
        if begin < 0 or end - begin < needed:
            raise InputError(
                source,
                f"{rows} rows, of which {max(0, end - max(0, begin))} are for {name}"
                + (" with its look-back" if name != "training" else ""),
                f"at least {needed} there: data.seq_len {section.seq_len} and data.pred_len "
                f"{section.pred_len}; more rows, or shorter windows",
            )
    return splits


def fit_scaler(values: _Values) -> tuple[_Row, _Row]:
    """Mean and (biased) deviation of each column of `[rows, columns]`; 1 for a constant one."""
    mean: _Row = values.mean(axis=0)
    deviation: _Row = values.std(axis=0)
    # The deviation of a constant column is zero but for the rounding of its mean.
    constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, deviation)
