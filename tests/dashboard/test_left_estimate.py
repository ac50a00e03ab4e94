"""The time left of runs whose every second is known, and what a step is taken to need."""

from collections.abc import Iterator
from statistics import median

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_runs import Made, Told, events_of, later, step_times, told_of
from msgspec.structs import replace

from timellm_ops.contract import events as ev


def errors(events: list[ev.Event], *, after: float = 0.03) -> list[float]:
    """Of every word of progress from 3 % of the run on: the error, as a share of what was left."""
    whole_s = _end_s(events)
    found = []
    for one in told_of(events):
        left_s = whole_s - one.state.active_s
        if isinstance(one.event, ev.Progress) and after * whole_s <= one.state.active_s < whole_s:
            if one.state.step == 1:
                continue  # no speed is known of the first step
            assert one.left.seconds is not None, one.left.note
            found.append(abs(one.left.seconds - left_s) / left_s)
    return found


def _end_s(events: list[ev.Event]) -> float:
    """Second of the last event; the first is in second 0."""
    assert events[-1].t is not None
    return events[-1].t


def _ends_s(events: list[ev.Event]) -> Iterator[tuple[Told, float]]:
    """In which second the run was said to end, at every event at which that was said."""
    for one in told_of(events):
        seconds = one.left.seconds
        if seconds is not None and one.event.t is not None:
            yield one, one.event.t + seconds


# --- the time left -------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    made=st.builds(
        Made,
        epochs=st.integers(2, 5),
        steps=st.integers(100, 300),
        step_s=st.floats(0.02, 3.0),
        told_every=st.integers(1, 40),
        warm_up_s=st.floats(0.0, 60.0),
        evaluation_s=st.floats(1.0, 200.0),
        final_test=st.booleans(),
    )
)
@example(made=Made(epochs=2, steps=100, step_s=0.02, told_every=1, warm_up_s=0.0, evaluation_s=1.0))
def test_an_even_run_is_told_within_a_twentieth(made: Made) -> None:
    assert median(errors(events_of(made))) < 0.05


@pytest.mark.parametrize(
    "made",
    [
        Made(epochs=10, steps=800, save_every=50, save_s=4.0),
        Made(epochs=10, steps=800, duty=0.6),
        Made(epochs=10, steps=800, hot_after_s=120.0, cold_longer=2.5, cools_s=90.0),
        Made(epochs=10, steps=800, hot_after_s=300.0, cools_s=60.0, evaluation_s=200.0),
        Made(epochs=10, steps=800, stall_every=160, stall_s=40.0),
        Made(
            epochs=10, steps=800, hot_after_s=120.0, cools_s=45.0, duty=0.8, save_every=100,
            save_s=5.0, evaluation_s=100.0, final_test=True,
        ),
    ],
    ids=["saves", "pace", "heat", "rare_heat", "stalls", "everything"],
)  # fmt: skip
def test_saves_pace_pauses_and_stalls_are_in_it(made: Made) -> None:
    found = errors(events_of(made), after=0.05)
    assert median(found) < 0.05
    assert sorted(found)[int(0.9 * len(found))] < 0.15


def test_a_first_stretch_from_a_cold_card_is_not_taken_for_the_later_ones() -> None:
    events = events_of(Made(steps=600, hot_after_s=50.0, cold_longer=6.0, cools_s=40.0))
    whole_s = _end_s(events)
    ends = [end_s for one, end_s in _ends_s(events) if one.state.pauses >= 3]
    assert max(abs(end_s - whole_s) for end_s in ends) < 45.0  # one pause more or less


def test_a_stretch_tells_of_the_next_ones_as_soon_as_a_pause_has_ended_it() -> None:
    events = events_of(Made(steps=600, hot_after_s=200.0, cold_longer=0.4, cools_s=40.0))
    ends = [end_s for one, end_s in _ends_s(events) if one.state.standing and one.state.pauses == 2]
    assert ends
    assert max(abs(end_s - _end_s(events)) for end_s in ends) < 45.0  # one pause more or less


def test_a_trial_that_was_wrong_is_put_right_by_the_first_evaluation() -> None:
    events = events_of(Made(warm_up_s=0.0, evaluation_s=120.0, trial_error=2.0, save_s=2.0))
    said = [s for one, s in _ends_s(events) if one.state.epoch == 2 and one.state.iteration < 200]
    assert said
    assert max(abs(end_s - _end_s(events)) for end_s in said) < 2.0


SLOW_EVALUATIONS = Made(warm_up_s=0.0, evaluation_s=120.0, trial_error=6.0)
"""Six times as slow as the trial before the first one found."""


def _said_within_the_first_evaluation(events: list[ev.Event]) -> list[float]:
    """In which second the run was said to end, from 40 % of that evaluation on."""
    return [
        end_s
        for one, end_s in _ends_s(events)
        if isinstance(one.event, ev.EvaluationProgress)
        and (one.event.epoch, one.event.done >= 400) == (1, True)
    ]


def test_a_first_evaluation_tells_of_the_next_ones_before_it_is_over() -> None:
    events = events_of(SLOW_EVALUATIONS)
    said = _said_within_the_first_evaluation(events)
    assert len(said) == 7
    assert max(abs(end_s - _end_s(events)) for end_s in said) < 2.0


def test_an_evaluation_that_is_made_again_after_a_stop_is_told_of_like_any_other() -> None:
    events = events_of(SLOW_EVALUATIONS)
    begun = next(i for i, e in enumerate(events) if isinstance(e, ev.EvaluationProgress))
    at = {"t": events[begun + 3].t, "at": events[begun + 3].at}
    ended = ev.RunEnded(outcome="stopped", exit_code=0, reason="as asked")
    stopped = [*events[: begun + 4], replace(ev.EngineExited(code=0), **at), replace(ended, **at)]
    started, engine, training = (later(e, (stopped[-1].t or 0.0) + 50.0) for e in events[:3])
    assert isinstance(training, ev.TrainingStarted)
    again_s = (training.t or 0.0) - (events[begun].t or 0.0)
    resumed = [started, engine, replace(training, start_iteration=200)]
    events = [*stopped, *resumed, *(later(event, again_s) for event in events[begun:])]
    said = _said_within_the_first_evaluation(events)
    assert len(said) == 7
    assert max(abs(end_s - _end_s(events)) for end_s in said) < 2.0


def test_the_time_left_runs_down_through_pauses_without_jumps() -> None:
    events = events_of(Made(epochs=4, steps=600, hot_after_s=100.0, cools_s=60.0))
    ends = [end_s for one, end_s in _ends_s(events) if one.state.active_s > 400.0]
    assert max(ends) - min(ends) < 0.01 * _end_s(events)
    assert abs(ends[0] - _end_s(events)) < 0.01 * _end_s(events)


@pytest.mark.parametrize("final", [False, True])
def test_a_pause_within_an_evaluation_is_none_of_it(final: bool) -> None:
    events = events_of(Made(epochs=2, warm_up_s=0.0, evaluation_s=100.0, final_test=final))
    split = "test" if final else "vali"
    place = max(
        i
        for i, event in enumerate(events)
        if isinstance(event, ev.EvaluationProgress) and (event.split, event.done) == (split, 300)
    )
    user = ev.Command(who="cli", what="pause")
    at = {"t": events[place].t, "at": events[place].at}
    stands = [replace(user, **at), replace(ev.Paused(), **at)]
    goes_on = [
        later(replace(ev.Command(who="cli", what="resume"), **at), 900.0),
        later(replace(ev.Resumed(), **at), 900.0),
    ]
    *_, one = told_of([*events[: place + 1], *stands, *goes_on])
    assert one.left.seconds == pytest.approx(70.0, abs=1.0)


def test_an_evaluation_that_takes_longer_takes_nothing_from_the_next_ones() -> None:
    events = events_of(Made(epochs=3, warm_up_s=0.0, evaluation_s=30.0))
    place = next(
        i
        for i, event in enumerate(events)
        if isinstance(event, ev.EvaluationProgress) and (event.epoch, event.done) == (2, 900)
    )
    slow = [*events[:place], later(events[place], 300.0)]
    *_, one = told_of(slow)
    still_s = 6.0  # a tenth of it, at half the speed: what stood still says no more than that
    assert one.left.seconds == pytest.approx(200 * 0.5 + 30.0 + still_s, abs=1.0)


@pytest.mark.parametrize("slower", [0.7, 1.6])
def test_an_evaluation_at_another_speed_is_told_right_from_its_first_third_on(
    slower: float,
) -> None:
    events = events_of(Made(epochs=2, warm_up_s=0.0, evaluation_s=100.0))
    began = [e.t for e in events if isinstance(e, ev.EvaluationProgress) and e.done == 0][-1]
    assert began is not None
    other = [
        later(event, (slower - 1.0) * max(0.0, min((event.t or 0.0) - began, 100.0)))
        for event in events
    ]
    whole_s, found = _end_s(other), []
    for one in told_of(other):
        event = one.event
        if isinstance(event, ev.EvaluationProgress) and event.epoch == 2 and event.done >= 400:
            assert one.left.seconds is not None
            found.append((one.left.seconds, whole_s - one.state.active_s))
    assert len(found) == 7
    assert all(told == pytest.approx(true, rel=0.01, abs=0.1) for told, true in found)


@pytest.mark.parametrize("slower", [0.5, 2.0])
def test_a_machine_that_becomes_slower_is_told_of_when_twice_as_much_was_seen_as_is_to_come(
    slower: float,
) -> None:
    events = events_of(Made(epochs=3, steps=400, warm_up_s=0.0, slower=slower))
    whole_s = _end_s(events)
    changed_s = next(e.t for e in events if isinstance(e, ev.EpochStarted) and e.epoch == 2)
    assert changed_s is not None
    for one in told_of(events):
        since_s, left_s = one.state.active_s - changed_s, whole_s - one.state.active_s
        if isinstance(one.event, ev.Progress) and since_s > 2.0 * left_s > 0.0:
            assert one.left.seconds == pytest.approx(left_s, rel=0.1, abs=3.5)


@settings(max_examples=30, deadline=None)
@given(save_s=st.floats(0.0, 60.0), every=st.integers(20, 60), told=st.sampled_from([1, 10]))
def test_saves_move_the_time_left_by_no_more_than_two_of_them(
    save_s: float, every: int, told: int
) -> None:
    made = Made(
        epochs=1, steps=600, told_every=told, warm_up_s=0.0, save_every=every, save_s=save_s
    )
    events = events_of(made)
    whole_s = _end_s(events)
    for one in told_of(events):
        if isinstance(one.event, ev.Progress) and one.state.step > 6 * every:
            left_s = whole_s - one.state.active_s
            assert one.left.seconds is not None
            assert abs(one.left.seconds - left_s) < 0.1 * left_s + 2.0 * save_s + 2.0


def test_the_speed_of_the_last_minutes_is_what_long_runs_go_by() -> None:
    """One slow minute is not what the next hours are like."""
    events = events_of(Made(epochs=40, steps=400, warm_up_s=0.0))
    steps = [i for i, event in enumerate(events) if isinstance(event, ev.Progress)]
    place = steps[300]
    slow = [later(event, 20.0) for event in events[place:]]
    before = step_times(events[:place])[-1]
    *_, one = told_of([*events[:place], *slow[:1]])
    *_, even = told_of(events[: place + 1])
    assert before == pytest.approx(0.5)
    assert one.left.seconds is not None
    assert even.left.seconds is not None
    assert one.left.seconds < 1.15 * even.left.seconds


def test_once_stopped_early_only_the_final_test_is_left() -> None:
    events = events_of(Made(epochs=9, warm_up_s=0.0, final_test=True))
    place = next(i for i, event in enumerate(events) if isinstance(event, ev.EpochEnded))
    stopped = replace(
        ev.EarlyStopping(counter=9, patience=9, stopped=True),
        t=events[place].t,
        at=events[place].at,
    )
    *_, one = told_of([*events[: place + 1], stopped])
    assert one.left.seconds == pytest.approx(30.0, abs=1.0)


# --- what a step takes ---------------------------------------------------------------------------


PAUSE_S = st.floats(0.0, 40_000.0)


def _places(events: list[ev.Event]) -> list[int]:
    """Where the engine moves."""
    first = next(i for i, event in enumerate(events) if isinstance(event, ev.Progress))
    return list(range(first, len(events) - 3))


def _with_pause(events: list[ev.Event], place: int, pause_s: float, share: float) -> list[ev.Event]:
    """The same, with a pause somewhere between two of its events."""
    before, after = events[place], events[place + 1]
    assert before.t is not None
    assert after.t is not None
    stands = replace(before, t=before.t + share * (after.t - before.t))
    at = {"t": stands.t, "at": stands.at}
    held: list[ev.Event] = [
        ev.Command(who="cli", what="pause", **at),  # type: ignore[arg-type]
        ev.Paused(**at),  # type: ignore[arg-type]
    ]
    freed: list[ev.Event] = [
        later(ev.Command(who="cli", what="resume", **at), pause_s),  # type: ignore[arg-type]
        later(ev.Resumed(**at), pause_s),  # type: ignore[arg-type]
    ]
    rest = [later(event, pause_s) for event in events[place + 1 :]]
    return [*events[: place + 1], *held, *freed, *rest]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), pause_s=PAUSE_S, share=st.floats(0.0, 1.0))
def test_a_pause_of_any_length_anywhere_changes_nothing_of_a_steps_time(
    data: st.DataObject, pause_s: float, share: float
) -> None:
    events = events_of(Made(epochs=2, steps=60, save_every=25, save_s=2.0, duty=0.7))
    place = data.draw(st.sampled_from(_places(events)))
    paused = _with_pause(events, place, pause_s, share)
    assert step_times(paused)[place + 5 :] == pytest.approx(step_times(events)[place + 1 :])


@settings(max_examples=40, deadline=None)
@given(data=st.data(), slept_s=st.floats(20.0, 40_000.0))
@example(data=None, slept_s=59.0)
def test_a_machine_that_slept_or_stalled_once_changes_nothing_of_a_steps_time(
    data: st.DataObject | None, slept_s: float
) -> None:
    """With its clock going on, where it slept."""
    events = events_of(Made(epochs=2, steps=60))
    places = _places(events)[6:]
    place = places[3] if data is None else data.draw(st.sampled_from(places))
    slept = [*events[: place + 1], *(later(event, slept_s) for event in events[place + 1 :])]
    assert step_times(slept)[place + 1 :] == pytest.approx([0.5] * (len(events) - place - 1))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), gap_s=PAUSE_S, trained=st.integers(0, 8), script=st.booleans())
def test_time_without_a_supervisor_changes_nothing_of_a_steps_time(
    data: st.DataObject, gap_s: float, trained: int, script: bool
) -> None:
    """What the engine told of meanwhile is found all at once."""
    events = events_of(Made(epochs=2, steps=100))
    if script:
        events[0] = replace(events[0], engine="foreign")
    place = data.draw(st.sampled_from(_places(events)[6:]))
    found = events[place + 1 : place + 1 + trained]
    last_t = (found or [events[place]])[-1].t
    here = later(events[place], gap_s + 10.0)
    assert last_t is not None
    assert here.t is not None
    at = {"t": max(here.t, last_t), "at": here.at}
    adopted = ev.Adopted(supervisor_pid=9, engine_pid=2, **at)  # type: ignore[arg-type]
    # A script's lines hold no times: they are of the second in which they are read.
    looked = {**at, "t": at["t"] + 0.3} if script else at
    burst = [replace(event, **looked) for event in found]
    moved_s = looked["t"] - last_t
    rest = [later(event, moved_s) for event in events[place + 1 + trained :]]
    adopted_run = [*events[: place + 1], adopted, *burst, *rest]
    assert step_times(adopted_run)[place + 1 :] == pytest.approx(
        [0.5] * (len(adopted_run) - place - 1)
    )


def test_lines_that_a_script_writes_many_at_once_are_counted_with_all_of_their_time() -> None:
    events = events_of(Made(epochs=1, steps=400, told_every=1, warm_up_s=0.0))
    training = [event for event in events if not isinstance(event, ev.ForecastsTimed)]
    buffered, waiting = [], []
    for event in training:
        if not isinstance(event, ev.Progress):
            buffered.append(event)
            continue
        waiting.append(event)
        if len(waiting) == 80:
            buffered += [replace(one, t=event.t, at=event.at) for one in waiting]
            waiting = []
            assert step_times(buffered)[-1] == pytest.approx(0.5)


def test_the_first_steps_of_a_process_are_not_what_later_ones_take() -> None:
    events = events_of(Made(warm_up_s=300.0))
    steps = [i for i, event in enumerate(events) if isinstance(event, ev.Progress)]
    told = step_times(events)
    assert told[steps[0]] is None
    assert [told[place] for place in steps[1:6]] == pytest.approx([0.5] * 5)
    first, *_ = (one for one in told_of(events[: steps[0] + 1]) if one.state.step == 1)
    assert first.left.seconds is None


def test_a_save_takes_as_long_as_it_takes_and_is_counted() -> None:
    events = events_of(Made(epochs=1, steps=400, warm_up_s=0.0, save_every=50, save_s=120.0))
    last = max(i for i, event in enumerate(events) if isinstance(event, ev.Progress))
    assert (step_times(events)[last] or 0.0) > 0.5 + 0.5 * 120.0 / 50


def test_steps_that_stay_slow_are_believed() -> None:
    events = events_of(Made(epochs=1, steps=2_000, told_every=20, warm_up_s=0.0))
    half = len(events) // 2
    start = events[half]
    assert start.t is not None
    slow = [replace(e, t=start.t + 40 * (e.t - start.t)) for e in events[half + 1 :] if e.t]
    assert step_times([*events[: half + 1], *slow[:9]])[-1] == pytest.approx(20.0, rel=0.1)
    assert step_times([*events[: half + 1], *slow[:2]])[-1] == pytest.approx(0.5)


def test_a_change_of_pace_is_in_it_within_minutes() -> None:
    events = events_of(Made(epochs=1, steps=1_000, warm_up_s=0.0, duty=0.5))
    paced = next(i for i, event in enumerate(events) if isinstance(event, ev.Paced))
    since = [e for e in events[paced:] if isinstance(e, ev.Progress)]
    minutes = next(e for e in since if e.t and events[paced].t and e.t > events[paced].t + 300.0)
    assert step_times(events)[events.index(minutes)] == pytest.approx(1.0, rel=0.1)
