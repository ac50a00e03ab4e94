"""What the dashboard may ask of its surroundings besides the run itself. Each can be absent."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.log.times import LogTimes
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report
from timellm_dashboard.runs.compared import ComparedRun
from timellm_dashboard.runs.runfilter import ConfigKeys
from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.source import RunSource
from timellm_dashboard.viewmodel.look import LimitsOf
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_ops.contract.state import RunState


class Services(Struct, frozen=True, kw_only=True):
    """Passed in by whoever starts the dashboard, so that it need not know where runs live."""

    log: Path | None = None
    """The raw output of the engine, which grows."""
    log_end: Callable[[], int] | None = None
    """How many bytes of it there were at the moment that is shown; absent: all of it."""
    log_times: Callable[[], LogTimes] | None = None
    """When its lines were printed. The first call reads the run's record whole; called on a thread,
    one call at a time. Raises `OSError`."""
    facts: Callable[[RunState, float | None], Facts | None] | None = None
    """What the seventeen answers of the help are made of: where the run stands, and the seconds
    from step to step that its screens show. The first call may take a second."""
    report_extras: Callable[[], Extras] | None = None
    """What a report has besides the journal: evaluations, the engine's last lines."""
    save_report: Callable[[Report], Path] | None = None
    """Writes the report as a page with plots; returns where. Raises `OSError`."""
    stop_grace_s: Callable[[], float | None] | None = None
    """Seconds that an engine has to end by itself when it is stopped now; `None`: not known."""
    supervise: Callable[[], None] | None = None
    """Starts a supervisor for a run that has lost its own, and waits until it is in charge. Called
    on a thread. Raises `OSError`."""
    runs: Callable[[], tuple[RunRow, ...]] | None = None
    """All runs of the folder, as they stand. Cheap when little has come since the last call; called
    on a thread, one call at a time. Raises `OSError`."""
    run_configs: Callable[[], Mapping[str, ConfigKeys]] | None = None
    """By the ids of all runs of the folder, the keys of their configs. Cheap after the first call;
    called on a thread, one call at a time."""
    runs_folder: str = ""
    """Where those runs are, for display."""
    open_run: "Callable[[str], OpenedRun] | None" = None
    """Another run, by its id, to be shown in place of this one. Raises `LookupError`, `OSError`."""
    compared: Callable[[tuple[str, ...]], tuple[ComparedRun, ...]] | None = None
    """Runs by their ids, read whole. Called on a thread. Raises `LookupError` and `OSError`."""


class OpenedRun(Struct, frozen=True, kw_only=True):
    """A run with everything about it that the dashboard is started with."""

    run_id: str
    source: RunSource
    limits: LimitsOf | None = None
    rules: RulesOf | None = None
    services: Services = Services()
