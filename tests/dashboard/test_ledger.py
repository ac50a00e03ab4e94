"""The throttle ledger: every second is booked once, and what was lost is booked by its cause."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_journals import CAPPED, HOT, journals
from sample_journals import (
    STEPS,
    Journal,
    in_second_epoch,
    paused_thermal,
    sample,
    save_last,
    training,
)
from silent_journals import solving

from timellm_dashboard.folds.ledger import Ledger
from timellm_dashboard.folds.spent import Loss
from timellm_dashboard.moment import Moment
from timellm_dashboard.reports.report import build_report
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import HostSample


def ledger_of(journal: Journal) -> Ledger:
    recorder = Recorder()
    recorder.take(journal.records)
    return recorder.history.ledger


def loss(journal: Journal, cause: str) -> Loss:
    return next(found for found in ledger_of(journal).losses if found.cause == cause)


def step(
    journal: Journal, iteration: int, step_s: float, reasons: tuple[str, ...] | None = ()
) -> Journal:
    """Ten steps, each of so many seconds, with a reading before and amid them."""
    for _ in range(2):
        journal.add(ev.Telemetry(sample=sample(70.0, throttle_reasons=reasons)))
        journal.add(ev.HostTelemetry(sample=HostSample()), 5 * step_s)
    return journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5))


def steps(
    journal: Journal, first: int, last: int, step_s: float, reasons: tuple[str, ...] | None = ()
) -> Journal:
    for iteration in range(first, last + 1, 10):
        step(journal, iteration, step_s, reasons)
    return journal


# --- work that is made again ---------------------------------------------------------------------


def killed_and_started_again() -> Journal:
    """Killed 200 steps after its last checkpoint, at two seconds a step."""
    journal = in_second_epoch()
    save_last(journal, 2, 1_000)
    journal.add(ev.Progress(iteration=1_200, epoch=2, loss=0.3, seconds_per_iteration=2.0), 400.0)
    journal.add(ev.EngineExited(signal=9), 1.0)
    again = ev.EngineRestart(reason="the engine was ended by SIGKILL", attempt=1, wait_s=9.0)
    return journal.add(again)


def went_on(journal: Journal) -> Journal:
    first = next(r.event for r in journal.records if isinstance(r.event, ev.TrainingStarted))
    place = {"start_epoch": 2, "start_iteration": 1_000, "t": None, "at": None}
    return journal.add(msgspec.structs.replace(first, **place), 20.0)


def test_steps_that_a_killed_engine_has_lost_are_told_as_made_again() -> None:
    assert not [x for x in ledger_of(killed_and_started_again()).losses if x.cause == "repeated"]
    found = loss(went_on(killed_and_started_again()), "repeated")
    assert found.steps == 200
    assert found.lost_s == found.lasted_s
    assert found.lost_s is not None
    assert found.lost_s > 0.0


def test_steps_that_are_made_again_cost_no_more_than_there_was() -> None:
    """Twenty steps of which ten were told at once: at the pace of the others, twice the time."""
    journal = Journal()
    begun = next(r.event for r in training().records if isinstance(r.event, ev.TrainingStarted))
    begun = msgspec.structs.replace(begun, t=None, at=None)
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm"))
    journal.add(begun)
    for iteration, passed_s in ((10, 0.0), (20, 1.0)):
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5), passed_s)
    journal.add(begun)
    found = loss(journal, "repeated")
    assert (found.steps, found.lost_s) == (20, 1.0)


def begun_again(journal: Journal, iteration: int = 0) -> Journal:
    """By an engine after one that was killed, from there on."""
    first = next(r.event for r in journal.records if isinstance(r.event, ev.TrainingStarted))
    journal.add(ev.EngineExited(signal=9), 1.0)
    place = {"start_epoch": 1, "start_iteration": iteration, "t": None, "at": None}
    return journal.add(msgspec.structs.replace(first, **place), 20.0)


def test_a_head_that_is_solved_for_again_is_told_as_made_again() -> None:
    journal = solving(training())
    assert not [x for x in ledger_of(journal).losses if x.cause == "repeated"]
    found = loss(begun_again(journal), "repeated")
    assert (found.steps, found.lost_s) == (0, pytest.approx(5.0))
    twice = loss(begun_again(solving(begun_again(journal))), "repeated")
    assert twice.lost_s == pytest.approx(10.0), "each of them once"
    recorder = Recorder()
    recorder.take(journal.records)
    shown = recorder.view(Moment(t=journal.t, wall=journal.wall, supervised=True), Look())
    assert "made again" in shown.ledger.line
    assert "0 steps" not in shown.ledger.line


def test_a_head_that_is_kept_is_not_made_again() -> None:
    journal = solving(training(), done=1_000)
    journal.add(ev.HeadSolved(windows=900, penalty=1e-6, vali_mse=0.5, seconds=11.0), 1.0)
    journal.add(ev.EpochStarted(epoch=1, steps=STEPS))
    step(journal, 10, 1.0)
    save_last(journal, 1, 10)
    journal = begun_again(journal, 10)
    assert not [x for x in ledger_of(journal).losses if x.cause == "repeated"]


@pytest.mark.parametrize(
    ("lang", "told"), [("en", "made again 200 steps, "), ("zh", "重做的步 200 步，")]
)
def test_every_form_tells_the_steps_that_are_made_again(lang: Lang, told: str) -> None:
    recorder = Recorder()
    journal = went_on(killed_and_started_again())
    recorder.take(journal.records)
    look = Look(lang=lang)
    moment = Moment(t=journal.t, wall=journal.wall, supervised=True)
    shown = recorder.view(moment, look)
    assert told in shown.ledger.line
    row = next(row for row in shown.ledger.rows if row.cause == "repeated")
    assert (row.steps.value, row.ahead.value) == (200, None)
    report = build_report(shown, recorder.state, recorder.history, look)
    section = report.section("ledger")
    assert section is not None
    cells = next(row.cells for row in section.rows if row.id == "ledger_repeated")
    assert cells[3].value == 200


def test_the_wait_for_another_engine_says_which_steps_it_makes_again() -> None:
    recorder = Recorder()
    journal = killed_and_started_again()
    recorder.take(journal.records)
    moment = Moment(t=journal.t, wall=journal.wall, supervised=True)
    reason = recorder.view(moment, Look()).headline.reason
    assert reason.endswith(f"from step {STEPS + 1_000:,}, and makes 200 steps again")


def test_a_run_that_goes_on_where_it_was_makes_nothing_again() -> None:
    assert not [x for x in ledger_of(in_second_epoch()).losses if x.cause == "repeated"]


# --- what a cause takes --------------------------------------------------------------------------


def test_a_pause_costs_all_of_its_time_and_is_booked_to_its_rule() -> None:
    found = loss(paused_thermal(), "thermal")
    assert found.lasted_s == found.lost_s == found.recent_lost_s == pytest.approx(20.0)


def test_a_person_and_a_rule_together_are_the_rules_as_long_as_it_came_first() -> None:
    journal = paused_thermal()
    journal.add(ev.Command(who="cli", what="pause"), 5.0)
    journal.add(
        ev.PolicyDecision(action="resume", rule="thermal", reason="74 °C < 75 °C"), 30.0
    ).add(ev.Command(who="cli", what="resume"), 100.0)
    journal.add(ev.Resumed(), 0.5)
    assert loss(journal, "thermal").lost_s == pytest.approx(55.0)
    # The half second in which it is told to go on is the last cause's.
    assert loss(journal, "user").lost_s == pytest.approx(100.5)


def test_standing_still_without_a_reason_on_record_says_so() -> None:
    journal = in_second_epoch().add(ev.Paused(), 1.0).add(ev.Resumed(), 60.0)
    assert loss(journal, "other").lost_s == pytest.approx(60.0)


def test_a_pace_of_80_percent_costs_a_fifth_of_the_time_in_which_the_engine_moves() -> None:
    journal = in_second_epoch().add(ev.Paced(duty=0.8))
    journal.add(ev.Progress(iteration=1_220, epoch=2, loss=0.3), 100.0)
    journal.add(ev.Command(who="cli", what="pause")).add(ev.Paused())
    journal.add(ev.Resumed(), 1_000.0)
    found = loss(journal, "pace")
    assert (found.lasted_s, found.lost_s) == (pytest.approx(100.0), pytest.approx(20.0))


def test_a_slowed_card_costs_what_its_steps_took_longer_than_the_others() -> None:
    journal = steps(training(), 10, 200, 0.5)
    steps(journal, 210, 300, 0.75, HOT)
    found = loss(journal, "heat")
    assert found.lasted_s == pytest.approx(75.0)
    assert found.lost_s == pytest.approx(25.0)
    assert found.recent_lost_s == pytest.approx(25.0)


def test_without_a_step_at_full_speed_what_a_slowdown_costs_is_unknown_until_there_is_one() -> None:
    journal = steps(training(), 10, 300, 0.75, CAPPED)
    found = loss(journal, "power_cap")
    assert found.lasted_s == pytest.approx(225.0)
    assert found.lost_s is None
    assert found.recent_lost_s is None
    steps(journal, 310, 400, 0.5)
    assert loss(journal, "power_cap").lost_s == pytest.approx(75.0, abs=1.0)


def test_a_card_that_does_not_say_what_slows_it_is_booked_as_unread() -> None:
    ledger = ledger_of(steps(training(), 10, 100, 0.5, None))
    assert ledger.losses == ()
    assert ledger.unread_s == pytest.approx(50.0, abs=1.0)
    assert ledger.step_s == pytest.approx(0.5)


def test_a_pace_does_not_look_like_a_slow_card() -> None:
    """Steps that rest are slower by the clock, and not by the card."""
    journal = steps(training(), 10, 100, 0.5).add(ev.Paced(duty=0.5))
    steps(journal, 110, 200, 1.0, HOT)
    assert loss(journal, "pace").lost_s == pytest.approx(50.0)
    assert loss(journal, "heat").lost_s == pytest.approx(0.0, abs=0.01)


def test_the_last_hour_forgets_what_was_before() -> None:
    journal = paused_thermal().add(ev.Resumed(), 100.0)
    steps(journal, 1_210, 1_300, 50.0)
    found = loss(journal, "thermal")
    assert found.lost_s == pytest.approx(120.0)
    assert found.recent_lost_s == 0.0
    assert 3_540 < ledger_of(journal).recent_s <= 3_600


@pytest.mark.parametrize(
    ("reasons", "cause"),
    [
        (("hw_thermal_slowdown",), "heat"),
        (("hw_slowdown",), "heat"),
        (("hw_slowdown", "hw_power_brake_slowdown"), "power_cap"),
        (("sw_power_cap",), "power_cap"),
        (("applications_clocks_setting",), None),
    ],
)
def test_what_the_card_says_is_heat_or_power(reasons: tuple[str, ...], cause: str | None) -> None:
    found = ledger_of(steps(training(), 10, 50, 0.5, reasons)).losses
    assert [part.cause for part in found] == ([cause] if cause else [])


# --- where the time went -------------------------------------------------------------------------


def test_time_without_a_supervisor_is_its_own() -> None:
    journal = in_second_epoch()
    before = ledger_of(journal).spent
    journal.add(ev.Adopted(supervisor_pid=2, engine_pid=4242), 3_600.0)
    journal.add(ev.Progress(iteration=1_220, epoch=2, loss=0.3), 10.0)
    adopted = ledger_of(journal).spent
    assert adopted.unsupervised_s == pytest.approx(3_600.0)
    assert adopted.training_s - before.training_s == pytest.approx(10.0)
    journal.add(ev.RunEnded(outcome="stopped", exit_code=0, reason="x"), 1.0)
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 8 * 3_600.0)
    resumed = ledger_of(journal).spent
    assert resumed.unsupervised_s == pytest.approx(3_600.0)
    assert resumed.ended_s == pytest.approx(8 * 3_600.0)
    assert resumed.supervised_s == pytest.approx(adopted.supervised_s + 1.0)


def test_after_a_reboot_the_wall_clock_tells_how_long_it_was() -> None:
    journal = in_second_epoch()
    at = journal.wall
    journal.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 600.0)
    last = journal.records[-1]
    rebooted = msgspec.structs.replace(last.event, t=12.0)
    journal.records[-1] = msgspec.structs.replace(last, event=rebooted)
    assert journal.wall > at
    assert ledger_of(journal).spent.unsupervised_s == pytest.approx(600.0)


@settings(max_examples=150)
@given(journals())
def test_every_second_is_booked_once_and_nothing_ever_goes_down(journal: Journal) -> None:
    state, ledger, seen = RunState(), Ledger(), []
    for record in journal.records:
        before, state = state, reduce(state, record.event)
        ledger.fold(before, record.event, state)
        seen.append((ledger.spent, {part.cause: part for part in ledger.losses}))
    spent, losses = seen[-1]
    assert math.isclose(spent.elapsed_s, journal.seconds, rel_tol=1e-6, abs_tol=1e-3)
    lost_s = sum(part.lost_s or 0.0 for part in losses.values())
    assert 0.0 <= lost_s <= spent.supervised_s + 1e-3
    paused_s = sum(p.lost_s or 0.0 for c, p in losses.items() if c in ("thermal", "user", "other"))
    assert math.isclose(paused_s, spent.standing_s, abs_tol=1e-6)
    for part in losses.values():
        assert 0.0 <= (part.recent_lost_s or 0.0) <= (part.lost_s or 0.0) + 1e-6
        assert (part.lost_s or 0.0) <= part.lasted_s + 1e-6
    for (first, earlier), (second, later) in pairwise(seen):
        for name in (
            "training_s",
            "evaluating_s",
            "loading_s",
            "standing_s",
            "unsupervised_s",
            "ended_s",
        ):
            assert 0.0 <= getattr(first, name) <= getattr(second, name)
        for cause, part in earlier.items():
            assert part.lasted_s <= later[cause].lasted_s
            assert (part.lost_s or 0.0) <= (later[cause].lost_s or 0.0) + 1e-9


def test_a_long_night_of_it_is_bounded() -> None:
    journal = steps(training(), 10, 100, 0.5)
    ledger, state = Ledger(), RunState()
    for record in journal.records:
        before, state = state, reduce(state, record.event)
        ledger.fold(before, record.event, state)
    for hour in range(200):
        for event in (ev.Paced(duty=0.5), ev.Progress(iteration=110 + hour, epoch=1, loss=0.5)):
            journal.add(event, 300.0)
            before, state = state, reduce(state, journal.records[-1].event)
            ledger.fold(before, journal.records[-1].event, state)
    assert len(ledger._hour) <= 62
    assert len(ledger._steps._speeds) <= 255


@given(st.lists(st.floats(0.0, 0.2), max_size=5))
@example([0.1875])
def test_shares_add_up_to_the_share_of_all_of_them(shares: list[float]) -> None:
    told = fmt.portions(shares)
    together = fmt.portion(sum(shares))
    whole, in_all = (
        [0 if text == "<1 %" else int(text.removesuffix(" %")) for text in texts]
        for texts in (told, [together])
    )
    assert sum(whole) == sum(in_all)
    for share, number, text in zip(shares, whole, told, strict=True):
        assert number - 1 <= share * 100 <= number + 1
        assert share > 0.0 or text == "0 %"
