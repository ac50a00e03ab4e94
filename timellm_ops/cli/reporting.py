"""`report`: what is left of a run, or what there is of it so far."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.report import report_page
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report, build_report, report_json
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Ascii, Json, Lang, RunRef, style_of
from timellm_ops.cli.output_file import write_output
from timellm_ops.cli.report_extras import extras_of
from timellm_ops.cli.thermal import limits_of
from timellm_ops.client import RunClient
from timellm_ops.contract.layout import RunLayout
from timellm_ops.store import RunStore, runs_dir

_WIDTH = 96


def report(
    run: RunRef = "latest",
    *,
    html: Annotated[
        Path | None,
        Parameter(help="Write it to this file, as one page with plots."),
    ] = None,
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """What is left of a run: outcome, results, pauses, heat, checkpoints, and what to do next.

    Of a run that is under way, what there is so far.
    """
    if html is not None and json:
        raise UsageError("report: --html and --json do not go together")
    layout = RunStore(runs_dir()).resolve(run)
    style = style_of(plain=False, json=json, detach=False, lang=lang, ascii_only=ascii_only)
    plain = style.ascii_only and html is None
    look = Look(
        lang=(lang or "en") if json else style.lang,
        ascii_only=plain and not json,
        limits=limits_of(layout),
        run_id=layout.run_id,
    )
    made = report_of(layout, look)
    if json:
        sys.stdout.write(report_json(made).decode() + "\n")
    elif html is not None:
        path = write_output("--html", html, report_html(made).encode(), "report.html")
        sys.stdout.write(f"{path}\n")
    else:
        sys.stdout.write(report_page(made, _WIDTH) + "\n")
    return 0


def report_of(layout: RunLayout, look: Look) -> Report:
    """The report of a run as it stands now."""
    client, recorder = RunClient(layout), Recorder()
    supervised = client.supervised()
    recorder.take(client.all())
    recorder.damaged = client.damaged()
    moment = Moment(t=time.monotonic(), wall=datetime.now(UTC), supervised=supervised)
    extras: Extras = extras_of(layout)
    return build_report(recorder.view(moment, look), recorder.state, recorder.seen, look, extras)
