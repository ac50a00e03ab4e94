"""Series of any length in bounded memory, and the history made of them."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from sample_journals import STEPS, Journal, in_second_epoch, loss_at, sample, training

from timellm_dashboard.folds.history import KEPT_EVENTS
from timellm_dashboard.folds.series import CAPACITY, Series
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.contract import events as ev

values = st.floats(-1e6, 1e6)


@given(st.lists(values, max_size=400), st.integers(2, 40))
def test_it_stays_bounded_and_keeps_extremes_ends_and_order(
    numbers: list[float], capacity: int
) -> None:
    series = Series(capacity)
    for x, value in enumerate(numbers):
        series.add(x, value)
    points = series.points()
    assert len(points) <= capacity
    assert [p.start for p in points] == sorted(p.start for p in points)
    assert all(first.end < second.start for first, second in pairwise(points))
    if numbers:
        assert min(p.low for p in points) == min(numbers)
        assert max(p.high for p in points) == max(numbers)
        assert points[0].start == 0
        assert points[-1].end == len(numbers) - 1
        assert points[-1].last == numbers[-1]


def test_what_is_unknown_or_not_finite_has_no_place() -> None:
    series = Series()
    for x, value in enumerate([1.0, None, math.nan, math.inf, 2.0]):
        series.add(x, value)
    assert [(p.start, p.last) for p in series.points()] == [(0, 1.0), (4, 2.0)]


@given(
    st.lists(st.lists(st.none() | values | st.just(math.nan), max_size=90), max_size=6),
    st.integers(2, 40),
)
def test_many_values_in_one_go_are_the_same_as_one_after_the_other(
    parts: list[list[float | None]], capacity: int
) -> None:
    together, alone, x = Series(capacity), Series(capacity), 0.0
    for part in parts:
        xs = [x + place for place in range(len(part))]
        x += len(part) + 3
        together.extend(xs, part)
        for at, value in zip(xs, part, strict=True):
            alone.add(at, value)
        assert together.points() == alone.points()
        for series in (together, alone):
            series.rewind(x - 10)


def test_steps_that_are_done_again_are_forgotten() -> None:
    series = Series()
    for step in range(100):
        series.add(step, float(step))
    series.rewind(50)
    assert series.points()[-1].end == 50
    series.add(51, 7.0)
    assert series.points()[-1].last == 7.0


def fold(journal: Journal) -> Recorder:
    recorder = Recorder()
    recorder.take(journal.records)
    return recorder


def test_a_long_night_is_bounded() -> None:
    journal = training(epochs=3)
    for step in range(6_000):
        iteration, epoch = step % 2_000 + 1, step // 2_000 + 1
        journal.add(ev.Progress(iteration=iteration, epoch=epoch, loss=loss_at(step)), 0.5)
        journal.add(ev.Telemetry(sample=sample(70.0 + step % 7)), 0.5)
        if step % 20 == 0:
            journal.add(ev.Alert(level="info", message=f"note {step}"))
    history = fold(journal).history
    for series in (
        history.losses.loss,
        history.losses.smoothed,
        history.gpu.temperature,
        history.gpu.power,
    ):
        assert len(series.points()) <= CAPACITY
    assert len(history.feed) == KEPT_EVENTS
    assert history.feed_left_out == history.feed_total - KEPT_EVENTS > 0
    assert history.feed[-1].event == journal.records[-history_tail(journal)].event
    assert len(history.gpu.recent_temperature) <= 1200


def history_tail(journal: Journal) -> int:
    """How far from the end of `journal` its last alert is."""
    kinds = [isinstance(record.event, ev.Alert) for record in reversed(journal.records)]
    return kinds.index(True) + 1


def test_speed_counts_neither_pauses_nor_evaluation() -> None:
    journal = in_second_epoch()
    journal.add(ev.Command(who="cli", what="pause")).add(ev.Paused(), 1.0)
    journal.add(ev.Command(who="cli", what="resume"), 3_600.0).add(ev.Resumed(), 0.5)
    journal.add(ev.Progress(iteration=1_220, epoch=2, loss=0.3), 20 * 0.5 - 1.0)
    history = fold(journal).history
    assert history.seconds_per_step is not None
    assert math.isclose(history.seconds_per_step, 0.5, rel_tol=0.05)
    assert history.cycles.ahead(3_600.0) == 0.0


def test_a_resumed_run_goes_on_where_its_checkpoint_was() -> None:
    journal = in_second_epoch()
    journal.add(ev.RunEnded(outcome="failed", exit_code=4, reason="killed"))
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 60.0)
    journal.add(
        ev.TrainingStarted(
            epochs=3, steps_per_epoch=STEPS, batch_size=4, train_samples=8_000, vali_samples=1,
            test_samples=1, trainable_parameters=1, frozen_parameters=1, backbone="b",
            device="cpu", patience=3, start_epoch=2, start_iteration=1_000,
        ),
        9.0,
    )  # fmt: skip
    assert fold(journal).history.losses.loss.points()[-1].end == STEPS + 1_000
