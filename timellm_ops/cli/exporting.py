"""`export`: the trained model for inference alone, as a folder of a few megabytes."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_ops.cli.options import Json, RunRef
from timellm_ops.cli.trained_runs import check_trained
from timellm_ops.contract.bundle import Bundle, Exported, ExportQuestion
from timellm_ops.contract.sizes import size_text
from timellm_ops.engine_task import ask_engine
from timellm_ops.paths import full_path
from timellm_ops.store import RunStore, runs_dir

SCHEMA = "timellm-ops.export/1"


class ExportedRun(Exported, frozen=True, kw_only=True):
    """The whole of `export --json`."""

    schema: str = SCHEMA


def export(
    run: RunRef = "latest",
    *,
    to: Annotated[
        Path | None, Parameter(help="The bundle's folder; by default bundle in the run's folder.")
    ] = None,
    checkpoint: Annotated[
        str, Parameter(help="Whose weights: best (by default), last or step-N.")
    ] = "best",
    json: Json = False,
) -> int:
    """Make an inference bundle of a run: folded weights, settings and scaler, in a few megabytes.

    The run may be going on. The frozen backbone is not in it; its digest is.
    """
    layout = RunStore(runs_dir()).resolve(run)
    check_trained(layout, checkpoint)
    target = layout.bundle if to is None else full_path(str(to), Path.cwd())
    question = ExportQuestion(run=str(layout.root), checkpoint=checkpoint, to=str(target))
    done = ask_engine(
        "timellm_engine.checkpoints.export", Exported, question=msgspec.json.encode(question)
    )
    if json:
        answer = ExportedRun(**{name: getattr(done, name) for name in Exported.__struct_fields__})
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        return 0
    sys.stdout.write(f"{done.path}\n")
    sys.stderr.write(f"{_in_words(done.bundle)}; {size_text(done.bytes)}\n")
    return 0


def _in_words(bundle: Bundle) -> str:
    origin = bundle.origin
    text = f"{origin.checkpoint} of epoch {origin.epoch}, step {origin.iteration}"
    if origin.epoch == 0:
        text = f"{origin.checkpoint}, imported"
    if origin.vali_mse is not None:
        text += f", validation MSE {origin.vali_mse:.4f}"
    if origin.test_mse is not None:
        text += f", test MSE {origin.test_mse:.4f}"
    return f"{text}; needs {bundle.backbone.name} (sha256 {bundle.backbone.digest[:12]}…)"
