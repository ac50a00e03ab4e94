"""`python -m timellm_engine.checkpoints.export`: an inference bundle of one checkpoint of a run.

The run is only read, and may be going on.
"""

import sys
from pathlib import Path

from timellm_engine.errors import InputError
from timellm_engine.task import Tell, read_question, run_task
from timellm_ops.contract.bundle import Exported, ExportQuestion
from timellm_ops.contract.layout import RunLayout


def main(_tell: Tell) -> Exported:
    """Do what standard input asks for. Raises `EngineError`."""
    return export(read_question(ExportQuestion))


def export(question: ExportQuestion) -> Exported:
    """Make the bundle. Raises `EngineError`."""
    from timellm_engine.checkpoints.bundle_writer import check_target, write_bundle
    from timellm_engine.checkpoints.provenance import origin_of
    from timellm_engine.results.trained import load_trained
    from timellm_engine.run_config import read_config

    layout, target = RunLayout(Path(question.run)), Path(question.to)
    config = read_config(layout)
    if config.foreign.command:
        raise InputError(layout.run_id, "the run of a foreign script", "one of our own engine")
    check_target(target)
    trained = load_trained(layout, config, question.checkpoint)
    job = trained.job
    origin = origin_of(
        layout,
        trained.checkpoint,
        trained.epoch,
        trained.iteration,
        of_an_end=trained.iteration == job.steps_per_epoch,
    )
    return write_bundle(target, job, origin)


if __name__ == "__main__":
    sys.exit(run_task(main))
