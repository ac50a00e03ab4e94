"""Forecasts as Parquet: one value a row, written as they come and never all held at once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from timellm_engine.aside import written_aside
from timellm_engine.results.forecasts import Shown


class ForecastWriter:
    """Takes batches in original units."""

    def __init__(self, writer: Any, names: tuple[str, ...]) -> None:
        self._writer, self._names = writer, names

    def add(self, shown: Shown) -> None:
        """Write a batch: its windows one after the other, each step by step."""
        import pyarrow as pa

        count, pred_len = shown.forecast.shape
        variable = np.repeat(shown.variable.astype(np.int32), pred_len)
        steps = np.tile(np.arange(1, pred_len + 1, dtype=np.int32), count)
        columns = [
            pa.array(np.repeat(shown.window.astype(np.int32), pred_len)),
            pa.DictionaryArray.from_arrays(pa.array(variable), pa.array(list(self._names))),
            pa.array(steps),
            pa.array(shown.future.ravel().astype("datetime64[ns]")),
            pa.array(shown.truth.ravel()),
            pa.array(shown.forecast.ravel()),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=_schema()))


@contextlib.contextmanager
def forecast_table(path: Path, names: tuple[str, ...]) -> Iterator[ForecastWriter]:
    """A table of forecasts of these variables, in place once all is written.

    Columns: `window` (number by the time at which it begins, from 0), `variable`, `step` (from
    1), `timestamp`, `truth` and `forecast` in the variable's own unit. Raises `PreflightError`.
    """
    import pyarrow.parquet as pq

    with (
        written_aside(path) as aside,
        pq.ParquetWriter(aside, _schema(), compression="zstd") as writer,
    ):
        yield ForecastWriter(writer, names)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("window", pa.int32()),
            ("variable", pa.dictionary(pa.int32(), pa.string())),
            ("step", pa.int32()),
            ("timestamp", pa.timestamp("ns")),
            ("truth", pa.float32()),
            ("forecast", pa.float32()),
        ]
    )
