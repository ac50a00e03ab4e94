"""Which rows belong to training, validation and test, and how many windows and steps they make.

Borders are those of the published code. Validation and test look back into the split before them,
so that their first forecast begins with their first row.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from timellm_ops.contract.config import DataSection, TrainSection
from timellm_ops.contract.counting import Count

_MONTH_H = 30 * 24
_PUBLISHED_ENDS = {
    "ETTh1": (12 * _MONTH_H, 16 * _MONTH_H, 20 * _MONTH_H),
    "ETTh2": (12 * _MONTH_H, 16 * _MONTH_H, 20 * _MONTH_H),
    "ETTm1": (48 * _MONTH_H, 64 * _MONTH_H, 80 * _MONTH_H),
    "ETTm2": (48 * _MONTH_H, 64 * _MONTH_H, 80 * _MONTH_H),
}
"""12, 4 and 4 months of 30 days, hourly or every quarter of an hour."""

_PUBLISHED_RATIOS = {
    "Weather": (0.7, 0.2), "ECL": (0.7, 0.2), "Traffic": (0.7, 0.2),
    "Exchange": (0.7, 0.2), "ILI": (0.7, 0.2),
}  # fmt: skip
"""Training and test."""


class Ends(NamedTuple):
    """The row after the last one of each split."""

    train: int
    vali: int
    test: int


class Rows(NamedTuple):
    """A range of rows, `begin` included and `end` not."""

    begin: int
    end: int

    def windows(self, section: DataSection) -> int:
        """Windows of look-back and horizon that fit into the range, of one column."""
        return max(0, self.end - self.begin - section.seq_len - section.pred_len + 1)


class Splits(NamedTuple):
    """The rows of each split, with the look-back of validation and test."""

    train: Rows
    vali: Rows
    test: Rows
    fitted: Rows
    """What the scaler is fitted on: all training rows, whatever `percent` of them is used."""


def by_dates(section: DataSection) -> bool:
    """Whether the config says at which timestamps the splits end."""
    return bool(section.train_end)


def split_ends(section: DataSection, rows: int) -> Ends:
    """Where the splits of a series of so many rows end: as published, or by ratios.

    The last end is beyond `rows` where a published data set is too short. A config that splits by
    dates has its ends from `dated_ends`.
    """
    published = _PUBLISHED_ENDS.get(section.dataset)
    if published is not None:
        return Ends(*published)
    ratios = _PUBLISHED_RATIOS.get(section.dataset, (section.train_ratio, section.test_ratio))
    train, test = (int(rows * ratio) for ratio in ratios)
    return Ends(train, rows - test, rows)


def dated_ends(section: DataSection, rows: int, row_of: Callable[[str], int]) -> Ends:
    """Where the splits of a config that splits by dates end.

    `row_of` gives the first row that is not before a timestamp of the config.
    """
    test = row_of(section.test_end) if section.test_end else rows
    return Ends(row_of(section.train_end), row_of(section.vali_end), test)


class Shortage(NamedTuple):
    """Why a series cannot be split: what was found, and what would be right."""

    found: str
    expected: str


def shortage(section: DataSection, ends: Ends, rows: int) -> Shortage | None:
    """What is wrong where a split has not a single window; `None` where each has one."""
    if section.dataset in _PUBLISHED_ENDS and rows < ends.test:
        expected = f"at least {ends.test}: 20 months of 30 days, as {section.dataset} is split"
        return Shortage(f"{Count(rows):row|rows}", expected)
    needed = section.seq_len + section.pred_len
    share = f", data.percent {section.percent}" if section.percent < 100 else ""
    for name, split in zip(
        ("training", "validation", "test"), splits_of(section, ends), strict=False
    ):
        if split.begin >= 0 and split.windows(section):
            continue
        own = max(0, split.end - max(0, split.begin))
        back = "" if name == "training" else " with its look-back"
        return Shortage(
            f"{Count(rows):row|rows}, of which {own} for {name}{back}",
            f"at least {needed} there: data.seq_len {section.seq_len} and data.pred_len "
            f"{section.pred_len}{'' if back else share}; more rows, or shorter windows",
        )
    return None


def splits_of(section: DataSection, ends: Ends) -> Splits:
    """The rows of every split, of which a training split of `percent` has only the first."""
    used = (ends.train - section.seq_len) * section.percent // 100 + section.seq_len
    return Splits(
        train=Rows(0, used),
        vali=Rows(ends.train - section.seq_len, ends.vali),
        test=Rows(ends.vali - section.seq_len, ends.test),
        fitted=Rows(0, ends.train),
    )


def forecast_columns(section: DataSection, columns: int) -> tuple[int, int]:
    """Of how many columns windows are trained on, and validated and tested on."""
    match section.features:
        case "M":
            return columns, columns
        case "MS":
            return columns, 1
        case "S":
            return 1, 1


def steps_per_epoch(train: TrainSection, windows: int) -> int:
    """Steps that an epoch over so many windows has, with the smaller last one or without it."""
    whole, rest = divmod(windows, train.batch_size)
    return whole if train.drop_last and whole else whole + math.ceil(rest / train.batch_size)
