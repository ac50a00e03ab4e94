"""When the rows of a series are: timestamps read, the time between them, and what comes next."""

import re
from typing import Any, NamedTuple

import numpy as np

from timellm_ops.contract.frequency import Frequency, of_nanoseconds, parse_frequency

Timestamps = np.ndarray[tuple[int], np.dtype[np.datetime64]]
"""Always `datetime64[ns]`, without a time zone."""
Positions = np.ndarray[tuple[int], np.dtype[np.int64]]

_MONTH_NS = 28 * 24 * 3600 * 10**9
"""The shortest month."""
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)


class ReadDates(NamedTuple):
    """Timestamps of cells, and how they were read."""

    timestamps: Timestamps
    """NaT where a cell holds none."""
    day_first: bool
    """Whether 13/02/2026 decided that the day comes first."""
    zoned: bool
    """Whether offsets from UTC stood there; the timestamps are in UTC then."""


def read_dates(cells: Any) -> ReadDates:
    """The timestamps of a pandas column of texts or of dates.

    ISO 8601 is tried first, then the form of the first cell with the month before the day and with
    the day before it. Where both fit every cell, the one that makes the more regular steps is
    taken; where none does, the one that fits most cells.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(cells):
        zoned = getattr(cells.dtype, "tz", None) is not None
        return ReadDates(_in_nanoseconds(pd.to_datetime(cells, utc=True)), False, zoned)
    texts = cells.astype(object).map(lambda cell: "" if is_nothing(cell) else str(cell).strip())
    zoned = len(texts) > 0 and _OFFSET.search(str(texts.iat[0])) is not None
    best = ReadDates(_in_nanoseconds(_parsed(texts, "ISO8601", day_first=False)), False, zoned)
    if not np.isnat(best.timestamps).any():
        return best
    for day_first in (False, True):
        read = _in_nanoseconds(_parsed(texts, None, day_first=day_first))
        if _regularity(read) > _regularity(best.timestamps):
            best = ReadDates(read, day_first, zoned)
    return best


def _regularity(timestamps: Timestamps) -> tuple[int, int]:
    """How many timestamps there are, and how many follow the one before by the usual step."""
    known = int((~np.isnat(timestamps)).sum())
    if known < len(timestamps) or known < 2:
        return known, 0
    ordered = np.unique(timestamps)
    step = infer_frequency(ordered)
    if step is None:
        return known, 0
    places, exact = positions(ordered, step)
    return known, int(((np.diff(places) == 1) & exact[1:]).sum())


def is_nothing(cell: Any) -> bool:
    """Whether nothing stands in a cell."""
    import pandas as pd

    return cell is None or cell == "" or bool(pd.isna(cell))


def _parsed(texts: Any, form: str | None, *, day_first: bool) -> Any:
    import warnings

    import pandas as pd

    with warnings.catch_warnings():
        # That a form was guessed, or that the day must come first, is what is tried here.
        warnings.simplefilter("ignore", UserWarning)
        return pd.to_datetime(texts, format=form, dayfirst=day_first, utc=True, errors="coerce")


def _in_nanoseconds(moments: Any) -> Timestamps:
    """Without the time zone; NaT for what 64 bits of nanoseconds cannot hold (1678 to 2262)."""
    seconds = moments.dt.tz_localize(None).to_numpy()
    first, last = np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s")
    held = (seconds >= first) & (seconds < last)
    return np.where(held, seconds, np.datetime64("NaT")).astype("datetime64[ns]")


def read_moment(text: str) -> np.datetime64:
    """One timestamp of a config, in UTC where it has an offset; NaT where it is none."""
    import pandas as pd

    return np.datetime64(read_dates(pd.Series([text], dtype=object)).timestamps[0])


def iso(moment: np.datetime64) -> str:
    """For people and reports: `2016-07-01 00:00:00`, with a fraction only where there is one."""
    whole, _, fraction = str(moment.astype("datetime64[ns]")).replace("T", " ").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def infer_frequency(timestamps: Timestamps) -> Frequency | None:
    """The step between most of the rows, which are in order; `None` for fewer than two."""
    if len(timestamps) < 2:
        return None
    steps = np.diff(timestamps).astype(np.int64)
    if steps.min() >= _MONTH_NS and positions(timestamps, Frequency(1, "mo"))[1].all():
        months = np.diff(timestamps.astype("datetime64[M]")).astype(np.int64)
        return Frequency(_most_common(months), "mo")
    return of_nanoseconds(_most_common(steps))


def _most_common(steps: Positions) -> int:
    lengths, counts = np.unique(steps, return_counts=True)
    return int(lengths[counts.argmax()])


def positions(
    timestamps: Timestamps, frequency: Frequency
) -> tuple[Positions, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """How many steps each timestamp is after the first one, and whether exactly so many."""
    first = timestamps[0]
    length = frequency.nanoseconds
    if length is None:
        months = timestamps.astype("datetime64[M]").astype(np.int64)
        places = (months - months[0]) // frequency.number
    else:
        places = (timestamps - first).astype(np.int64) // length
    return places, on_grid(first, places, frequency) == timestamps


def on_grid(first: np.datetime64, places: Positions, frequency: Frequency) -> Timestamps:
    """The timestamps so many steps after `first`.

    Steps of months keep the day and the time of day; where `first` is the end of a month, so are
    all, and where a month has not so many days, its end is taken.
    """
    length = frequency.nanoseconds
    if length is not None:
        return first + places * np.timedelta64(length, "ns")
    month = first.astype("datetime64[M]")
    day = first.astype("datetime64[D]")
    months = month + places * frequency.number
    ends = (months + 1).astype("datetime64[D]") - 1
    at_end = day + 1 == (month + 1).astype("datetime64[D]")
    days = ends if at_end else np.minimum(months.astype("datetime64[D]") + (day - month), ends)
    timestamps: Timestamps = days.astype("datetime64[ns]") + (first - day)
    return timestamps


def following(last: np.datetime64, frequency: str, count: int) -> Timestamps:
    """The `count` timestamps after `last`, by the frequency of a `Data`."""
    step = parse_frequency(frequency)
    if step is None:
        raise ValueError(f"{frequency} is no frequency")
    return on_grid(last.astype("datetime64[ns]"), np.arange(1, count + 1), step)
