"""What a forecast is made from: the last rows before its horizon, of any file with the columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from timellm_engine.data.missing import filled, tell_missing
from timellm_engine.data.notes import Notes, some
from timellm_engine.data.prepare import Data
from timellm_engine.data.regular import Rows, put_in_order, step_of, without_gaps
from timellm_engine.data.table import Table, Values, read_table
from timellm_engine.data.timeline import Timestamps, following, iso, read_dates, read_moment
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.counting import Count


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A series as far as it is known, in original units."""

    source: str
    timestamps: Timestamps
    values: Values
    """`[rows, columns]`, the columns in the run's order."""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class History:
    """`seq_len` rows, the `pred_len` timestamps after them, and what is known of those."""

    past: Timestamps
    values: Values
    """`[seq_len, columns]`."""
    future: Timestamps
    truth: Values
    """`[rows, columns]`, as many of the `pred_len` rows as are known."""


def own_series(data: Data, section: DataSection) -> Observed:
    """The series that the run was trained, validated and tested on."""
    source = section.path or f"the {section.dataset} series"
    return Observed(source=source, timestamps=data.timestamps, values=data.values)


def read_input(
    path: Path, columns: Sequence[str], frequency: str, section: DataSection
) -> Observed:
    """The training's columns of another file, put right as its config says.

    Other columns are ignored. Raises `InputError` for columns that are missing, another time
    between two rows, and what cannot be put right.
    """
    like = msgspec.structs.replace(section, path=str(path), frequency=frequency)
    table = _with_columns(_read(like, columns), columns)
    notes, source = Notes(), str(path)
    tell_missing(table, like, notes)
    notes.refuse()
    rows = Rows(timestamps=_timestamps(table, like), values=table.values)
    rows = put_in_order(rows, like, source, notes)
    step = step_of(rows, like, source, notes)
    notes.refuse()
    if step is not None:
        rows = without_gaps(rows, step, like, source, notes)
    values = filled(rows.values, rows.timestamps, table.columns, like, source, notes)
    notes.refuse()
    return Observed(
        source=source,
        timestamps=rows.timestamps,
        values=values,
        findings=tuple(notes.findings),
    )


def _read(like: DataSection, columns: Sequence[str]) -> Table:
    """The file; one without the target is one without a column, for no config is at hand here."""
    try:
        return read_table(like)
    except InputError as error:
        if error.where != "data.target":
            raise
        found = f"no column {like.target}"
        raise InputError(like.path, found, f"the columns of the run, {some(columns)}") from None


def _with_columns(table: Table, columns: Sequence[str]) -> Table:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            str(table.path),
            f"no column {some(missing)}",
            f"the columns of the run, {some(columns)}",
        )
    chosen = [table.columns.index(name) for name in columns]
    return replace(
        table,
        columns=tuple(columns),
        values=table.values[:, chosen],
        cells=table.cells[list(columns)],
    )


def _timestamps(table: Table, section: DataSection) -> Timestamps:
    found = read_dates(table.dates).timestamps
    none = np.isnat(found)
    if none.any():
        row = int(none.argmax())
        raise InputError(
            table.place(row, section.date_column),
            table.shown(row, section.date_column),
            "a timestamp such as 2016-07-01 00:00:00",
        )
    return found


def history_before(
    observed: Observed, horizon_from: str | None, section: DataSection, frequency: str
) -> History:
    """The rows before `horizon_from`, or the last ones, and the horizon after them.

    Raises `InputError` where they are too few, and for a horizon that does not follow them.
    """
    end = len(observed.timestamps)
    if horizon_from is not None:
        end = _row_of(observed, horizon_from, section.seq_len, frequency)
    if end < section.seq_len:
        raise InputError(
            observed.source,
            f"{Count(end):row|rows}",
            f"at least {section.seq_len}, what a forecast of this run sees (data.seq_len)",
        )
    begin = end - section.seq_len
    known = observed.timestamps[end : end + section.pred_len]
    beyond = section.pred_len - len(known)
    last = observed.timestamps[-1]
    future = np.concatenate((known, following(last, frequency, beyond)))
    return History(
        past=observed.timestamps[begin:end],
        values=observed.values[begin:end],
        future=future,
        truth=observed.values[end : end + section.pred_len],
    )


def _row_of(observed: Observed, text: str, seq_len: int, frequency: str) -> int:
    """The row that a horizon begins with, or the one after the last. The `seq_len` rows that a
    forecast sees must lie before it, where there are so many at all."""
    moment = read_moment(text)
    if np.isnat(moment):
        raise InputError(
            "--horizon-from", f'"{text}"', "a date such as 2018-02-20 or 2018-02-20 13:00"
        )
    rows = len(observed.timestamps)
    after = following(observed.timestamps[-1], frequency, 1)[0]
    first = observed.timestamps[seq_len] if seq_len < rows else after
    if seq_len <= rows and not first <= moment <= after:
        raise InputError(
            "--horizon-from",
            iso(moment),
            f"between {iso(first)}, which {Count(seq_len):row|rows} are before, and {iso(after)},"
            f" right after the last row of {observed.source}",
        )
    return int(np.searchsorted(observed.timestamps, moment))
