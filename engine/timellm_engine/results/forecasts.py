"""Every forecast of a split, batch by batch in the order of the windows, in original units too."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timellm_engine.data.prepare import Data
from timellm_engine.data.windows import Windows, in_batches
from timellm_engine.errors import TrainingError
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.evaluation import EvaluatedSplit
from timellm_ops.contract.splits import Rows

_Floats = np.ndarray[tuple[int, int], np.dtype[np.float32]]
_Times = np.ndarray[tuple[int, int], np.dtype[np.datetime64]]


class Batch(NamedTuple):
    """Some windows of a split and their forecasts, scaled, on the CPU."""

    numbers: Tensor
    history: Tensor
    """`[count, seq_len]`."""
    truth: Tensor
    """`[count, pred_len]`."""
    forecast: Tensor
    """`[count, pred_len]`, float32."""


class Shown(NamedTuple):
    """A batch in original units, each row a window."""

    window: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Number of the window within its variable, by the time at which it begins."""
    variable: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Index among the split's variables."""
    history: _Floats
    truth: _Floats
    forecast: _Floats
    past: _Times
    future: _Times


class EvaluatedWindows:
    """The windows of one split: which variable and which rows each of them is of."""

    def __init__(self, data: Data, split: EvaluatedSplit) -> None:
        self._data = data
        self.windows: Windows = getattr(data, split)
        self.rows: Rows = getattr(data.splits, split)
        chosen = range(len(data.columns)) if split == "train" else data.tested
        self.columns = tuple(chosen)
        self.names = tuple(data.columns[column] for column in chosen)
        self.deviations = tuple(data.deviation[column] for column in chosen)
        self.each = len(self.windows) // len(self.columns)
        """Windows of one variable."""

    def variables(self, numbers: Tensor) -> Tensor:
        """Of which of the split's variables the windows of these numbers are."""
        return numbers // self.each

    def series(self) -> Tensor:
        """The split's rows as the model sees them, look-back included: `[variables, rows]`."""
        columns = list(self.columns)
        values = self._data.values[self.rows.begin : self.rows.end, columns]
        mean = np.array(self._data.mean)[columns]
        scaled = (values - mean) / np.array(self.deviations)
        return torch.from_numpy(scaled.T.astype(np.float32, order="C"))

    def shown(self, batch: Batch) -> Shown:
        """The batch in original units, with the timestamps of its rows."""
        variable = self.variables(batch.numbers).numpy()
        window = (batch.numbers % self.each).numpy()
        seq_len, pred_len = batch.history.shape[1], batch.forecast.shape[1]
        rows = self.rows.begin + window[:, None] + np.arange(seq_len + pred_len)
        column = np.array(self.columns)[variable]
        both = self._data.values[rows, column[:, None]].astype(np.float32)
        mean = np.array(self._data.mean)[column][:, None]
        deviation = np.array(self._data.deviation)[column][:, None]
        forecast = (batch.forecast.numpy().astype(np.float64) * deviation + mean).astype(np.float32)
        times = self._data.timestamps[rows]
        return Shown(
            window=window,
            variable=variable,
            history=both[:, :seq_len],
            truth=both[:, seq_len:],
            forecast=forecast,
            past=times[:, :seq_len],
            future=times[:, seq_len:],
        )


def forecasts(
    model: TimeLLM, windows: Windows, numbers: Tensor, batch_size: int
) -> Iterator[Batch]:
    """The forecasts of the windows of these numbers, in their order. The model stays as it is."""
    with torch.inference_mode():
        prototypes = model.text_prototypes()
    for batch in in_batches(numbers, batch_size):
        history, truth = windows.batch(batch)
        with torch.inference_mode():
            forecast = model(history, prototypes).float()
        check_finite(forecast)
        yield Batch(batch, history, truth, forecast.cpu())


def check_finite(forecast: Tensor) -> None:
    """Raise `TrainingError` for forecasts that are no numbers: they have no error to report."""
    if not bool(torch.isfinite(forecast).all()):
        raise TrainingError(
            "the model's forecasts are not finite numbers: its weights are of no use, or too large "
            "for the precision that it computes in"
        )


class Digest:
    """SHA-256 over forecasts as they come: little-endian float32, whatever the machine."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, forecast: Tensor) -> None:
        """Take the next forecasts, `[count, pred_len]`."""
        self._hash.update(np.ascontiguousarray(forecast.numpy(), dtype="<f4").tobytes())

    def hex(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()
