"""What the dashboard may ask of a run's surroundings, put together."""

from pathlib import Path

from timellm_dashboard.report import Report
from timellm_dashboard.report_html import report_html
from timellm_dashboard.services import Services
from timellm_ops.cli.facts import facts_of_run
from timellm_ops.cli.report_extras import extras_of
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.files import replace_file

REPORT = "report.html"


def services_of(layout: RunLayout) -> Services:
    """Everything that a run's own folder has to offer."""

    def save_report(report: Report) -> Path:
        path = layout.root / REPORT
        replace_file(path, report_html(report).encode())
        return path

    return Services(
        log=layout.engine_log,
        facts=facts_of_run(layout),
        report_extras=lambda: extras_of(layout),
        save_report=save_report,
    )
