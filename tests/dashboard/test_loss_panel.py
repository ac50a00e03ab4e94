"""The loss chart: an axis that tells something of any course, and as new as the values above it."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from sample_journals import FakeRun, Journal, training
from screen_text import dashboard, rows_of, running, until

from timellm_dashboard.folds.series import Point
from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.curves import Curve, draw_curves
from timellm_dashboard.panels.loss import loss_chart
from timellm_dashboard.reports.svgplot import Curve as PlotCurve
from timellm_dashboard.reports.svgplot import Plot, draw_plot
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words import format as fmt
from timellm_ops.contract import events as ev

WALL = datetime(2026, 2, 1, tzinfo=UTC)
losses = st.one_of(st.just(0.0), st.floats(1e-8, 1e8))


def trained(values: list[float]) -> Journal:
    journal = training()
    for number, value in enumerate(values, 1):
        journal.add(ev.Progress(iteration=20 * number, epoch=1, loss=value), 1.0)
    return journal


@given(losses, st.integers(1, 5), st.integers(4, 12))
def test_the_labels_of_a_flat_loss_differ_and_it_lies_between_them(
    value: float, count: int, height: int
) -> None:
    recorder, journal = Recorder(), trained([value] * count)
    recorder.take(journal.records)
    view = recorder.view(Moment(t=journal.t, wall=WALL), Look())
    rows = [text_of(row) for row in loss_chart(view, 60, height)][:-1]
    labels = [float(label) for row in rows if (label := row.split("│")[0].strip())]
    assert labels == sorted(set(labels), reverse=True)
    assert labels[0] > float(fmt.loss(value)) > labels[-1]
    assert not rows[0].split("│")[1].strip()
    assert not rows[-1].split("│")[1].strip()


@given(losses, st.integers(5, 12))
def test_flat_curves_of_a_comparison_have_labels_that_differ(value: float, height: int) -> None:
    curve = Curve("A", [Point(x, x, value, value, value) for x in range(3)])
    rows = draw_curves([curve], 60, height, ascii_only=False, step_word="step {step}")
    labels = [label for row in rows[:-1] if (label := text_of(row).split("│")[0].strip())]
    assert len(labels) == len(set(labels)) >= 2


async def test_the_chart_of_the_first_seconds_ends_where_its_values_are() -> None:
    journal = trained([1.0])
    source = FakeRun(journal)
    app = dashboard(journal, source)
    async with running(app) as pilot:
        for number in range(2, 6):  # within the seconds after which a long chart is drawn anew
            journal.add(ev.Progress(iteration=20 * number, epoch=1, loss=1.0 / number), 0.5)
            source.waiting.append(journal.records[-1])
            batch = f"batch {1.0 / number:.4f}"
            await until(pilot, lambda batch=batch: any(batch in row for row in rows_of(app)))
            axis = next(row for row in rows_of(app) if "└step 20" in row)
            assert f" {20 * number} " in axis


@given(losses, st.floats(0.0, 1e-9))
def test_the_plot_of_a_flat_loss_has_labels_that_differ(value: float, apart: float) -> None:
    curve = PlotCurve([(0.0, value), (1.0, value * (1 + apart))], "course", "loss")
    drawn = draw_plot(Plot(curves=(curve,), axis="steps", write=fmt.loss, write_x=fmt.count))
    labels = re.findall(r'text-anchor="end">([^<]+)<', drawn)[:-1]  # the last is of the steps
    assert len(labels) == len(set(labels)) > 2
