"""MSE and MAE by variable and by step of the horizon, summed exactly while forecasts come in."""

from typing import NamedTuple

import torch
from torch import Tensor

from timellm_ops.contract.evaluation import Score, VariableScore


class Sums(NamedTuple):
    """Sums of squared and absolute errors, `[variables, pred_len]` in float64, and what of."""

    squared: Tensor
    absolute: Tensor
    windows: Tensor
    """How many windows of each variable are summed, `[variables]`."""

    @classmethod
    def none(cls, variables: int, pred_len: int) -> "Sums":
        """No error yet."""
        zeros = torch.zeros(variables, pred_len, dtype=torch.float64)
        return cls(zeros, zeros.clone(), torch.zeros(variables, dtype=torch.int64))

    def add(self, variables: Tensor, forecast: Tensor, truth: Tensor) -> Tensor:
        """Count a batch, `[windows, pred_len]`, whose windows are of these `variables`.

        Answers the mean squared error of each window.
        """
        difference = (forecast - truth).double()
        squared = difference.square()
        self.squared.index_add_(0, variables, squared)
        self.absolute.index_add_(0, variables, difference.abs())
        self.windows.index_add_(0, variables, torch.ones_like(variables))
        return squared.mean(dim=1)

    def overall(self) -> Score:
        """Over all values of all windows."""
        return self._score(self.squared.sum(), self.absolute.sum(), self._values().sum())

    def by_step(self) -> tuple[Score, ...]:
        """By step of the horizon, over all variables."""
        count = self.windows.sum()
        pairs = zip(self.squared.sum(dim=0), self.absolute.sum(dim=0), strict=True)
        return tuple(self._score(squared, absolute, count) for squared, absolute in pairs)

    def by_variable(
        self, names: tuple[str, ...], deviations: tuple[float, ...]
    ) -> tuple[VariableScore, ...]:
        """By variable, also in the variable's own unit: `deviations` are those of the scaler."""
        found = []
        for row, (name, deviation) in enumerate(zip(names, deviations, strict=True)):
            score = self._score(
                self.squared[row].sum(), self.absolute[row].sum(), self._values()[row]
            )
            found.append(
                VariableScore(
                    name=name,
                    mse=score.mse,
                    mae=score.mae,
                    mse_original=score.mse * deviation**2,
                    mae_original=score.mae * deviation,
                    deviation=deviation,
                )
            )
        return tuple(found)

    def _values(self) -> Tensor:
        return self.windows * self.squared.shape[1]

    @staticmethod
    def _score(squared: Tensor, absolute: Tensor, count: Tensor) -> Score:
        return Score(mse=float(squared / count), mae=float(absolute / count))
