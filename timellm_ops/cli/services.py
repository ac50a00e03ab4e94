"""What the dashboard may ask of a run's surroundings, put together.

What a service needs is loaded when it is first asked for: the first frame must not wait for it.
"""

from pathlib import Path

from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.log.times import LogTimes
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report
from timellm_dashboard.services import Services
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

REPORT = "report.html"


def own_services(layout: RunLayout) -> Services:
    """Everything that a run's own folder has to offer."""
    return Services(
        log=layout.engine_log,
        log_times=_LogTimesOf(layout),
        facts=_FactsOf(layout),
        report_extras=lambda: _extras(layout),
        save_report=lambda report: _save(layout, report),
        stop_grace_s=lambda: _stop_grace_s(layout),
    )


class _LogTimesOf:
    """When a run's log was printed; reads on where the call before has ended."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._made: object = None

    def __call__(self) -> LogTimes:
        from timellm_ops.adapters import log_times
        from timellm_ops.journal import JournalFollower

        if not isinstance(self._made, log_times.LogTimes):
            journal = self._layout.journal
            self._made = log_times.LogTimes(
                self._layout.engine_log, lambda: JournalFollower(journal).poll
            )
        self._made.catch_up()
        return LogTimes(self._made.ends, self._made.at_s)


class _FactsOf:
    """The facts of a run, whose plan is made once."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._made: object = None

    def __call__(self, state: RunState, mean_step_s: float | None) -> Facts:
        from timellm_ops.cli.facts import FactsOfRun

        if not isinstance(self._made, FactsOfRun):
            self._made = FactsOfRun(self._layout)
        return self._made(state, mean_step_s)


def _extras(layout: RunLayout) -> Extras:
    from timellm_ops.cli.report_extras import extras_of

    return extras_of(layout)


def _stop_grace_s(layout: RunLayout) -> float | None:
    from timellm_ops.contract.validation import ConfigError
    from timellm_ops.store import load_config

    try:
        return load_config(layout).supervisor.stop_grace_s
    except ConfigError:
        return None  # an old run's config may be of an old version


def _save(layout: RunLayout, report: Report) -> Path:
    from timellm_dashboard.reports.html import report_html
    from timellm_ops.process.files import replace_file

    path = layout.root / REPORT
    replace_file(path, report_html(report).encode())
    return path
