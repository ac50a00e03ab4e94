"""A prediction as CSV or Parquet, one timestamp a row or one value a row."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from timellm_engine.aside import written_aside
from timellm_engine.data.timeline import Timestamps
from timellm_ops.contract.prediction import Prediction, VariableForecast

_Column = tuple[str, Sequence[object]]


def write_prediction(path: Path, found: Prediction, future: Timestamps, *, long: bool) -> None:
    """Write `found` to `path`; its suffix decides: `.parquet`, or CSV. Raises `PreflightError`.

    Wide: `timestamp`, one column for each variable, and `NAME truth` where something is known.
    Long: `timestamp`, `variable`, `step`, `forecast`, and `truth` where something is known.
    """
    columns = _long(found, future) if long else _wide(found, future)
    with written_aside(path) as aside:
        if path.suffix.lower() == ".parquet":
            _write_parquet(aside, columns)
        else:
            aside.write_bytes(_csv(columns))


def prediction_csv(found: Prediction, future: Timestamps, *, long: bool) -> bytes:
    """What `write_prediction` writes into a file that ends with `.csv`."""
    return _csv(_long(found, future) if long else _wide(found, future))


def _wide(found: Prediction, future: Timestamps) -> list[_Column]:
    columns: list[_Column] = [("timestamp", list(future))]
    columns += [(variable.name, variable.forecast) for variable in found.variables]
    if any(variable.truth for variable in found.variables):
        columns += [(f"{v.name} truth", _known(v)) for v in found.variables]
    return columns


def _long(found: Prediction, future: Timestamps) -> list[_Column]:
    steps = len(future)
    columns: list[_Column] = [
        ("timestamp", [moment for _ in found.variables for moment in future]),
        ("variable", [v.name for v in found.variables for _ in range(steps)]),
        ("step", [step for _ in found.variables for step in range(1, steps + 1)]),
        ("forecast", [value for v in found.variables for value in v.forecast]),
    ]
    if any(variable.truth for variable in found.variables):
        columns.append(("truth", [value for v in found.variables for value in _known(v)]))
    return columns


def _known(variable: VariableForecast) -> list[float | None]:
    """The truth of each step, `None` where it is not known yet."""
    gone = len(variable.forecast) - len(variable.truth)
    return [*variable.truth, *[None] * gone]


def _csv(columns: list[_Column]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(_texts(values) for _, values in columns), strict=True))
    return file.getvalue().encode()


def _texts(values: Sequence[object]) -> Iterator[object]:
    from timellm_engine.data.timeline import iso

    for value in values:
        yield iso(value) if isinstance(value, np.datetime64) else value


def _write_parquet(path: Path, columns: list[_Column]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"timestamp": pa.timestamp("ns"), "variable": pa.string(), "step": pa.int32()}
    long = {name for name, _ in columns} >= {"variable", "step"}
    arrays = {}
    for number, (name, values) in enumerate(columns):
        kind = kinds.get(name, pa.float32()) if long or number == 0 else pa.float32()
        arrays[name] = pa.array(list(values), type=kind)
    parquet.write_table(pa.table(arrays), path)
