"""Whatever a journal holds, and in whatever order: there is a view of it, and a report."""

import json
import math
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_journals import journals, watched_journals
from sample_journals import ZONE, Journal, Limits, in_second_epoch

from timellm_dashboard.jsonl import view_json
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.logmoment import draw_moment
from timellm_dashboard.panels.rundetail import draw_run_detail
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.report import build_report
from timellm_dashboard.runs.runlist import row_of
from timellm_dashboard.viewmodel.headline import state_seen
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.contract import events as ev


def restarted_amid_odd_steps() -> Journal:
    """An engine that hung for long, was ended and began again, with a word in the same moment."""
    journal = in_second_epoch()
    for number, seconds in ((1, 10.0), (2, 10.0), (3, 600.0)):
        journal.add(ev.Progress(iteration=1_200 + 20 * number, epoch=2, loss=0.3), seconds)
    journal.add(ev.EngineExited(signal=9), 1.0)
    (begun,) = (r.event for r in journal.records if isinstance(r.event, ev.TrainingStarted))
    journal.add(begun, 10.0)
    return journal.add(ev.Progress(iteration=20, epoch=1, loss=0.3))


@settings(max_examples=100, deadline=None)
@given(
    journals() | watched_journals(),
    st.sampled_from([0.0, 5.0, 500.0]),
    st.sampled_from([None, 82.0, 20.0]),
)
@example(restarted_amid_odd_steps(), 1.0, None)
def test_there_is_a_view_and_its_numbers_are_numbers(
    journal: Journal, later_s: float, held_c: float | None
) -> None:
    recorder = Recorder()
    recorder.take(journal.records)
    look = Look(zone=ZONE, limits=lambda _: Limits(held_c=held_c))
    at = journal.wall + timedelta(seconds=later_s)
    view = recorder.view(Moment(t=journal.t + later_s, wall=at), look)
    left_s = view.left.seconds
    assert left_s is None or (math.isfinite(left_s) and left_s >= 0.0)
    for row in view.ledger.rows:
        for figure in (row.lasted, row.lost, row.recent, row.ahead):
            assert figure.value is None or 0.0 <= figure.value < math.inf
    assert json.loads(view_json(view))
    assert report_html(build_report(view, recorder.state, recorder.seen, look))
    for then in (None, at, at - timedelta(seconds=100.0)):
        assert len(draw_moment(view, recorder.seen, look, then, 66, 30)) <= 30
    name = state_seen(recorder.state, supervised=True)
    row = row_of("20260130-120000-etth1-1234", recorder.state, name)
    assert draw_run_detail(row, 78, 40, lang="en", ascii_only=False)
