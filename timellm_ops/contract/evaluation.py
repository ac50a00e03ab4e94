"""How good a trained model is: what is asked of an evaluation, and what it answers.

Errors are on scaled data unless a name says otherwise: a scaled value is (value - mean) /
deviation of its variable. Values of different variables have different units, so errors in
original units exist for each variable and not for all of them together.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

SCHEMA = "timellm-ops.evaluation/1"
"""Of an evaluation as JSON, and of the file that it is kept in."""

EvaluatedSplit = Literal["train", "vali", "test"]


class EvaluationQuestion(Struct, frozen=True, kw_only=True):
    """What to evaluate. Paths are absolute."""

    run_dir: str
    split: EvaluatedSplit = "test"
    checkpoint: str = "best"
    """`best`, `last` or `step-N`: the name of a folder in the run's `checkpoints`."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """`None`: as the run was configured."""
    batch_size: int | None = None
    """Windows at once; `None`: the run's `train.eval_batch_size`."""
    season: int | None = None
    """Steps of the seasonal baseline's season; `None`: by the series' frequency."""
    plots: str | None = None
    """Folder and beginning of the names of the plots; `None`: none are drawn."""
    forecasts: str | None = None
    """Parquet file to write every forecast to; `None`: none is written."""


class Score(Struct, frozen=True, kw_only=True):
    """Mean squared and mean absolute error over all values that are meant."""

    mse: float
    mae: float


class VariableScore(Struct, frozen=True, kw_only=True):
    """One variable's errors, scaled and in its own unit."""

    name: str
    mse: float
    mae: float
    mse_original: float
    """In the square of the variable's unit."""
    mae_original: float
    """In the variable's unit."""
    deviation: float
    """By which scaled errors are multiplied, once for MAE and twice for MSE."""


class BaselineScore(Struct, frozen=True, kw_only=True):
    """A simple forecaster on the same windows; `None` where it cannot forecast them."""

    name: str
    detail: str
    """How it forecasts, or why it cannot."""
    mse: float | None = None
    mae: float | None = None
    by_step: tuple[Score, ...] = ()


class Recorded(Struct, frozen=True, kw_only=True):
    """What the run itself wrote down about the same weights and windows."""

    mse: float
    mae: float | None
    agrees: bool
    """Whether both errors are the same up to rounding."""


class Computed(Struct, frozen=True, kw_only=True):
    """What the last bits of a forecast depend on, besides weights and data."""

    batch_size: int
    device: str
    threads: int
    torch: str


class Evaluation(Struct, frozen=True, kw_only=True):
    """The whole of an evaluation."""

    run_id: str
    split: EvaluatedSplit
    checkpoint: str
    epoch: int
    """In which the weights were saved, after so many of its steps: `iteration`. Both are 0 for
    imported weights."""
    iteration: int
    whole_epoch: bool
    """Whether the epoch's last step is done."""
    seq_len: int
    pred_len: int
    windows: int
    """Of all variables together."""
    mse: float
    mae: float
    variables: tuple[VariableScore, ...]
    by_step: tuple[Score, ...]
    """By step of the horizon, over all variables."""
    baselines: tuple[BaselineScore, ...]
    digest: str
    """SHA-256 over the scaled forecasts, little-endian float32, in the order of the windows."""
    computed: Computed
    seconds: float
    best_baseline: str | None = None
    """The name of the one with the lowest MSE."""
    skill: float | None = None
    """Share of its MSE that the model does without; negative where the model is worse."""
    recorded: Recorded | None = None
    files: tuple[str, ...] = ()
    """What was written, this evaluation's own file first."""
    schema: str = SCHEMA


class Comparison(NamedTuple):
    """A model's MSE beside that of the best baseline."""

    name: str
    mse: float
    skill: float | None
    """Share of the baseline's MSE that the model does without; `None` where that is nothing."""


def compare(mse: float, baselines: Sequence[BaselineScore]) -> Comparison | None:
    """The model of this `mse` beside the best of `baselines`; `None` where none can forecast."""
    able = [(b.mse, b.name) for b in baselines if b.mse is not None]
    if not able:
        return None
    lowest, name = min(able)
    return Comparison(name, lowest, 1.0 - mse / lowest if lowest > 0 else None)


def recorded_beside(evaluation: Evaluation, mse: float, mae: float | None) -> Recorded:
    """The run's own errors, and whether they are those of `evaluation` up to rounding."""
    agrees = _same(mse, evaluation.mse) and (mae is None or _same(mae, evaluation.mae))
    return Recorded(mse=mse, mae=mae, agrees=agrees)


def _same(first: float, second: float) -> bool:
    """Up to the rounding of single precision, as another device or batch size may round."""
    return abs(first - second) <= 1e-5 * max(abs(first), abs(second))
