"""What can be done on the report screen alone."""

from timellm_dashboard.actions.action import Action, Said

REPORT_ACTIONS: tuple[Action, ...] = (
    Action(
        id="report_save",
        only="live",
        changes_run=True,
        keys=("w",),
        shown_keys="w",
        label=Said("page", "网页"),
        help=Said(
            "write the report with its plots to report.html in the run's folder",
            "把报告和图写到运行文件夹的 report.html",
        ),
        needs_record=True,
        on="report",
    ),
)
