"""Mean and deviation of the training rows, by which every column is scaled."""

import numpy as np

from timellm_engine.data.table import Values

Row = np.ndarray[tuple[int], np.dtype[np.float64]]


def fit_scaler(values: Values) -> tuple[Row, Row]:
    """Mean and (biased) deviation of each column of `[rows, columns]`; 1 for a constant one."""
    mean: Row = values.mean(axis=0)
    deviation: Row = values.std(axis=0)
    return mean, np.where(_constant(mean, deviation), 1.0, deviation)


def constant_columns(values: Values) -> list[int]:
    """Which columns of `[rows, columns]` never change."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.flatnonzero(_constant(values.mean(axis=0), values.std(axis=0))).tolist()


def immense_columns(values: Values) -> list[int]:
    """Which columns of finite numbers are so large that their deviation is infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        overflown = ~np.isfinite(values.std(axis=0)) & np.isfinite(values).all(axis=0)
    return np.flatnonzero(overflown).tolist()


def _constant(mean: Row, deviation: Row) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    # The deviation of a constant column is zero but for the rounding of its mean.
    return deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
