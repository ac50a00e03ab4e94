"""One start of the engine: build, take up the thread where there is one, and train."""

import msgspec

from timellm_engine.checkpoints.bundle_writer import write_bundle
from timellm_engine.checkpoints.checkpoint import FolderStorage, Found, Storage
from timellm_engine.checkpoints.lost import lost_last, what_is_right
from timellm_engine.checkpoints.provenance import event_lines, origin_of
from timellm_engine.checkpoints.snapshot import (
    Position,
    check_belongs,
    full_snapshot,
    restore,
    weights_snapshot,
)
from timellm_engine.clock import Clock, SystemClock
from timellm_engine.durable import sweep
from timellm_engine.emit import Emitter
from timellm_engine.errors import InputError
from timellm_engine.training.build import Job, build
from timellm_engine.training.control import Controls, Signals
from timellm_engine.training.loop import Trainer
from timellm_engine.training.saving import Saver
from timellm_ops.contract.checkpoint_names import step_name
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout


def run_session(
    config: Config,
    layout: RunLayout,
    emitter: Emitter,
    signals: Signals,
    *,
    resume: bool,
    pieces: int = 1,
    clock: Clock | None = None,
) -> None:
    """Train the run in `layout` from its beginning, or from `checkpoints/last`.

    `pieces`: in how many times as many as configured a batch is computed, for want of memory; the
    gradient is the same but for rounding. Raises `EngineError`.
    """
    clock = clock or SystemClock()
    check_start(layout, resume=resume)
    storage = FolderStorage(layout.checkpoints)
    storage.clean()
    sweep(layout.bundle)
    job = build(config, finer=pieces)
    saver = Saver(
        storage,
        emitter,
        clock,
        config.checkpoint,
        job.steps_per_epoch,
        take_best=lambda position: weights_snapshot(job.model, position, job.identity),
        take_last=lambda position: full_snapshot(job.model, job.optimiser, position, job.identity),
        make_bundle=lambda epoch, test: write_bundle(
            layout.bundle, job, origin_of(layout, "best", epoch, job.steps_per_epoch, test)
        ),
    )
    position = take_up(job, layout, storage, saver, emitter) if resume else Position()
    controls = Controls(layout, config.supervisor, emitter, clock, signals)
    Trainer(job, position, saver, storage, emitter, controls, clock).run()


def check_start(layout: RunLayout, *, resume: bool) -> None:
    """Refuse to train what is trained already, or over what is there. Raises `InputError`."""
    if not resume and any(layout.checkpoints.glob("*")):
        raise InputError(
            str(layout.checkpoints), "checkpoints of an earlier start", "none, or --resume"
        )
    if resume and _is_finished(layout):
        raise InputError(str(layout.root), "a run that is finished", "one to go on with")


def _is_finished(layout: RunLayout) -> bool:
    return _has_said(layout, b'"type":"TrainingFinished"', b'"type":"TestEvaluated"')


def _has_said(layout: RunLayout, *any_of: bytes) -> bool:
    lines = event_lines(layout.engine_events)
    return any(words in line for line in lines for words in any_of)


def take_up(
    job: Job, layout: RunLayout, storage: Storage, saver: Saver, emitter: Emitter
) -> Position:
    """Put `last` back into the job, or the newest `step-N` where it is lost; where it was taken.

    A run that was ended before its first `last` begins at its beginning. Raises `InputError` for a
    checkpoint of another training, and where there was a `last` and only damaged ones or none are
    left.
    """
    name, found = find(storage)
    contents, problems = found.contents, found.problems
    for problem in problems:
        emitter.alert(problem)
    if contents is None or found.saved is None:
        lost = lost_last(layout)
        if lost is not None:
            told = problems or (f"none, and the run has had one ({'; '.join(lost.signs)})",)
            where, expected = str(layout.checkpoints / "last"), what_is_right(layout, lost)
            raise InputError(where, "; ".join(told), expected)
        message = "there is no checkpoint yet: training begins at its beginning"
        emitter.alert(message, level="info")
        return Position()
    check_belongs(contents, job.identity, str(layout.config))
    position = restore(contents, job.model, job.optimiser)
    saver.stands(name, contents)
    if not _has_said(layout, found.saved.sha256.encode()):
        # The engine was killed after the checkpoint was in place and before it could say so.
        saver.tell(name, contents, found.saved)
    if name != "last":
        emitter.alert(
            f"`last` is lost: training goes on from {name}, which is older; the steps since then "
            "are done again, with the same result",
        )
        saver.last(position)
    emitter.line(f"Going on after step {position.iteration} of epoch {position.epoch}")
    return position


def find(storage: Storage) -> tuple[str, Found]:
    """The newest whole checkpoint that can be gone on from, with every problem on the way."""
    problems: list[str] = []
    for name in ("last", *(step_name(step) for step in reversed(storage.steps()))):
        found = storage.load(name)
        problems += found.problems
        if found.contents is not None:
            return name, msgspec.structs.replace(found, problems=tuple(problems))
    return "last", Found(contents=None, problems=tuple(problems))
