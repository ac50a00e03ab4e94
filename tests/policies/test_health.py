"""The health rule: training that has failed, an engine that hangs, and neither without cause."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import HealthSection
from timellm_ops.contract.state import TrainingRecord
from timellm_policies.health import status
from timellm_policies.situation import Situation
from timellm_policies.training import spike_limit

STEADY = [0.5, 0.52, 0.49, 0.51, 0.5, 0.48, 0.53] * 6
BROKEN = [math.nan, math.inf, -math.inf]


def policy(**keys: object) -> PolicySection:
    return PolicySection(health=HealthSection(**keys))  # type: ignore[arg-type]


def watched(**fields: object) -> WatchedRun:
    """A run without a GPU, of which the other rules have nothing to say."""
    return WatchedRun(gpu="none", **fields)  # type: ignore[arg-type]


# --- a loss that is no number --------------------------------------------------------------------


@pytest.mark.parametrize("loss", BROKEN)
@pytest.mark.parametrize("engine", ["timellm", "foreign"])
def test_a_loss_that_is_no_number_stops_the_run_at_once_as_a_failure(
    loss: float, engine: str
) -> None:
    run = watched(engine=engine)
    (stop,) = run.trains([0.5, loss])
    assert (stop.action, stop.rule, stop.failure) == ("stop", "health", True)
    assert f"the loss is {loss} in epoch 1" in stop.reason
    assert "no checkpoint yet" in stop.reason
    assert run.trains([loss] * 9) == []


def test_what_was_saved_before_is_named() -> None:
    run = watched(engine="foreign")
    run.trains([0.5])
    run.happens(ev.CheckpointSaved(kind="best", path="p", bytes=9, epoch=1, vali_mse=0.4))
    (stop,) = run.trains([math.nan])
    assert "the best checkpoint, of epoch 1, was saved before and stays" in stop.reason


def test_a_script_that_has_saved_broken_weights_is_said_to_have_done_so() -> None:
    run = watched(engine="foreign")
    run.trains([0.5])
    run.happens(
        ev.EpochEnded(epoch=1, train_mse=0.5, vali_mse=math.nan),
        ev.CheckpointSaved(kind="best", path="p", bytes=9, epoch=1, vali_mse=math.nan),
    )
    (stop,) = run.decides()
    assert "the validation loss is nan in epoch 1" in stop.reason
    assert "was saved from such weights" in stop.reason


def test_it_can_be_told_of_only_or_not_at_all() -> None:
    assert actions(watched(policy=policy(not_finite="alert")).trains(BROKEN * 5)) == [
        "health alert"
    ]
    assert watched(policy=policy(not_finite="off")).trains(BROKEN * 5) == []


def test_what_an_earlier_start_has_seen_is_past() -> None:
    run = watched(policy=policy(not_finite="off"))
    run.trains([0.5, math.nan])
    run.policy = PolicySection()
    run.happens(ev.RunStarted(run_id="r", name="n", engine="timellm", resumed=True))
    assert run.decides() == []


# --- a loss that has jumped ----------------------------------------------------------------------


def test_a_loss_that_jumps_and_stays_is_told_of_once() -> None:
    run = watched()
    (alert,) = run.trains([*STEADY, *[5.0] * 20])
    assert (alert.action, alert.value) == ("alert", 5.0)
    assert "jumped to 5, from about 0.5 before" in alert.reason
    assert alert.threshold is not None
    assert alert.threshold < 5.0


@pytest.mark.parametrize(
    "losses",
    [
        [*STEADY, 5.0, 0.5, 5.0, 5.0, 0.5, *STEADY],
        [*STEADY, 0.6, 0.62, 0.61, *STEADY],
        [*[0.5] * 40, *[0.51] * 40],
        [5.0] * 3,
        [5.0 / (i + 1) for i in range(100)],
    ],
    ids=["single batches", "within the usual", "a ripple on a calm sea", "too early", "learning"],
)
def test_what_is_no_spike_is_not_told_of(losses: list[float]) -> None:
    assert watched().trains(losses) == []


LOSSES = st.lists(st.floats(0.01, 10.0), min_size=23, max_size=64)


@given(losses=LOSSES, factor=st.floats(0.5, 100.0))
def test_the_limit_of_a_spike_scales_with_the_loss_and_lies_above_the_median(
    losses: list[float], factor: float
) -> None:
    def limit(values: list[float]) -> float:
        found = spike_limit([TrainingRecord(v) for v in values], 3, 8.0)
        assert found is not None
        return found

    usual = sorted(losses[:-3])
    assert limit(losses) > usual[len(usual) // 2]
    assert limit([factor * loss for loss in losses]) == pytest.approx(factor * limit(losses))


@given(losses=LOSSES, odd=st.lists(st.floats(1e3, 1e9), min_size=1, max_size=2))
def test_a_few_odd_batches_hardly_move_the_limit(losses: list[float], odd: list[float]) -> None:
    records = [TrainingRecord(loss) for loss in losses]
    mixed = [*(TrainingRecord(loss) for loss in odd), *records]
    with_odd = spike_limit(mixed, 3, 8.0)
    assert with_odd is not None
    assert with_odd <= 9.0 * 1.4826 * 10.0 + 10.0, "whatever the odd ones were"


# --- silence -------------------------------------------------------------------------------------


def test_an_engine_that_falls_silent_is_told_of_once_each_time() -> None:
    run = watched()
    run.trains([0.5] * 20, every_s=2.0)
    made = run.waits(3600.0, every_s=10.0)
    assert actions(made) == ["health alert"]
    assert made[0].value is not None
    assert 180.0 < made[0].value <= 190.0
    assert "silent for 3 min" in made[0].reason
    assert run.trains([0.5] * 5) == []
    assert actions(run.waits(600.0, every_s=10.0)) == ["health alert"], "another silence"


def test_how_long_is_too_long_follows_from_how_slow_it_usually_is() -> None:
    run = watched()
    run.trains([0.5] * 20, every_s=60.0)
    made = run.waits(52 * 60.0 - 1.0)
    assert made == []
    assert actions(run.waits(60.0)) == ["health alert"]


def test_an_engine_that_is_paced_may_be_silent_for_as_much_longer() -> None:
    run = watched()
    run.trains([0.5] * 20, every_s=60.0)
    run.happens(ev.Paced(duty=0.5))
    assert run.waits(103 * 60.0) == []
    assert actions(run.waits(120.0)) == ["health alert"]


def test_a_script_that_tells_of_every_hundredth_iteration_may_be_silent_for_as_many() -> None:
    run = watched(engine="foreign")
    run.trains([0.5] * 5, every_s=200.0, iterations=100)
    assert run.waits(499.0) == []
    assert actions(run.waits(2.0)) == ["health alert"]


def test_where_asked_for_a_hanging_engine_is_stopped_as_a_failure() -> None:
    run = watched(policy=policy(stall_action="stop", stall_stop_after_s=900.0))
    run.trains([0.5] * 20)
    made = run.waits(3600.0, every_s=10.0)
    assert actions(made) == ["health alert", "health stop"]
    assert made[1].failure
    assert made[1].value is not None
    assert 900.0 < made[1].value <= 910.0


SILENT_FOR_A_REASON = {
    "paused": (ev.Command(who="me", what="pause"), ev.Paused()),
    "told to pause": (ev.Command(who="me", what="pause"),),
    "about to evaluate": (ev.EvaluationProgress(split="vali", done=0, total=10),),
    "saving": (ev.CheckpointWriting(kind="last"),),
    "beginning to solve for its head": (ev.HeadProgress(done=0, total=2),),
    "at the epoch's end": (ev.Progress(iteration=1000, epoch=1, loss=0.5),),
    "gone": (ev.EngineExited(code=0),),
}


@pytest.mark.parametrize("why", SILENT_FOR_A_REASON)
def test_an_engine_with_a_reason_to_be_silent_is_left_alone(why: str) -> None:
    run = watched(policy=policy(stall_action="stop"))
    run.trains([0.5] * 20)
    run.happens(*SILENT_FOR_A_REASON[why])  # type: ignore[arg-type]
    assert run.waits(7200.0, every_s=10.0) == []


def test_an_engine_that_moves_again_has_its_whole_time_from_there() -> None:
    run = watched()
    run.trains([0.5] * 20)
    run.happens(ev.Command(who="me", what="pause"), ev.Paused())
    run.waits(3600.0, every_s=10.0)
    run.happens(ev.Command(who="me", what="resume"), ev.Resumed())
    assert run.waits(179.0) == []
    assert actions(run.waits(5.0)) == ["health alert"]


def test_a_supervisor_that_took_over_counts_from_then_on() -> None:
    run = watched()
    run.trains([0.5] * 20)
    run.t += 3600.0
    run.happens(ev.Adopted(supervisor_pid=9, engine_pid=7))
    assert run.decides() == []
    assert run.waits(179.0) == []
    assert actions(run.waits(5.0)) == ["health alert"]


def evaluated(done: int) -> ev.Event:
    return ev.EvaluationProgress(split="vali", done=done, total=10)


def solved(done: int) -> ev.Event:
    return ev.HeadProgress(done=done, total=10)


def reading(run: WatchedRun, word: Callable[[int], ev.Event]) -> WatchedRun:
    """Half way through windows that are only read, with a word every ten seconds."""
    for done in range(6):
        run.happens(word(done))
        assert run.waits(10.0) == []
    return run


@pytest.mark.parametrize(
    ("losses", "word"),
    [([0.5] * 20, evaluated), ([], solved), ([0.5] * 20, solved)],
    ids=["evaluating", "solving for its head", "again, after its steps were lost"],
)
def test_a_pass_over_windows_that_falls_silent_is_told_of(
    losses: list[float], word: Callable[[int], ev.Event]
) -> None:
    run = watched()
    run.trains(losses)
    made = reading(run, word).waits(3600.0, every_s=10.0)
    assert actions(made) == ["health alert"]
    assert made[0].threshold == 500.0
    assert "usually a record every 10 s" in made[0].reason
    run.happens(word(10))
    assert run.waits(3600.0, every_s=10.0) == [], "with all of it done, it may be silent"


def test_a_script_may_evaluate_without_a_word() -> None:
    run = watched(engine="foreign")
    run.trains([0.5] * 20)
    assert reading(run, evaluated).waits(7200.0, every_s=10.0) == []


def test_it_can_be_switched_off() -> None:
    run = watched(policy=policy(stall_action="off"))
    run.trains([0.5] * 20)
    assert run.waits(7200.0, every_s=10.0) == []


@given(
    every_s=st.floats(0.05, 30.0),
    iterations=st.integers(1, 30),
    silences=st.lists(st.floats(1.0, 4000.0), max_size=4),
)
def test_each_silence_is_told_of_at_most_once_and_never_too_early(
    every_s: float, iterations: int, silences: list[float]
) -> None:
    run = watched()
    run.trains([0.5] * 10, every_s=every_s, iterations=iterations)
    for silence_s in silences:
        usual_s = 50.0 * every_s / iterations + 2.0 * every_s
        made = run.waits(silence_s, every_s=max(1.0, silence_s / 20.0))
        assert len(made) <= 1
        for alert in made:
            assert alert.action == "alert"
            assert alert.value is not None
            assert alert.value >= min(180.0, usual_s) - 1.0
        run.happens(ev.ControlAcknowledged(sequence=1, desired="run"))


# --- loading -------------------------------------------------------------------------------------


def test_an_engine_that_says_nothing_while_it_loads_is_told_of_once() -> None:
    run = watched()
    run.happens(ev.RunStarted(run_id="r", name="n", engine="timellm"), ev.EngineStarted(pid=8))
    assert run.waits(900.0, every_s=5.0) == []
    assert actions(run.waits(7200.0, every_s=5.0)) == ["health alert"]
    assert "15 min" in run.decisions[0].reason


def test_an_engine_that_has_spoken_is_not_loading() -> None:
    run = watched()
    run.happens(ev.RunStarted(run_id="r", name="n", engine="timellm"), ev.EngineStarted(pid=8))
    run.happens(ev.ControlAcknowledged(sequence=1, desired="run"))
    assert run.waits(7200.0, every_s=5.0) == []


# --- the card ------------------------------------------------------------------------------------

LOST = ev.TelemetryLost(reason="the GPU is lost: it has fallen off the bus", lost=True)


def test_a_gpu_that_stays_lost_stops_the_run_for_the_hardwares_sake() -> None:
    run = WatchedRun()
    run.sees(60.0)
    run.happens(LOST)
    assert run.waits(9.0) == []
    (stop,) = run.waits(1.0)
    assert (stop.action, stop.rule, stop.failure) == ("stop", "health", False)
    assert "the GPU is lost" in stop.reason
    assert "a new start would not help" in stop.reason


def test_a_gpu_that_answers_again_was_not_lost() -> None:
    run = WatchedRun()
    for _ in range(5):
        run.happens(LOST)
        assert run.waits(8.0) == []
        run.sees(60.0)


def test_a_gpu_that_is_lost_stays_so_whatever_the_driver_says_next() -> None:
    run = WatchedRun()
    run.happens(LOST, ev.TelemetryLost(reason="there is no GPU with this index"))
    assert actions(run.waits(10.0)) == ["health stop"]


def test_memory_that_errs_anew_stops_the_run_and_old_errors_do_not() -> None:
    run = WatchedRun()
    assert run.sees(*[60.0] * 5, ecc_errors=3) == []
    (stop,) = run.sees(60.0, ecc_errors=4)
    assert (stop.action, stop.value, stop.threshold) == ("stop", 4.0, 3.0)
    assert "an error that could not be corrected" in stop.reason


@pytest.mark.parametrize(("action", "expected"), [("alert", ["health alert"]), ("off", [])])
def test_a_card_that_fails_is_only_told_of_where_so_wanted(
    action: str, expected: list[str]
) -> None:
    run = WatchedRun(policy=policy(gpu_fault=action))
    run.sees(60.0)
    run.happens(LOST)
    assert actions(run.waits(25.0)) == expected


@pytest.mark.parametrize("xid", [48, 79, 119])
def test_an_error_of_the_drivers_that_only_a_reset_mends_stops_the_run(xid: int) -> None:
    run = WatchedRun()
    assert run.sees(60.0, 60.0, xids=()) == []
    (stop,) = run.sees(60.0, xids=(13, xid))
    assert (stop.action, stop.failure) == ("stop", False)
    assert f"XID {xid}" in stop.reason


def test_other_errors_of_the_drivers_are_told_of_once_an_hour_each() -> None:
    run = WatchedRun()
    made = run.sees(60.0, xids=(31, 43, 31, 45))
    assert [d.reason.partition(":")[0] for d in made] == [
        "the driver has logged XID 31", "the driver has logged XID 43",
    ]  # fmt: skip
    assert {d.action for d in made} == {"alert"}
    assert run.sees(*[60.0] * 60, xids=(31,)) == []
    assert actions(run.sees(*[60.0] * 3600, xids=(31,))) == ["health alert"]
    off = WatchedRun(policy=policy(gpu_fault="off"))
    assert off.sees(60.0, xids=(79, 31)) == []


def test_while_it_is_silent_the_rule_stands_as_one_that_has_told() -> None:
    run = watched()
    run.trains([0.5] * 20, every_s=2.0)
    assert standing(run) == "watching"
    run.waits(600.0, every_s=10.0)
    assert standing(run) == "told"
    run.trains([0.5] * 5)
    assert standing(run) == "watching"


def test_it_also_watches_while_no_word_is_due() -> None:
    run = watched()
    assert standing(run) == "watching"
    run.trains([0.5] * 20, every_s=2.0)
    run.happens(ev.Command(who="me", what="pause"), ev.Paused())
    run.waits(600.0, every_s=10.0)
    assert standing(run) == "watching"


def standing(run: WatchedRun) -> str:
    now = Situation(
        policy=run.policy, state=run.state, recent=run.recent, now_t=run.t, now_at=run.now_at
    )
    return status(now).standing
