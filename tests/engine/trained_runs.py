"""A tiny run that is trained, made once for all tests of a module that only read it."""

import tomllib
from pathlib import Path
from typing import Any

from tiny_runs import run_here, tiny_run

from timellm_engine.results.evaluation import evaluate_run
from timellm_ops.contract.config import Config
from timellm_ops.contract.evaluation import Evaluation, EvaluationQuestion
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import parse_config

RUN_ID = "20260101-000000-tiny-0000"
COLUMNS = ("load1", "load2", "OT")


def trained_run(folder: Path, **changes: Any) -> RunLayout:
    """A run of three variables in `folder`, with a season that fits into its windows."""
    settings = {
        "data__synthetic_rows": 400, "data__synthetic_columns": 3, "data__seq_len": 32,
        "train__epochs": 1, "train__batch_size": 64, **changes,
    }  # fmt: skip
    layout = tiny_run(folder / RUN_ID, **settings)
    run_here(layout)
    return layout


def config_of(run: RunLayout) -> Config:
    """The run's own config."""
    return parse_config(tomllib.loads(run.config.read_text()), str(run.config))


def evaluated(run: RunLayout, **question: Any) -> Evaluation:
    """An evaluation in this process."""
    return evaluate_run(EvaluationQuestion(run_dir=str(run.root), **question), silent)


def silent(_what: str, _done: int, _total: int) -> None:
    """Hears how far something is, and says nothing."""


def files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
