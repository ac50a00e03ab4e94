"""`predict`: what a run's model expects after the end of a series, or after any row of it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_dashboard.words.phrases import said_of_data
from timellm_ops.cli.data_texts import PREDICTION, PredictionTexts
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.evaluating import Checkpoint, Device, make_writable
from timellm_ops.cli.options import Json, Lang, Language, has_unicode, language
from timellm_ops.cli.taskbar import task_bar
from timellm_ops.cli.text_table import table
from timellm_ops.cli.trained_runs import check_trained
from timellm_ops.contract.bundle import DESCRIPTION
from timellm_ops.contract.counting import Count
from timellm_ops.contract.prediction import (
    PLOT_SUFFIXES,
    TABLE_SUFFIXES,
    Prediction,
    PredictionQuestion,
)
from timellm_ops.engine_task import ask_engine
from timellm_ops.paths import full_path
from timellm_ops.store import RunStore, runs_dir

_MOST_VARIABLES, _FIRST_STEPS, _LAST_STEPS = 7, 6, 2


def predict(
    run: Annotated[
        str,
        Parameter(help="A run, as everywhere; or the folder of an inference bundle (export)."),
    ] = "latest",
    *,
    input: Annotated[  # noqa: A002 - the option's name
        Path | None,
        Parameter(help="CSV or Parquet file with the run's columns; by default the run's own."),
    ] = None,
    horizon_from: Annotated[
        str | None,
        Parameter(help="First timestamp to forecast; by default the one after the last row."),
    ] = None,
    checkpoint: Checkpoint | None = None,
    backbone: Annotated[
        str | None,
        Parameter(help="Of a bundle: where its backbone is, if no longer where it was."),
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(
            help="File.csv or .parquet, replaced if it is there; by default forecast-DATE.csv in"
            " the run's folder, or of a bundle in this one: forecast-DATE-2.csv and so on where"
            " that holds something else."
        ),
    ] = None,
    long: Annotated[
        bool, Parameter(negative="", help="One value a row instead of one timestamp a row.")
    ] = False,
    plot: Annotated[Path | None, Parameter(help="Also draw it: File.png, .svg or .pdf.")] = None,
    device: Device = None,
    lang: Lang = None,
    json: Json = False,
) -> int:
    """Forecast the steps after the end of a series, in original units, with timestamps.

    The run's own scaler is used, whatever the input. Where the input goes on after
    --horizon-from, what came stands beside the forecast.
    """
    for option, path, suffixes in (
        ("--output", output, TABLE_SUFFIXES),
        ("--plot", plot, PLOT_SUFFIXES),
    ):
        if path is not None and path.suffix.lower() not in suffixes:
            expected = ", ".join(suffixes)
            raise UsageError(f"{option}: found {path}; expected a name that ends with {expected}")
    asked = (
        _of_bundle(Path(run), input, checkpoint, backbone)
        if _is_bundle(run)
        else _of_run(run, checkpoint or "best", backbone)
    )
    if output is None:
        make_writable(Path(asked.folder), "--output")
    question = msgspec.structs.replace(
        asked,
        device=device,
        input=_full(input),
        horizon_from=horizon_from,
        output=_full(output),
        long=long,
        plot=_full(plot),
    )
    with task_bar("loading the model") as told:
        found = ask_engine(
            "timellm_engine.results.prediction",
            Prediction,
            question=msgspec.json.encode(question),
            progress=told,
        )
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return 0
    chosen: Language = (lang or language()) if has_unicode() else "en"
    for line in prediction_page(found, chosen):
        sys.stdout.write(f"{line}\n")
    return 0


def _is_bundle(ref: str) -> bool:
    """Whether a folder is meant, and no run: ids of runs have no slash in them."""
    return "/" in ref or (Path(ref) / DESCRIPTION).is_file()


def _of_run(ref: str, checkpoint: str, backbone: str | None) -> PredictionQuestion:
    layout = RunStore(runs_dir()).resolve(ref)
    if backbone is not None:
        raise UsageError("--backbone goes with the folder of a bundle; a run has its own in it")
    check_trained(layout, checkpoint)
    return PredictionQuestion(
        run_dir=str(layout.root), checkpoint=checkpoint, folder=str(layout.predictions)
    )


def _of_bundle(
    folder: Path, file: Path | None, checkpoint: str | None, backbone: str | None
) -> PredictionQuestion:
    """A bundle is one checkpoint and holds no data. Raises `UsageError`."""
    if not (folder / DESCRIPTION).is_file():
        raise UsageError(
            f"{folder}: found no {DESCRIPTION}; expected a run's id, or the folder of a bundle, as"
            " timellm-ops export makes one"
        )
    if checkpoint is not None:
        raise UsageError("--checkpoint goes with a run; a bundle has the weights of one checkpoint")
    if file is None:
        raise UsageError(
            "--input: found nothing; expected the CSV or Parquet file to go on from: a bundle holds"
            " no data"
        )
    return PredictionQuestion(bundle=_full(folder), backbone=backbone, folder=str(Path.cwd()))


def _full(path: Path | None) -> str | None:
    return None if path is None else str(full_path(str(path), Path.cwd()))


def prediction_page(found: Prediction, lang: Language) -> Iterator[str]:
    """The forecast for people, line by line."""
    texts = PREDICTION[lang]
    weights = texts.weights if found.epoch else texts.imported
    yield weights.format(run=found.run_id, checkpoint=found.checkpoint, epoch=found.epoch)
    yield texts.history.format(
        first=found.history_from,
        last=found.history_to,
        source=said_of_data(found.source, lang),
    )
    yield from (said_of_data(words, lang) for words in found.findings)
    yield ""
    yield from table(_rows(found, texts))
    more = len(found.variables) - _MOST_VARIABLES
    if more > 0:
        yield texts.more.format(count=more)
    for variable in found.variables[:_MOST_VARIABLES]:
        if variable.truth:
            pairs = list(zip(variable.forecast, variable.truth, strict=False))
            error = sum(abs(f - t) for f, t in pairs) / len(pairs)
            yield texts.error.format(name=variable.name, error=error, steps=Count(len(pairs)))
    yield ""
    yield texts.digest.format(digest=found.digest)
    if found.other_forecast is not None:
        yield texts.other.format(path=found.other_forecast)
    yield from found.files


def _rows(found: Prediction, texts: PredictionTexts) -> list[tuple[str, ...]]:
    """The first and the last few steps of the first few variables."""
    shown = found.variables[:_MOST_VARIABLES]
    rows = [(texts.timestamp, *(variable.name for variable in shown))]
    total, gap = len(found.timestamps), False
    for step, moment in enumerate(found.timestamps):
        if _FIRST_STEPS <= step < total - _LAST_STEPS:
            if not gap:
                rows.append(("...", *("" for _ in shown)))
                gap = True
            continue
        rows.append((moment, *(f"{variable.forecast[step]:.6g}" for variable in shown)))
    return rows
