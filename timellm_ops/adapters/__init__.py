"""What an engine leaves in its files, as events: our own, the published script, any other."""

from pathlib import Path
from typing import TYPE_CHECKING

from timellm_ops.adapters.protocol import CheckpointWatch, EngineStream
from timellm_ops.contract.config import Config
from timellm_ops.contract.events import CheckpointWriting
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

if TYPE_CHECKING:
    from timellm_ops.adapters.checkpoint_place import OpenFiles, Place
    from timellm_ops.adapters.pattern_file import Patterns

__all__ = ["PUBLISHED", "CheckpointWatch", "EngineStream", "open_stream", "open_watch"]


PUBLISHED = "published"
"""The patterns that are not needed: code says more of the published script than they can."""


def open_stream(layout: RunLayout, config: Config, start: int) -> EngineStream:
    """The events of this run's engine, from `start` bytes of its own file on.

    Raises `ConfigError` where the run's own pattern file is not what it was.
    """
    if not config.foreign.command:
        from timellm_ops.adapters.timellm import TimellmStream

        return TimellmStream(layout.engine_events, start)
    from timellm_ops.adapters.log_stream import LogStream

    patterns = _patterns(layout, config)
    if patterns is None:
        return LogStream(layout.engine_log, start)
    from timellm_ops.adapters.pattern_log import PatternLog

    return LogStream(layout.engine_log, start, make=lambda: PatternLog(patterns))


def open_watch(
    layout: RunLayout,
    config: Config,
    past: RunState,
    being_written: "OpenFiles | None" = None,
) -> CheckpointWatch:
    """Watches for the checkpoints of a foreign script; our own engine tells of its own.

    `past` is the run by its journal. Where that knows of a script under way, what it has saved
    since its last checkpoint counts as new, and one that was announced is looked for again.
    `being_written` gives the files that the script has open.
    """
    if not config.foreign.command:
        from timellm_ops.adapters.protocol import NoWatch

        return NoWatch()
    from timellm_ops.adapters.checkpoint_place import nothing_open
    from timellm_ops.adapters.saved_file import SavedFileWatch

    being_written = being_written or nothing_open
    place = _place(layout, config)
    if past.engine_pid is None:
        return SavedFileWatch(place, being_written=being_written)
    saved = [kept for kept in (past.best, past.last) if kept is not None and kept.at is not None]
    newest = max(saved, key=lambda kept: kept.step, default=None)
    watch = SavedFileWatch(
        place,
        since=max((kept.at for kept in saved if kept.at is not None), default=past.started_at),
        position=(None, 0) if newest is None else (newest.epoch, newest.iteration),
        being_written=being_written,
    )
    if past.writing is not None and place.announced:
        row = next((row for row in past.rows if row.epoch == past.epoch), None)
        vali_mse = None if row is None else row.vali_mse
        best = past.writing == "best"
        watch.expect(
            CheckpointWriting(
                kind=past.writing,
                epoch=past.epoch,
                iteration=None if best else past.iteration,
                vali_mse=vali_mse if best else None,
            )
        )
    return watch


def _place(layout: RunLayout, config: Config) -> "Place":
    """A place that was given is the only one that counts."""
    from timellm_ops.adapters.checkpoint_place import Place
    from timellm_ops.adapters.pattern_file import load_patterns

    patterns = _patterns(layout, config) or load_patterns(PUBLISHED, "foreign.patterns")
    given = config.foreign.checkpoint
    return Place(
        workdir=Path(config.foreign.workdir),
        pattern=given or patterns.file.checkpoint,
        search=not given,
        last_file=patterns.file.last_file,
        announced=patterns.file.announced and patterns.has("checkpoint"),
    )


def _patterns(layout: RunLayout, config: Config) -> "Patterns | None":
    """The run's own copy of its pattern file; `None` for the published script."""
    from timellm_ops.adapters.pattern_file import read_patterns

    if config.foreign.patterns == PUBLISHED:
        return None
    return read_patterns(layout.patterns)
