"""Cells without a finite number: told by column and row, and filled where the config says how."""

from collections.abc import Sequence

import numpy as np

from timellm_engine.data.notes import Notes
from timellm_engine.data.table import Table, Values
from timellm_engine.data.timeline import Timestamps
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.counting import Count

_TOLD_COLUMNS = 20


def tell_missing(table: Table, section: DataSection, notes: Notes) -> None:
    """Say which cells of the file hold no finite number: as problems where that is an error."""
    bad = np.isnan(table.values)
    counts = bad.sum(axis=0)
    rows = len(table.values)
    columns = np.flatnonzero(counts)
    for position in columns.tolist()[:_TOLD_COLUMNS]:
        column, count = table.columns[position], int(counts[position])
        row = int(bad[:, position].argmax())
        shown = table.shown(row, column)
        if section.missing == "error" or count == rows:
            more = f", one of {count} such cells of the column" if count > 1 else ""
            expected = (
                'a finite number, or data.missing = "previous" or "interpolate"'
                if count < rows
                else "a finite number at least somewhere in the column"
            )
            notes.problem(table.place(row, column), shown + more, expected)
        else:
            done = {"previous": "the value before", "interpolate": "a line between its neighbours"}
            cells = f"{Count(count):cell|cells}"
            place = table.place(row, column).removeprefix(f"{table.path}, ")
            notes.finding(
                f"{cells} of {rows} without a finite number, first {shown} in {place}: filled by "
                f"{done[section.missing]}."
            )
    if len(columns) > _TOLD_COLUMNS:
        others = f"{Count(len(columns) - _TOLD_COLUMNS):more column|more columns}"
        notes.finding(f"Cells without a finite number are in {others}.")


def filled(
    values: Values,
    timestamps: Timestamps,
    columns: Sequence[str],
    section: DataSection,
    source: str,
    notes: Notes,
) -> Values:
    """`values` with every NaN filled: by the value before it, or by a line over time.

    A column's first cells have no value before them, which is a problem under `previous`; a line
    is drawn level beyond the first and the last number.
    """
    bad = np.isnan(values)
    if not bad.any() or section.missing == "error":
        return values
    if section.missing == "interpolate":
        return _interpolated(values, timestamps, bad)
    for position in np.flatnonzero(bad[0]).tolist():
        if bad[:, position].all():
            continue  # told already
        first = int((~bad[:, position]).argmax())
        where = f'{source}, column "{columns[position]}", row 1'
        found = f"no number, nor one before it; the first is in row {first + 1}"
        notes.problem(where, found, 'a number to begin with, or data.missing = "interpolate"')
    latest = np.maximum.accumulate(np.where(bad, 0, np.arange(len(values))[:, None]), axis=0)
    result: Values = np.take_along_axis(values, latest, axis=0)
    return result


def _interpolated(
    values: Values, timestamps: Timestamps, bad: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
) -> Values:
    result = values.copy()
    times = (timestamps - timestamps[0]).astype(np.float64)
    for position in np.flatnonzero(bad.any(axis=0)):
        gone = bad[:, position]
        if gone.all():
            continue
        known = ~gone
        result[gone, position] = np.interp(times[gone], times[known], values[known, position])
    return result
