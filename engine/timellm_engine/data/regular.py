"""Rows put in order of time: sorted, one for each timestamp, gaps told or filled.

What is done where the config leaves a choice is said; where it leaves none, it is a problem.
"""

from dataclasses import dataclass, replace

import numpy as np

from timellm_engine.data.notes import Notes
from timellm_engine.data.table import Values
from timellm_engine.data.timeline import Timestamps, infer_frequency, iso, on_grid, positions
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.counting import Count
from timellm_ops.contract.frequency import Frequency, parse_frequency

_MOST_ADDED = 10
"""Filling gaps may make a series so many times as long; beyond that the step is a wrong one."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Timestamps and numbers of the same rows; NaN where there is no number."""

    timestamps: Timestamps
    values: Values


def put_in_order(rows: Rows, section: DataSection, source: str, notes: Notes) -> Rows:
    """The rows by time, each timestamp once, as `data.unordered` and `data.duplicates` say."""
    return _without_duplicates(_sorted(rows, section, source, notes), section, source, notes)


def _sorted(rows: Rows, section: DataSection, source: str, notes: Notes) -> Rows:
    back = np.flatnonzero(np.diff(rows.timestamps) < np.timedelta64(0, "ns")) + 1
    if not len(back):
        return rows
    row = int(back[0])
    place = f"row {row + 1}, {iso(rows.timestamps[row])} after {iso(rows.timestamps[row - 1])}"
    if section.unordered == "error":
        found = f"timestamps that go back, {_times(len(back))}, first in {place}"
        notes.problem(source, found, 'timestamps in order, or data.unordered = "sort"')
    else:
        times = _times(len(back))
        notes.finding(f"Timestamps went back {times}, first in {place}; the rows were sorted.")
    order = np.argsort(rows.timestamps, kind="stable")
    return Rows(timestamps=rows.timestamps[order], values=rows.values[order])


def _without_duplicates(rows: Rows, section: DataSection, source: str, notes: Notes) -> Rows:
    again = np.flatnonzero(np.diff(rows.timestamps) == np.timedelta64(0, "ns")) + 1
    if not len(again):
        return rows
    where = iso(rows.timestamps[again[0]])
    if section.duplicates == "error":
        found = (
            f"{Count(len(again)):row|rows} with the timestamp of another one, the first at {where}"
        )
        expected = 'each timestamp once, or data.duplicates = "first", "last" or "mean"'
        notes.problem(source, found, expected)
    else:
        done = {
            "first": "the first of each was kept",
            "last": "the last of each was kept",
            "mean": "their mean was taken",
        }[section.duplicates]
        count = f"{Count(len(again)):row|rows}"
        notes.finding(f"{count} had the timestamp of another one, first {where}; {done}.")
    starts = np.concatenate(([0], np.flatnonzero(np.diff(rows.timestamps)) + 1))
    match section.duplicates:
        case "mean":
            values = _group_means(rows.values, starts)
        case "last":
            values = rows.values[np.append(starts[1:], len(rows.values)) - 1]
        case _:
            values = rows.values[starts]
    return Rows(timestamps=rows.timestamps[starts], values=values)


def _group_means(values: Values, starts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Values:
    """The mean of each group of rows over what is a number; rows on their own stay as they are."""
    known = np.isfinite(values)
    counts = np.add.reduceat(known.astype(np.int64), starts)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    alone = np.diff(np.append(starts, len(values))) == 1
    return np.where(alone[:, None], values[starts], means)


def step_of(rows: Rows, section: DataSection, source: str, notes: Notes) -> Frequency | None:
    """The time between two rows: inferred, and as `data.frequency` says where it says so."""
    inferred = infer_frequency(rows.timestamps)
    wanted = parse_frequency(section.frequency) if section.frequency else None
    if inferred is not None and wanted is not None and inferred != wanted:
        notes.problem(
            "data.frequency", str(wanted), f"{inferred}, the step between most rows of {source}"
        )
    return wanted or inferred


def without_gaps(
    rows: Rows, step: Frequency, section: DataSection, source: str, notes: Notes
) -> Rows:
    """The rows with those that are skipped added, or the skipped ones told, as `data.gaps` says."""
    places, exact = positions(rows.timestamps, step)
    steps = np.diff(places)
    irregular = int((~exact).sum())
    if irregular:
        row = int(np.flatnonzero(~exact)[0])
        words = (
            f"{Count(irregular):timestamp|timestamps} off the steps of {step} "
            f"from the first row, the first in row {row + 1}, {iso(rows.timestamps[row])}"
        )
        if section.gaps == "report":
            notes.finding(f"Found {words}; forecasts take every row for one step.")
        else:
            notes.problem(source, words, 'a regular step, or data.gaps = "report"')
        return rows
    skipped = int((steps - 1).sum())
    if not skipped:
        return rows
    gaps = np.flatnonzero(steps > 1)
    places_told = f"in {Count(len(gaps)):place|places}"
    many = f"{Count(skipped):timestamp is|timestamps are} skipped {places_told}"
    where = f"the first after {iso(rows.timestamps[gaps[0]])}"
    match section.gaps:
        case "report":
            notes.finding(f"{many}, {where}; forecasts take every row for one step of {step}.")
        case "error":
            found = f"{Count(skipped):skipped timestamp|skipped timestamps} {places_told}, {where}"
            notes.problem(source, found, 'none, or data.gaps = "report" or "fill"')
        case "fill":
            return _filled(rows, places, step, notes, f"{many}, {where}", source)
    return rows


def _filled(
    rows: Rows,
    places: np.ndarray[tuple[int], np.dtype[np.int64]],
    step: Frequency,
    notes: Notes,
    words: str,
    source: str,
) -> Rows:
    total = int(places[-1]) + 1
    if total > _MOST_ADDED * len(rows.values):
        notes.problem(source, words, f"no more than {_MOST_ADDED} times the rows after filling")
        return rows
    values = np.full((total, rows.values.shape[1]), np.nan)
    values[places] = rows.values
    notes.finding(f"{words}; rows were added for them.")
    grid = on_grid(rows.timestamps[0], np.arange(total), step)
    return replace(rows, timestamps=grid, values=values)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
