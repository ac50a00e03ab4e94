"""The series: read, its rows put right as the config says, and split. Without torch.

Everything that is noteworthy is said with its place; what the config leaves no choice about is a
problem, and all problems are collected before the first one is raised.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from timellm_engine.data.missing import filled, tell_missing
from timellm_engine.data.notes import Notes, some
from timellm_engine.data.regular import Rows, put_in_order, step_of, without_gaps
from timellm_engine.data.scaler import constant_columns, immense_columns
from timellm_engine.data.synthetic import FIRST, synthetic_series
from timellm_engine.data.table import Table, Values, chosen_columns, read_table
from timellm_engine.data.timeline import Timestamps, iso, on_grid, read_dates, read_moment
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.counting import Count
from timellm_ops.contract.frequency import Frequency
from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.contract.splits import (
    Ends,
    Splits,
    by_dates,
    dated_ends,
    shortage,
    split_ends,
    splits_of,
)

_SYNTHETIC = "the synthetic series"


@dataclass(frozen=True, kw_only=True)
class Series:
    """The columns that are forecast: `values` is `[rows, columns]`, finite numbers in float64."""

    columns: tuple[str, ...]
    tested: tuple[int, ...]
    """Which columns validation and test are about."""
    values: Values
    timestamps: Timestamps
    frequency: str
    splits: Splits
    source: str
    """The file, or what the series is; for messages."""
    findings: tuple[str, ...] = field(default=(), compare=False)
    """One sentence each: what is noteworthy and what was done about it."""

    @property
    def digest(self) -> str:
        """SHA-256 over names, timestamps and values, whatever file they come from."""
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode())
        digest.update(self.timestamps.astype("<i8").tobytes())
        digest.update(np.ascontiguousarray(self.values).astype("<f8", copy=False).tobytes())
        return digest.hexdigest()


def load_series(section: DataSection, seed: int) -> Series:
    """The series that `section` names; `seed` draws the synthetic one. Raises `InputError`."""
    series, notes = examine(section, seed)
    notes.refuse()
    assert series is not None  # noqa: S101 - there would be a problem
    return series


def examine(section: DataSection, seed: int) -> tuple[Series | None, Notes]:
    """The series and everything that reading it came upon.

    With problems there is no series, or one that shows what could be found out nevertheless.
    Raises `InputError` where nothing can be read at all.
    """
    notes = Notes()
    if section.dataset == "synthetic":
        names, values = synthetic_series(section.synthetic_rows, section.synthetic_columns, seed)
        chosen = chosen_columns(names, section, _SYNTHETIC)
        hourly = Frequency(1, "h")
        rows = Rows(
            timestamps=on_grid(FIRST, np.arange(len(values)), hourly),
            values=values[:, [names.index(name) for name in chosen]],
        )
        return _series(rows, chosen, hourly, section, _SYNTHETIC, notes), notes
    if not section.path:
        raise InputError("data.path", "nothing", f"the file of {section.dataset}")
    table = read_table(section)
    source = str(table.path)
    _compare_shape(table, section, notes)
    tell_missing(table, section, notes)
    timestamps = _timestamps(table, section, notes)
    if timestamps is None:
        return None, notes
    rows = put_in_order(Rows(timestamps=timestamps, values=table.values), section, source, notes)
    step = step_of(rows, section, source, notes)
    if step is None:
        notes.problem(source, f"{Count(len(rows.values)):row|rows}", "at least two")
        return None, notes
    rows = without_gaps(rows, step, section, source, notes)
    values = filled(rows.values, rows.timestamps, table.columns, section, source, notes)
    rows = replace(rows, values=values)
    return _series(rows, table.columns, step, section, source, notes), notes


def _compare_shape(table: Table, section: DataSection, notes: Notes) -> None:
    """A published data set that is not as usual is a finding: splits and figures may differ."""
    usual = PUBLISHED_SHAPES.get(section.dataset)
    if usual is None:
        return
    rows, columns = len(table.values), len(table.columns)
    if rows != usual.rows or (section.features != "S" and columns != usual.columns):
        notes.finding(
            f"{Count(rows):row|rows} and {Count(columns):column|columns}: the usual file of "
            f"{section.dataset} has {usual.rows} and {usual.columns}, "
            "so results do not compare with published ones."
        )


def _timestamps(table: Table, section: DataSection, notes: Notes) -> Timestamps | None:
    read = read_dates(table.dates)
    none = np.isnat(read.timestamps)
    if none.any():
        row, count = int(none.argmax()), int(none.sum())
        shown = table.shown(row, section.date_column)
        more = f", one of {count} such cells" if count > 1 else ""
        expected = "a timestamp such as 2016-07-01 00:00:00, between 1678 and 2262"
        notes.problem(table.place(row, section.date_column), shown + more, expected)
        return None
    if read.day_first:
        notes.finding("Dates are read with the day before the month, which fits them best.")
    if read.zoned:
        notes.finding("Timestamps with an offset are taken in UTC.")
    return read.timestamps


def _series(
    rows: Rows,
    columns: Sequence[str],
    step: Frequency,
    section: DataSection,
    source: str,
    notes: Notes,
) -> Series | None:
    """The rows split and their constant columns seen to; `None` where they cannot be split."""
    count = len(rows.values)
    ends = _ends(section, rows.timestamps, notes)
    short = None if ends is None else shortage(section, ends, count)
    if short is not None:
        notes.problem(source, short.found, short.expected)
    if ends is None or short is not None:
        return None
    splits = splits_of(section, ends)
    immense = immense_columns(rows.values)
    if immense:
        where = some([columns[position] for position in immense])
        notes.problem(source, f"numbers too large to be squared, in {where}", "other units")
    kept = _without_constants(rows, columns, splits, section, source, notes)
    names = tuple(columns[position] for position in kept)
    target = names.index(section.target)
    return Series(
        columns=names,
        tested=(target,) if section.features == "MS" else tuple(range(len(names))),
        values=rows.values if len(kept) == len(columns) else rows.values[:, kept],
        timestamps=rows.timestamps,
        frequency=str(step),
        splits=splits,
        source=source,
        findings=tuple(notes.findings),
    )


def _ends(section: DataSection, timestamps: Timestamps, notes: Notes) -> Ends | None:
    """Where the splits end; `None` where the config's dates do not say it."""
    if not by_dates(section):
        return split_ends(section, len(timestamps))
    moments: list[tuple[str, str, np.datetime64]] = [("", "", timestamps[0])]
    for key in ("train_end", "vali_end", "test_end"):
        text: str = getattr(section, key)
        moment = read_moment(text) if text else timestamps[-1]
        if np.isnat(moment):
            notes.problem(f"data.{key}", f'"{text}"', "a timestamp such as 2016-07-01 00:00:00")
            return None
        _, before, previous = moments[-1]
        if text and moment <= previous:
            after = before or iso(timestamps[0])
            notes.problem(f"data.{key}", f'"{text}"', f"a timestamp after {after}")
            return None
        if text and key != "test_end" and moment > timestamps[-1]:
            notes.problem(
                f"data.{key}", f'"{text}"', f"at most {iso(timestamps[-1])}, the last row's"
            )
            return None
        moments.append((key, text, moment))
    return dated_ends(
        section,
        len(timestamps),
        lambda text: int(np.searchsorted(timestamps, read_moment(text))),
    )


def _without_constants(
    rows: Rows,
    columns: Sequence[str],
    splits: Splits,
    section: DataSection,
    source: str,
    notes: Notes,
) -> list[int]:
    """Which columns are kept, as `data.constant` says."""
    fitted = rows.values[splits.fitted.begin : splits.fitted.end]
    constant = constant_columns(fitted)
    everything = list(range(len(columns)))
    if not constant:
        return everything
    names = some([columns[position] for position in constant])
    share = f"{len(constant)} of {Count(len(columns)):column|columns}"
    never = f"in the training rows, {share} never change: {names}"
    if section.constant == "error":
        notes.problem(source, never, 'none, or data.constant = "report" or "drop"')
    elif section.constant == "report":
        notes.finding(f"{never[0].upper()}{never[1:]}. They are scaled to zeros.")
    elif columns.index(section.target) in constant:
        found = f"the target {section.target}, which never changes in the training rows"
        notes.problem(source, found, 'another data.target, or data.constant = "report"')
    else:
        notes.finding(f"{never[0].upper()}{never[1:]}. They are left out.")
        return [position for position in everything if position not in constant]
    return everything
