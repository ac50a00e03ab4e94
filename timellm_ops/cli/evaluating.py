"""`evaluate`: how good a run's model is, and whether it is better than something simple."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter, validators

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.evaluation_page import evaluation_page
from timellm_ops.cli.evaluation_texts import TEXTS
from timellm_ops.cli.options import Ascii, Json, Lang, RunRef, has_unicode, language
from timellm_ops.cli.taskbar import task_bar
from timellm_ops.cli.trained_runs import check_trained
from timellm_ops.contract.evaluation import EvaluatedSplit, Evaluation, EvaluationQuestion
from timellm_ops.engine_task import ask_engine
from timellm_ops.paths import full_path
from timellm_ops.process.files import replace_file
from timellm_ops.store import RunStore, runs_dir

AtLeastOne = validators.Number(gte=1)
Checkpoint = Annotated[str, Parameter(help="Whose weights: best (by default), last or step-N.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    Parameter(help="Where to compute; by default as the run was configured."),
]


def evaluate(
    run: RunRef = "latest",
    *,
    split: Annotated[
        EvaluatedSplit, Parameter(help="Which part of the data; test by default.")
    ] = "test",
    checkpoint: Checkpoint = "best",
    batch_size: Annotated[
        int | None,
        Parameter(
            validator=AtLeastOne,
            help="Windows computed at once; by default the run's train.eval_batch_size.",
        ),
    ] = None,
    season: Annotated[
        int | None,
        Parameter(
            validator=AtLeastOne,
            help="After how many steps the seasonal baseline repeats; by default from the dates.",
        ),
    ] = None,
    save_forecasts: Annotated[
        bool, Parameter(negative="", help="Also write every forecast, as Parquet.")
    ] = False,
    no_plots: Annotated[bool, Parameter(negative="", help="Draw no pictures.")] = False,
    to: Annotated[
        Path | None, Parameter(help="Folder of the results; by default predictions of the run.")
    ] = None,
    device: Device = None,
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """Errors of a run's model by variable and by step, beside simple baselines, with pictures.

    The run is only read, and may be going on: its best weights so far are evaluated.
    """
    layout = RunStore(runs_dir()).resolve(run)
    check_trained(layout, checkpoint)
    folder = layout.predictions if to is None else full_path(str(to), Path.cwd())
    ending = f"{split}-{checkpoint}"
    question = EvaluationQuestion(
        run_dir=str(layout.root),
        split=split,
        checkpoint=checkpoint,
        device=device,
        batch_size=batch_size,
        season=season,
        plots=None if no_plots else str(folder / f"evaluation-{ending}"),
        forecasts=str(folder / f"forecasts-{ending}.parquet") if save_forecasts else None,
    )
    make_writable(folder, "--to")
    with task_bar("loading the model") as told:
        found = ask_engine(
            "timellm_engine.results.evaluation",
            Evaluation,
            question=msgspec.json.encode(question),
            progress=told,
        )
    path = folder / f"evaluation-{ending}.json"
    found = msgspec.structs.replace(found, files=(str(path), *found.files))
    encoded = msgspec.json.encode(found)
    replace_file(path, msgspec.json.format(encoded, indent=2) + b"\n")
    if json:
        sys.stdout.write(encoded.decode() + "\n")
        return 0
    plain = ascii_only or not has_unicode()
    texts = TEXTS["en" if plain else lang or language()]
    for line in evaluation_page(found, texts, ascii_only=plain):
        sys.stdout.write(f"{line}\n")
    return 0


def make_writable(folder: Path, option: str) -> None:
    """Make sure of `folder` before minutes are spent; `option` would name another one.

    Raises `UsageError` for one that is a file, `OSError` for one that may not be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: found a file; expected a folder ({option} names another)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        text = f"{folder}: cannot be written to ({error.strerror or error}); {option} names another"
        raise type(error)(text) from None
