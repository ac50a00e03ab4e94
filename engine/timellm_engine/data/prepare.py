"""What training needs of a series: scaled, and cut into windows."""

from dataclasses import dataclass

import numpy as np
import torch

from timellm_engine.data.scaler import fit_scaler
from timellm_engine.data.series import load_series
from timellm_engine.data.table import Values
from timellm_engine.data.timeline import Timestamps
from timellm_engine.data.windows import Windows
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.splits import Rows, Splits


@dataclass(frozen=True, kw_only=True)
class Data:
    """Everything that training and evaluation need of the series."""

    train: Windows
    vali: Windows
    test: Windows
    columns: tuple[str, ...]
    """Names, in the order of the columns of `values`."""
    tested: tuple[int, ...]
    """Which columns validation and test are about: the windows of `vali` and `test` are theirs."""
    values: Values
    """`[rows, columns]`, unscaled, in float64; what was missing is filled."""
    timestamps: Timestamps
    """Of each row, as `datetime64[ns]`, in order."""
    frequency: str
    """Time between two rows, such as `15min`, `1h`, `1d` or `1mo`; `timeline.following` goes on
    from there."""
    splits: Splits
    """The rows of each split."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    """The scaler, by column: a scaled value is (value - mean) / deviation."""
    digest: str


def prepare(section: DataSection, seed: int) -> Data:
    """Read or draw the series that `section` names and lay out its windows.

    In main memory, wherever training is: prompts are written from them there. `seed` draws the
    synthetic series. Raises `InputError`.
    """
    series = load_series(section, seed)
    splits = series.splits
    mean, deviation = fit_scaler(series.values[splits.fitted.begin : splits.fitted.end])
    scaled = ((series.values - mean) / deviation).T.astype(np.float32, order="C")
    columns = torch.from_numpy(scaled)
    every_column = len(series.tested) == len(series.columns)
    tested = columns if every_column else columns[list(series.tested)]

    def windows(of: torch.Tensor, rows: Rows) -> Windows:
        return Windows(of[:, rows.begin : rows.end], section.seq_len, section.pred_len)

    return Data(
        train=windows(columns, splits.train),
        vali=windows(tested, splits.vali),
        test=windows(tested, splits.test),
        columns=series.columns,
        tested=series.tested,
        values=series.values,
        timestamps=series.timestamps,
        frequency=series.frequency,
        splits=splits,
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        digest=series.digest,
    )
