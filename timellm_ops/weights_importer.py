"""A run of a checkpoint file that a published script has left: its weights, under our config."""

import errno
import secrets
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from timellm_ops.configfile import write_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.published_weights import TASK, WeightsAnswer, WeightsQuestion
from timellm_ops.engine_task import ask_engine
from timellm_ops.importer import ImportRefused
from timellm_ops.journal import Journal
from timellm_ops.manifest import collect_manifest, describe_file
from timellm_ops.preflight import Preflight
from timellm_ops.store import RunStore


def import_weights(
    path: Path,
    found: Preflight,
    config_name: str,
    store: RunStore,
    now: datetime,
    command_line: Sequence[str] = (),
) -> tuple[RunLayout, WeightsAnswer]:
    """Make a run whose checkpoint `best` holds the weights of a published file.

    The run's config is `found`'s with `model.prototypes = "mapping"`, which such a file holds
    whatever our default is. Raises `ImportRefused` and `EngineTaskFailed` before there is a run,
    and `OSError` where it cannot be written; nothing is left then.
    """
    try:
        source = describe_file(path)
    except OSError as error:
        what = "no such file" if error.errno == errno.ENOENT else f"{error.strerror or error}"
        expected = "a checkpoint file of the published code"
        raise ImportRefused(path, what, expected) from None
    found = msgspec.structs.replace(found, config=_with_mapping(found.config))
    aside = store.root / f".new-{secrets.token_hex(8)}"
    aside.mkdir(parents=True)
    try:
        RunLayout(aside).config.write_bytes(write_config(found.config))
        question = WeightsQuestion(
            file=str(path.resolve()), folder=str(aside), config_name=config_name
        )
        answer = ask_engine(TASK, WeightsAnswer, question=msgspec.json.encode(question))
        manifest = collect_manifest(
            now=now,
            command_line=command_line,
            workdir=Path.cwd(),
            gpu="none",
            data=found.data,
        )
        manifest = msgspec.structs.replace(manifest, source_checkpoint=source)
        layout = store.create(found.config.run.name, now, found.config, manifest)
        try:
            RunLayout(aside).checkpoints.rename(layout.checkpoints)
            _write_journal(layout, found, path, answer)
        except BaseException:
            shutil.rmtree(layout.root, ignore_errors=True)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return layout, answer


def _with_mapping(config: Config) -> Config:
    model = msgspec.structs.replace(config.model, prototypes="mapping")
    return msgspec.structs.replace(config, model=model)


def _write_journal(layout: RunLayout, found: Preflight, path: Path, answer: WeightsAnswer) -> None:
    saved = ev.CheckpointSaved(
        kind="best",
        path=str(layout.checkpoints / "best"),
        bytes=answer.bytes,
        sha256=answer.sha256,
    )
    ended = ev.RunEnded(
        outcome="finished",
        exit_code=0,
        reason=f"weights of {path.name}, trained elsewhere; they can be evaluated, not resumed",
    )
    journal = Journal.open(layout.journal)
    try:
        name = found.config.run.name
        journal.append(ev.RunStarted(run_id=layout.run_id, name=name, engine="imported"))
        journal.append(ev.PreflightDone(findings=found.findings))
        journal.append(saved)
        journal.append(ended)
        problem = journal.problem
    finally:
        journal.close()
    if problem:
        raise OSError(errno.EIO, problem, str(layout.journal))
