"""A file of a series, as it stands: CSV or Parquet, to timestamps' cells and numbers.

Nothing is decided here about what is missing or wrong; a cell without a finite number is NaN, and
the table can say what stood there and in which line.
"""

import csv
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timellm_engine.data.timeline import is_nothing
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection

Values = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_PARQUET = b"PAR1"
_SHOWN_COLUMNS, _SHOWN_CHARACTERS = 20, 40


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns that are asked for; rows count from 0 here and from 1 in messages."""

    path: Path
    parquet: bool
    dates: Any
    """The column of timestamps as it was read, a pandas Series."""
    columns: tuple[str, ...]
    """Those that are forecast, in the order of the file."""
    values: Values
    """`[rows, columns]`; NaN where a cell holds no finite number."""
    cells: Any
    """The columns of `values` as they were read, a pandas DataFrame."""

    def place(self, row: int, column: str) -> str:
        """A cell for messages: file, column, row, and the line of a CSV file."""
        line = "" if self.parquet else f" (line {self._line(row)})"
        return f'{self.path}, column "{column}", row {row + 1}{line}'

    def shown(self, row: int, column: str) -> str:
        """What stands in a cell, for messages."""
        value = (self.cells[column] if column in self.columns else self.dates).iat[row]
        return "nothing" if is_nothing(value) else f'"{str(value)[:_SHOWN_CHARACTERS]}"'

    def _line(self, row: int) -> int:
        return next(
            line for number, (line, _) in enumerate(_records(self.path), 0) if number == row + 1
        )


def read_table(section: DataSection) -> Table:
    """The file at `data.path`. Raises `InputError` for what is no table with the columns needed."""
    path = Path(section.path)
    try:
        with path.open("rb") as file:
            parquet = file.read(len(_PARQUET)) == _PARQUET
        return _read_parquet(path, section) if parquet else _read_csv(path, section)
    except OSError as error:
        found = f"{path}, which cannot be read ({error.strerror or error})"
        raise InputError("data.path", found, "a CSV or Parquet file") from None


def chosen_columns(names: Sequence[str], section: DataSection, source: str) -> list[str]:
    """The columns to forecast: all but the date, or the target alone. Raises `InputError`."""
    if section.target not in names or section.target == section.date_column:
        found = f'no column "{section.target}" in {source}'
        others = [name for name in names if name != section.date_column]
        raise InputError("data.target", found, f"one of {_listed(others)}")
    if section.features == "S":
        return [section.target]
    return [name for name in names if name != section.date_column]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_COLUMNS
    return ", ".join(names[:_SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")


def _checked_header(header: Sequence[str], section: DataSection, path: Path) -> list[str]:
    if section.date_column not in header:
        found = f'no column "{section.date_column}" in {path}'
        raise InputError("data.date_column", found, f"one of {_listed(header) or 'its own'}")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(str(path), f'the column "{twice}" twice', "a name of its own for each")
    return chosen_columns(header, section, str(path))


def _read_csv(path: Path, section: DataSection) -> Table:
    import pandas as pd

    try:
        header = next(_records(path), (0, list[str]()))[1]
        chosen = _checked_header(header, section, path)
        with path.open(encoding="utf-8-sig", newline="") as file, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # From pandas 3.1 on, floats are read exactly without being asked for, and asking warns.
            warnings.simplefilter("ignore", DeprecationWarning)
            frame = pd.read_csv(
                file,
                header=0,
                names=header,
                index_col=False,
                dtype={section.date_column: str},
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
                float_precision="round_trip",
            )
        if frame.iloc[:, -1].isna().any():
            _check_lengths(path)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        _check_lengths(path)
        raise _no_csv(path, error) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_csv(path, error) from None
    return _table(path, frame, section, chosen, parquet=False)


def _no_csv(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    found = f"{path}, which is no CSV file in UTF-8 ({reason})"
    return InputError("data.path", found, "a CSV or Parquet file")


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of the header and of each row; blank lines are none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield reader.line_num, cells


def _check_lengths(path: Path) -> None:
    """Raises `InputError` for the first row that has not as many cells as the header."""
    records = _records(path)
    expected = len(next(records)[1])
    for row, (line, cells) in enumerate(records, start=1):
        if len(cells) != expected:
            where = f"{path}, row {row} (line {line})"
            raise InputError(where, f"{len(cells)} cells", f"{expected}, as in the header")


def _read_parquet(path: Path, section: DataSection) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        names = list(parquet.read_schema(path).names)
        chosen = _checked_header(names, section, path)
        read = parquet.read_table(path, columns=[section.date_column, *chosen])
        frame = read.to_pandas(ignore_metadata=True)
    except pa.ArrowException as error:
        found = f"{path}, which is no Parquet file ({' '.join(str(error).split())[:200]})"
        raise InputError("data.path", found, "a CSV or Parquet file") from None
    return _table(path, frame, section, chosen, parquet=True)


def _table(
    path: Path, frame: Any, section: DataSection, chosen: list[str], *, parquet: bool
) -> Table:
    cells = frame[chosen]
    values = np.empty((len(frame), len(chosen)), dtype=np.float64)
    for position, name in enumerate(chosen):
        values[:, position] = _numbers(cells[name])
    return Table(
        path=path,
        parquet=parquet,
        dates=frame[section.date_column],
        columns=tuple(chosen),
        values=values,
        cells=cells,
    )


def _numbers(column: Any) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A pandas column in float64, exactly; NaN for what is no finite number, as a truth value."""
    from pandas.api import types

    if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=math.nan)
        return np.where(np.isfinite(numbers), numbers, math.nan)
    return np.array([_number(cell) for cell in column.astype(object)], dtype=np.float64)


def _number(cell: object) -> float:
    """The cell's number; NaN where it holds none. Python's own `1_000` is a text here."""
    if cell is None or isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and "_" in cell):
        return math.nan
    try:
        number = float(cell)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
