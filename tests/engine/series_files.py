"""Files of series for tests, and what reading them gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from timellm_engine.data.inspection import report
from timellm_engine.data.series import Series, load_series
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.datareport import DataReport

SECTION = DataSection(dataset="custom", path="a.csv", seq_len=2, pred_len=1, target="b")
"""A dozen rows are enough for it."""


def hours(count: int, first: str = "2026-01-01") -> list[str]:
    """So many timestamps, an hour apart."""
    return [str(moment) for moment in pd.date_range(first, periods=count, freq="h")]


def numbered(count: int) -> list[list[Any]]:
    """Rows of a timestamp, a number and another number."""
    return [[when, row, row * row / 7] for row, when in enumerate(hours(count))]


def write(folder: Path, rows: Sequence[Sequence[object]], header: str = "date,a,b") -> Path:
    """`rows` as a CSV file, cell by cell as they are."""
    path = folder / "a.csv"
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def section(path: Path, **changes: Any) -> DataSection:
    """What to read it with."""
    return msgspec.structs.replace(SECTION, path=str(path), **changes)


def read(path: Path, **changes: Any) -> Series:
    """The series in a file. Raises `InputError`."""
    return load_series(section(path, **changes), 0)


def told(path: Path, **changes: Any) -> DataReport:
    """The report on a file, which is told whatever is wrong with it."""
    return report(section(path, **changes), 0)
