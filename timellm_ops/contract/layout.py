"""The names inside a run's folder. Pure path arithmetic: nothing here touches the disk."""

from pathlib import Path

from msgspec import Struct


class RunLayout(Struct, frozen=True):
    """Where everything of one run is, below `root` = `runs/<id>`."""

    root: Path

    @property
    def run_id(self) -> str:
        """The folder's own name."""
        return self.root.name

    @property
    def config(self) -> Path:
        """The resolved configuration, as TOML."""
        return self.root / "config.toml"

    @property
    def manifest(self) -> Path:
        """Versions, digests, command and machine, as JSON."""
        return self.root / "manifest.json"

    @property
    def journal(self) -> Path:
        """The record of everything, one JSON object a line."""
        return self.root / "journal.jsonl"

    @property
    def engine_log(self) -> Path:
        """The engine's raw output."""
        return self.root / "engine.log"

    @property
    def engine_events(self) -> Path:
        """Our engine's typed events, one JSON object a line."""
        return self.root / "engine-events.jsonl"

    @property
    def control(self) -> Path:
        """What the supervisor asks of the engine."""
        return self.root / "control.json"

    @property
    def heartbeat(self) -> Path:
        """The supervisor's sign of life."""
        return self.root / "heartbeat"

    @property
    def engine_process(self) -> Path:
        """Which process is the engine: pid, start time, boot id."""
        return self.root / "engine.json"

    @property
    def engine_exit(self) -> Path:
        """The exit status of a foreign engine, written by its launcher."""
        return self.root / "engine.exit"

    @property
    def patterns(self) -> Path:
        """What the output of a foreign engine says, where a pattern file is needed for it."""
        return self.root / "patterns.toml"

    @property
    def supervisor_process(self) -> Path:
        """Which process supervises, and the path of its socket."""
        return self.root / "supervisor.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor of this run."""
        return self.root / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        """What the detached supervisor itself printed."""
        return self.root / "supervisor.log"

    @property
    def checkpoints(self) -> Path:
        """`best/`, `last/`, `step-N/` and what is being written beside them."""
        return self.root / "checkpoints"

    @property
    def bundle(self) -> Path:
        """The trained model for inference alone, made of the best weights at the run's end."""
        return self.root / "bundle"

    @property
    def predictions(self) -> Path:
        """Forecasts that were written for this run."""
        return self.root / "predictions"
