"""What an engine leaves in its files, as events: our own engine, and the published script."""

from pathlib import Path

from timellm_ops.adapters.protocol import CheckpointWatch, EngineStream
from timellm_ops.contract.config import Config
from timellm_ops.contract.events import CheckpointWriting
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

__all__ = ["CheckpointWatch", "EngineStream", "open_stream", "open_watch"]


def open_stream(layout: RunLayout, config: Config, start: int) -> EngineStream:
    """The events of this run's engine, from `start` bytes of its own file on."""
    if config.foreign.command:
        from timellm_ops.adapters.published_stream import PublishedStream

        return PublishedStream(layout.engine_log, start)
    from timellm_ops.adapters.timellm import TimellmStream

    return TimellmStream(layout.engine_events, start)


def open_watch(config: Config, past: RunState) -> CheckpointWatch:
    """Watches for the checkpoints of a foreign script; our own engine tells of its own.

    `past` is the run by its journal. Where that knows of a script under way, what it has saved
    since its last checkpoint counts as new, and one that was announced is looked for again.
    """
    if not config.foreign.command:
        from timellm_ops.adapters.protocol import NoWatch

        return NoWatch()
    from timellm_ops.adapters.saved_file import SavedFileWatch

    folder, pattern = Path(config.foreign.workdir), config.foreign.checkpoint
    if past.engine_pid is None:
        return SavedFileWatch(folder, pattern)
    since = past.started_at if past.best is None else past.best.at
    watch = SavedFileWatch(folder, pattern, since=since)
    if past.writing == "best":
        row = next((row for row in past.rows if row.epoch == past.epoch), None)
        vali_mse = None if row is None else row.vali_mse
        watch.expect(CheckpointWriting(kind="best", epoch=past.epoch, vali_mse=vali_mse))
    return watch
