"""A forecast beyond what is known: what is asked of a prediction, and what it answers."""

from typing import Literal

from msgspec import Struct

SCHEMA = "timellm-ops.prediction/1"
"""Of a prediction as JSON."""

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
TABLE_SUFFIXES = (".csv", ".parquet")


class PredictionQuestion(Struct, frozen=True, kw_only=True):
    """What to forecast, and where to write it. Paths are absolute."""

    run_dir: str = ""
    """Of the run whose model forecasts; empty where `bundle` does."""
    checkpoint: str = "best"
    bundle: str | None = None
    """The folder of an inference bundle, in place of a run."""
    backbone: str | None = None
    """Where the bundle's backbone is; `None`: where it was in training."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    input: str | None = None
    """CSV or Parquet file with the run's columns; `None`: the run's own series."""
    horizon_from: str | None = None
    """First timestamp to forecast; `None`: the one after the end of the input."""
    output: str | None = None
    """CSV or Parquet file, replaced if it is there; `None`: `forecast-DATE.csv` in `folder`, or
    `forecast-DATE-2.csv` and so on where that holds something else."""
    folder: str
    long: bool = False
    """One value a row instead of one timestamp a row."""
    plot: str | None = None


class VariableForecast(Struct, frozen=True, kw_only=True):
    """One variable's forecast, in its own unit."""

    name: str
    forecast: tuple[float, ...]
    truth: tuple[float, ...] = ()
    """What came, as far as the input goes; empty where it ends before the horizon begins."""


class Prediction(Struct, frozen=True, kw_only=True):
    """The whole of a prediction."""

    run_id: str
    checkpoint: str
    epoch: int
    source: str
    """The file whose last rows were the history, or what the series is."""
    frequency: str
    history_from: str
    history_to: str
    """First and last timestamp that the forecast has seen."""
    timestamps: tuple[str, ...]
    """Of the forecast's steps."""
    variables: tuple[VariableForecast, ...]
    digest: str
    """SHA-256 over the scaled forecasts, little-endian float32, variable by variable."""
    findings: tuple[str, ...] = ()
    """What is to be known of the input, each as one sentence."""
    files: tuple[str, ...] = ()
    other_forecast: str | None = None
    """The file with the usual name, where something else is in it: it is left as it is."""
    schema: str = SCHEMA
