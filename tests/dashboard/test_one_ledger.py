"""Report, answers, view, state and ledger tell the same of pauses and of heat: one fold counts."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_journals import HOT, journals
from sample_facts import facts
from sample_journals import STATES, Journal, paused_thermal, sample, training
from silent_journals import hung

from timellm_dashboard.answers.answer import Say
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.answers.hardware import heat
from timellm_dashboard.moment import Moment, state_at
from timellm_dashboard.reports.parts import Row
from timellm_dashboard.reports.report import Report, build_report
from timellm_dashboard.runs.compare import compare
from timellm_dashboard.runs.compared import ComparedRun
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord
from timellm_ops.journal import read_records

RECORDED = sorted((Path(__file__).parents[1] / "fixtures" / "journals").glob("*.jsonl"))
WALL = datetime(2026, 2, 1, tzinfo=UTC)


@cache
def a_run() -> Facts:
    return facts("training")


def rows(report: Report, section: str) -> dict[str, Row]:
    found = report.section(section)
    return {} if found is None else {row.id: row for row in found.rows}


def check(records: Sequence[JournalRecord]) -> None:
    """Every form says the same of the run with these records."""
    recorder = Recorder()
    recorder.take(records)
    state, ledger = recorder.state, recorder.history.ledger
    view = recorder.view(Moment(t=state.t or 0.0, wall=WALL, supervised=False), Look())
    report = build_report(view, state, recorder.history, Look())
    spent, standing = ledger.spent, ledger.standing

    # How often, and for how long, in all.
    answer = heat(msgspec.structs.replace(a_run(), state=state), Say("en")).numbers
    pauses = {f"pauses_{found.cause}": found for found in standing.by_cause}
    assert sum(found.pauses for found in pauses.values()) == state.pauses
    assert view.progress.pauses == answer["pauses"] == state.pauses
    for paused_s in (state.paused_s, answer["paused_seconds"], view.progress.paused.value):
        assert (paused_s or 0.0) == pytest.approx(spent.standing_s)

    # By cause: the report's table, the view's ledger, the bands on the report's plot.
    told = rows(report, "pauses")
    assert told.keys() == pauses.keys()
    ledger_rows = {row.cause: row for row in view.ledger.rows}
    bands: Counter[str] = Counter()
    for band in report.charts.pauses:
        end_s = state.active_s if band.end_s is None else band.end_s
        bands[band.rule] += end_s - band.start_s  # type: ignore[assignment]
    for name, found in pauses.items():
        assert told[name].cells[1].value == found.pauses
        assert told[name].cells[2].value == pytest.approx(found.seconds, abs=0.051)
        assert bands[found.cause] == pytest.approx(found.seconds, abs=1e-6)
        if found.seconds:
            assert told[name].cells[2].text == ledger_rows[found.cause].lasted.text
            assert told[name].cells[3].text == ledger_rows[found.cause].share.text
            assert ledger_rows[found.cause].lost.value == pytest.approx(found.seconds)

    # Where the time went.
    time = {name: row.cells[1].value for name, row in rows(report, "time").items()}
    if state.t is not None:
        assert time["standing_s"] == round(spent.standing_s, 1)
        assert time["computing_s"] == round(spent.moving_s, 1)
        parts = [time[name] for name in ("computing_s", "loading_s", "standing_s")]
        parts += [time.get(name, 0.0) for name in ("silent_s", "unsupervised_s", "ended_s")]
        assert sum(parts) == pytest.approx(spent.elapsed_s, abs=0.3)  # type: ignore[arg-type]
        unwatched = ("unsupervised_s", "ended_s")
        shares = {
            name: float(row.cells[1].text.rpartition(" · ")[2].removesuffix(" %"))
            for name, row in rows(report, "time").items()
            if name not in ("seconds_per_step", *unwatched) and spent.supervised_s > 0
        }
        assert sum(shares.values()) == pytest.approx(100.0 if shares else 0.0)
        assert not any(
            "%" in row.cells[1].text
            for name, row in rows(report, "time").items()
            if name in unwatched
        )
        if shares:
            of_pauses = 100 * sum(found.seconds for found in pauses.values()) / spent.supervised_s
            assert shares["standing_s"] == pytest.approx(of_pauses, abs=0.11)

    # A silent engine.
    silent = ledger_rows.get("silent")
    assert (silent is None) == ("silent_s" not in time) == (spent.silent_s == 0)
    if silent is not None:
        assert time["silent_s"] == round(spent.silent_s, 1)
        assert silent.lasted.text in rows(report, "time")["silent_s"].cells[1].text
        assert any(silent.lasted.text in part.text for part in view.ledger.spent)
        lasted_s = sum(
            (state.active_s if s.end_s is None else s.end_s) - s.start_s
            for s in report.charts.silences
        )
        assert lasted_s == pytest.approx(spent.silent_s)

    # How fast it was.
    mean = view.progress.mean_speed
    one = ComparedRun(
        run_id="a", state=state, history=recorder.history, supervised=False, config=None
    )
    pair = [one, msgspec.structs.replace(one, run_id="b")]
    (beside,) = [r for r in compare(pair).results if r.id == "seconds_per_step"]
    assert {figure.value for figure in beside.figures} == {mean.value}
    assert {figure.text for figure in beside.figures} == {mean.text}
    assert time.get("seconds_per_step") == mean.value
    if "seconds_per_step" in time:
        text = rows(report, "time")["seconds_per_step"].cells[1].text
        assert text.startswith(f"{mean.text} · ")
    if state.ended:
        assert view.progress.speed == mean

    # Heat: how long, and what it cost.
    hot, lines = ledger_rows.get("heat"), rows(report, "gpu")
    if hot is not None:
        assert lines["throttled_s"].cells[1].text == hot.lasted.text
        assert lines["throttled_lost_s"].cells[1].text == hot.lost.text
    elif "throttled_s" in lines:
        assert lines["throttled_s"].cells[1].value in (None, 0.0)
        assert "throttled_lost_s" not in lines


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
def test_of_recorded_runs(path: Path, share: float) -> None:
    records = list(read_records(path))
    check(records[: round(share * len(records))])


@pytest.mark.parametrize("state", sorted(STATES))
def test_in_every_state(state: str) -> None:
    check(STATES[state]().records)


def held_while_nobody_watched() -> Journal:
    journal = paused_thermal().add(ev.Adopted(supervisor_pid=2, engine_pid=4242), 600.0)
    return journal.add(ev.Resumed(), 30.0).add(ev.Progress(iteration=1_220, epoch=2, loss=0.3), 9.0)


def taken_over_by_a_person() -> Journal:
    journal = paused_thermal().add(ev.Command(who="cli", what="pause"), 5.0)
    journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason="cool"), 30.0)
    return journal.add(ev.Command(who="cli", what="resume"), 100.0).add(ev.Resumed(), 0.5)


@settings(max_examples=120, deadline=None)
@given(journals())
@example(held_while_nobody_watched())
@example(taken_over_by_a_person())
@example(hung())
def test_of_whatever_may_happen(journal: Journal) -> None:
    check(journal.records)


def test_time_before_an_adoption_is_no_pause() -> None:
    recorder = Recorder()
    recorder.take(held_while_nobody_watched().records)
    assert recorder.history.ledger.spent.standing_s == pytest.approx(20.0 + 30.0)
    assert recorder.history.ledger.spent.unsupervised_s == pytest.approx(600.0)


def test_a_pause_that_a_person_prolongs_is_one_and_its_time_is_each_ones() -> None:
    recorder = Recorder()
    recorder.take(taken_over_by_a_person().records)
    found = {part.cause: part for part in recorder.history.ledger.standing.by_cause}
    assert (found["thermal"].pauses, found["user"].pauses) == (1, 0)
    assert found["thermal"].seconds == pytest.approx(55.0)
    assert found["user"].seconds == pytest.approx(100.5)


def test_what_ended_a_pause_is_no_cause_of_the_next_one() -> None:
    recorder = Recorder()
    journal = paused_thermal().add(
        ev.PolicyDecision(action="resume", rule="thermal", reason="cool"), 60.0
    )
    journal.add(ev.Resumed()).add(ev.Paused(), 3_600.0).add(ev.Resumed(), 10.0)
    recorder.take(journal.records)
    found = {part.cause: part.seconds for part in recorder.history.ledger.standing.by_cause}
    assert found == {"thermal": pytest.approx(80.0), "other": pytest.approx(10.0)}


def test_how_long_heat_lasted_and_what_it_cost_are_two_numbers() -> None:
    journal = training()
    for iteration in range(10, 310, 10):
        hot = iteration > 200
        for _ in range(2):
            journal.add(ev.Telemetry(sample=sample(70.0, throttle_reasons=HOT if hot else ())))
            journal.add(ev.LearningRateChanged(lr=1e-3), 3.75 if hot else 2.5)
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=0.5))
    recorder = Recorder()
    recorder.take(journal.records)
    moment = Moment(t=journal.t, wall=journal.wall, supervised=True)
    view = recorder.view(moment, Look())
    lines = rows(build_report(view, recorder.state, recorder.history, Look()), "gpu")
    assert lines["throttled_s"].cells[1].value == pytest.approx(75.0)
    assert lines["throttled_lost_s"].cells[1].value == pytest.approx(25.0)
    check(journal.records)


def stopped_for_a_night() -> Journal:
    journal = paused_thermal().add(ev.RunEnded(outcome="stopped", exit_code=0, reason="x"), 5.0)
    return journal.add(
        ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 8 * 3_600.0
    )


@pytest.mark.parametrize(
    ("lang", "not_running", "nobody_there"),
    [("en", "not running", "unsupervised"), ("zh", "未运行", "无人监管")],
)
def test_a_night_between_an_end_and_the_resume_is_no_time_without_a_supervisor(
    lang: Lang, not_running: str, nobody_there: str
) -> None:
    journal = stopped_for_a_night()
    shown = view_of(
        journal.records, now_t=journal.t, wall_now=journal.wall, supervised=True, lang=lang
    )
    told = " · ".join(part.text for part in shown.ledger.spent)
    assert not_running in told
    assert nobody_there not in told
    check(journal.records)


def seen_later(recorder: Recorder, later_s: float, look: Look | None = None) -> View:
    state = recorder.state
    wall = (state.updated_at or WALL) + timedelta(seconds=later_s)
    return recorder.view(Moment(t=(state.t or 0.0) + later_s, wall=wall), look or Look())


@pytest.mark.parametrize("later_s", [0.0, 3.0, 45.0])
@pytest.mark.parametrize("state", ["paused_thermal", "paused_by_user"])
def test_a_pause_is_counted_to_the_moment_that_is_shown(state: str, later_s: float) -> None:
    recorder = Recorder()
    recorder.take(STATES[state]().records)
    recorded_s = recorder.history.ledger.spent.standing_s
    view = seen_later(recorder, later_s)
    report = build_report(view, recorder.state, recorder.seen, Look())
    (row,) = view.ledger.rows
    told = rows(report, "pauses")[f"pauses_{row.cause}"]
    for paused_s in (view.progress.paused.value, row.lasted.value, row.recent.value):
        assert paused_s == pytest.approx(recorded_s + later_s)
    assert told.cells[2].text == row.lasted.text
    assert view.progress.paused.text.startswith(f"paused {row.lasted.text} ")
    assert row.lasted.text in view.ledger.spent[-1].text
    assert state_at(recorder.state, Moment(t=(recorder.state.t or 0.0) + later_s, wall=WALL)) == (
        msgspec.structs.replace(
            recorder.state,
            paused_s=recorder.state.paused_s + later_s,
            active_s=recorder.state.active_s + later_s,
        )
    )


def test_of_a_run_that_nobody_watches_nothing_more_is_counted() -> None:
    recorder = Recorder()
    recorder.take(paused_thermal().records)
    t = (recorder.state.t or 0.0) + 600.0
    view = recorder.view(Moment(t=t, wall=WALL, supervised=False), Look())
    assert view.progress.paused.value == recorder.history.ledger.spent.standing_s == 20.0


@settings(max_examples=60, deadline=None)
@given(journals(), st.lists(st.floats(0.0, 50.0), max_size=4))
def test_looking_changes_nothing_that_is_counted(journal: Journal, looks: list[float]) -> None:
    looked_at, left_alone = Recorder(), Recorder()
    for index, record in enumerate(journal.records):
        looked_at.take([record])
        left_alone.take([record])
        if looks:
            seen_later(looked_at, looks[index % len(looks)])
    one, other = looked_at.history.ledger, left_alone.history.ledger
    assert (one.spent, one.losses) == (other.spent, other.losses)
    assert one.standing.stretches == other.standing.stretches
