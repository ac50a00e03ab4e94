"""The speed of a run is its steps over the time in which it trained, and nothing else."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import Made, events_of, told_of
from sample_journals import Journal, finished, in_second_epoch, started, training

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_ops.contract import events as ev


def history_of(made: Made) -> History:
    *_, last = told_of(events_of(made))
    return last.history


def view_of(journal: Journal) -> View:
    recorder = Recorder()
    recorder.take(journal.records)
    return recorder.view(Moment(t=journal.t, wall=datetime(2026, 2, 1, tzinfo=UTC)), Look())


def speed_of(journal: Journal) -> float:
    value = view_of(journal).progress.mean_speed.value
    assert value is not None
    return value


@given(
    st.builds(
        Made,
        epochs=st.integers(1, 3),
        steps=st.integers(20, 90),
        step_s=st.floats(0.05, 4.0),
        told_every=st.integers(1, 10),
        warm_up_s=st.just(0.0),
        evaluation_s=st.floats(1.0, 400.0),
        hot_after_s=st.sampled_from([0.0, 25.0, 90.0]),
        cools_s=st.floats(1.0, 900.0),
        final_test=st.booleans(),
    )
)
def test_with_steps_that_are_all_alike_it_is_what_one_takes(made: Made) -> None:
    assert history_of(made).mean_step_s == pytest.approx(made.step_s)


def test_first_steps_saves_and_rests_for_the_pace_are_in_it() -> None:
    made = Made(epochs=1, steps=200, step_s=0.5, warm_up_s=20.0, save_every=50, save_s=2.0)
    # Step 3's trial of an evaluation makes the fourth one a step that is not measured.
    assert history_of(made).mean_step_s == pytest.approx((199 * 0.5 + 20.0 + 3 * 2.0) / 199)
    paced = Made(epochs=1, steps=200, step_s=0.5, warm_up_s=0.0, duty=0.5)
    spent_s = 19 * 0.5 + 180 * 1.0
    assert history_of(paced).mean_step_s == pytest.approx(spent_s / 199)


def slower_at_the_end() -> Journal:
    """900 steps of half a second, a pause of an hour, 100 steps of two seconds."""
    journal = training(epochs=1).add(ev.EpochStarted(epoch=1, steps=1_000))
    for iteration in range(100, 1_000, 100):
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5), 50.0)
    journal.add(ev.Paused()).add(ev.Resumed(), 3_600.0)
    return journal.add(ev.Progress(iteration=1_000, epoch=1, loss=0.5), 200.0)


def test_it_is_of_the_whole_run_and_not_of_late() -> None:
    journal = slower_at_the_end()
    assert speed_of(journal) == pytest.approx((900 * 0.5 + 100 * 2.0) / 1_000)
    shown = view_of(journal).progress
    assert shown.speed.value is not None
    assert shown.speed.value > 1.5
    journal.add(ev.RunEnded(outcome="finished", exit_code=0, reason="x"))
    ended = view_of(journal).progress
    assert ended.speed == ended.mean_speed
    assert ended.speed.text == "0.65 s/step"


def test_a_machine_that_slept_with_its_clock_going_on_is_left_out() -> None:
    journal = training(epochs=1).add(ev.EpochStarted(epoch=1, steps=1_000))
    for iteration in range(10, 1_001, 10):
        slept_s = 8 * 3_600.0 if iteration == 500 else 0.0
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5), 5.0 + slept_s)
    assert speed_of(journal) == pytest.approx(0.5)


def test_a_stall_of_the_engines_own_is_in_it() -> None:
    journal = training(epochs=1).add(ev.EpochStarted(epoch=1, steps=1_000))
    for iteration in range(10, 1_001, 10):
        stalled_s = 50.0 if iteration == 500 else 0.0
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5), 5.0 + stalled_s)
    assert speed_of(journal) == pytest.approx(0.5 + 50.0 / 1_000)


def test_what_was_done_while_nobody_watched_is_left_out_with_its_time() -> None:
    journal = in_second_epoch()
    before = speed_of(journal)
    journal.add(ev.Adopted(supervisor_pid=2, engine_pid=4242), 3_000.0)
    journal.add(ev.Progress(iteration=1_900, epoch=2, loss=0.3), 5.0)
    assert speed_of(journal) == pytest.approx(before)


def test_it_is_never_more_than_the_time_at_work() -> None:
    recorder = Recorder()
    recorder.take(finished().records)
    mean_s, spent = recorder.history.mean_step_s, recorder.history.ledger.spent
    assert mean_s is not None
    assert mean_s * recorder.state.step <= spent.training_s


def a_log(epoch_s: float | None, steps: int | None) -> Journal:
    """Without a clock; the first reading of a later epoch has the evaluation in it."""
    journal = started("none", "imported", timed=False)
    for epoch in (1, 2):
        journal.add(ev.EpochStarted(epoch=epoch, steps=steps))
        for iteration in (100, 200, 300):
            pace_s = 0.5 if iteration == 100 and epoch == 2 else 0.1 * iteration / 100
            journal.add(
                ev.Progress(
                    iteration=iteration, epoch=epoch, loss=0.5, seconds_per_iteration=pace_s
                )
            )
        journal.add(ev.EpochEnded(epoch=epoch, train_mse=1.0, vali_mse=1.0, seconds=epoch_s))
    return journal


def test_of_a_log_without_a_clock_it_is_by_the_seconds_of_its_epochs() -> None:
    assert speed_of(a_log(epoch_s=66.0, steps=330)) == pytest.approx(0.2)


@pytest.mark.parametrize(("epoch_s", "steps"), [(None, 330), (66.0, None)])
def test_where_it_does_not_tell_them_by_the_readings_within_epochs(
    epoch_s: float | None, steps: int | None
) -> None:
    assert speed_of(a_log(epoch_s, steps)) == pytest.approx((0.2 + 0.3) / 2)
