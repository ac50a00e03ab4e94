"""One start of the engine: build, take up the thread where there is one, and train."""

from timellm_engine.build import Job, build
from timellm_engine.checkpoint import FolderStorage
from timellm_engine.clock import Clock, SystemClock
from timellm_engine.control import Controls, Signals
from timellm_engine.emit import Emitter
from timellm_engine.errors import InputError
from timellm_engine.loop import Trainer
from timellm_engine.saving import Saver
from timellm_engine.snapshot import (
    Position,
    check_belongs,
    full_snapshot,
    restore,
    weights_snapshot,
)
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout


def run_session(
    config: Config,
    layout: RunLayout,
    emitter: Emitter,
    signals: Signals,
    *,
    resume: bool,
    clock: Clock | None = None,
) -> None:
    """Train the run in `layout` from its beginning, or from `checkpoints/last`.

    Raises `EngineError`, and `BackboneError` for a backbone that cannot be used.
    """
    clock = clock or SystemClock()
    check_start(layout, resume=resume)
    storage = FolderStorage(layout.checkpoints)
    storage.clean()
    job = build(config)
    saver = Saver(
        storage,
        emitter,
        clock,
        60.0 * config.checkpoint.every_minutes,
        take_best=lambda position: weights_snapshot(job.model, position, job.identity),
        take_last=lambda position: full_snapshot(job.model, job.optimiser, position, job.identity),
    )
    position = take_up(job, storage, saver, emitter) if resume else Position()
    controls = Controls(layout, config.supervisor, emitter, clock, signals)
    Trainer(job, position, saver, storage, emitter, controls, clock).run()


def check_start(layout: RunLayout, *, resume: bool) -> None:
    """Refuse to train what is trained already, or over what is there. Raises `InputError`."""
    if not resume and any(layout.checkpoints.glob("*")):
        raise InputError(
            str(layout.checkpoints), "checkpoints of an earlier start", "none, or --resume"
        )
    if resume and _is_tested(layout):
        raise InputError(
            str(layout.root), "a run that is finished, with its final test", "one to go on with"
        )


def _is_tested(layout: RunLayout) -> bool:
    try:
        with layout.engine_events.open("rb") as file:
            return any(b'"type":"TestEvaluated"' in line for line in file)
    except FileNotFoundError:
        return False


def take_up(job: Job, storage: FolderStorage, saver: Saver, emitter: Emitter) -> Position:
    """Put `last` back into the job; where it was taken.

    A run that was ended before its first checkpoint begins at its beginning. Raises `InputError`
    for a checkpoint of another training, and where there are only damaged ones.
    """
    found = storage.load("last")
    for problem in found.problems:
        emitter.event(ev.Alert(level="warning", message=problem))
        emitter.line(problem)
    if found.contents is None:
        if found.problems:
            raise InputError("checkpoints/last", "; ".join(found.problems), "a whole checkpoint")
        message = "there is no checkpoint yet: training begins at its beginning"
        emitter.event(ev.Alert(level="info", message=message))
        emitter.line(message)
        return Position()
    check_belongs(found.contents, job.identity)
    position = restore(found.contents, job.model, job.optimiser)
    saver.stands(found.contents)
    emitter.line(f"Going on after step {position.iteration} of epoch {position.epoch}")
    return position
