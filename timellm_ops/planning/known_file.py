"""The dates of a published data set's own file: it is known to the byte, so few lines are read."""

import csv
from itertools import islice
from pathlib import Path

import msgspec

from timellm_ops.contract.config import DataSection
from timellm_ops.contract.plan import DataPlan
from timellm_ops.contract.splits import split_ends, splits_of
from timellm_ops.datasets import KNOWN, altered
from timellm_ops.planning.steps import published_data

_replace = msgspec.structs.replace


def is_published(dataset: str, path: Path) -> bool:
    """Whether the file is, byte for byte, the one whose rows and columns are published."""
    known = KNOWN.get(dataset)
    return known is not None and bool(known.sha256 or known.git_blob) and not altered(path, known)


def dated_data(section: DataSection, path: Path) -> DataPlan:
    """The splits of such a file, with its timestamps. Raises `OSError`."""
    data = published_data(section)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        place = next(reader).index(section.date_column)
        dates = [cells[place] for cells in islice(reader, data.rows)]
    found = splits_of(section, split_ends(section, data.rows))
    return _replace(
        data,
        source=str(path),
        splits=tuple(
            _replace(split, first=dates[rows.begin + split.look_back], last=dates[rows.end - 1])
            for split, rows in zip(data.splits, found[:3], strict=True)
        ),
    )
