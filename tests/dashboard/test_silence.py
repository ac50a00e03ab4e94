"""An engine that says nothing for too long is silent, and not at work, in whatever shows it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from random_journals import HOT, journals, watched_journals
from sample_facts import recorder_of
from sample_journals import (
    ZONE,
    Journal,
    Limits,
    foreign,
    in_second_epoch,
    paused_thermal,
    sample,
    training,
)
from silent_journals import NEXT, hung, quiet, solving

from timellm_dashboard.jsonl import view_json
from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.ledger import draw_ledger
from timellm_dashboard.panels.tracks import GUTTER, draw_track
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.report import build_report
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.headline import silent_for
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeline import timeline
from timellm_dashboard.viewmodel.timereading import reading
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev

LOOK = Look(zone=ZONE, limits=lambda _: Limits())
WORK_S = 10.0
"""After which a word was due."""


def silent_s(journal: Journal) -> float:
    return recorder_of(journal).history.ledger.spent.silent_s


# --- what is a silence ---------------------------------------------------------------------------


@pytest.mark.parametrize("duty", [1.0, 0.5])
def test_all_of_it_is_silent_and_none_of_it_work(duty: float) -> None:
    journal = in_second_epoch()
    before = recorder_of(journal).history.ledger.spent
    ledger = recorder_of(hung(duty=duty)).history.ledger
    assert ledger.spent.silent_s == pytest.approx(300.0)
    assert ledger.spent.training_s == pytest.approx(before.training_s)
    assert ledger.spent.elapsed_s == pytest.approx(before.elapsed_s + 300.0)
    (found,) = ledger.losses
    assert found.cause == "silent"
    assert found.lasted_s == pytest.approx(300.0)
    assert found.lost_s == pytest.approx(300.0 - WORK_S, abs=0.5)
    assert found.recent_lost_s == pytest.approx(found.lost_s)


def test_a_card_that_was_slowed_meanwhile_has_cost_nothing_by_it() -> None:
    journal = in_second_epoch()
    for _ in range(300):
        journal.add(ev.Telemetry(sample=sample(70.0, throttle_reasons=HOT)), 1.0)
    journal.add(NEXT)
    assert [found.cause for found in recorder_of(journal).history.ledger.losses] == ["silent"]


def test_it_is_known_to_be_one_as_soon_as_the_headline_says_so() -> None:
    journal = in_second_epoch()
    for _ in range(200):
        quiet(journal, 1)
        if journal.t % 40 < 1:
            recorder = recorder_of(journal)
            moment = Moment(t=journal.t, wall=journal.wall)
            told_s = silent_for(recorder.state, recorder.history, moment)
            assert recorder.history.ledger.spent.silent_s == pytest.approx(told_s or 0.0)


def test_words_that_come_in_the_same_moment_as_a_reading_are_the_last_ones_all_the_same() -> None:
    journal = in_second_epoch()
    for number in range(30):
        journal.add(ev.Telemetry(sample=sample(70.0)), 10.0)
        journal.add(ev.Progress(iteration=1_220 + 20 * number, epoch=2, loss=0.3))
    before = recorder_of(journal).history.ledger.spent
    spent = recorder_of(quiet(journal, 300)).history.ledger.spent
    assert spent.training_s == pytest.approx(before.training_s)
    assert spent.elapsed_s == pytest.approx(journal.seconds)


def test_what_it_takes_back_of_the_last_hour_is_of_the_last_hour() -> None:
    """A script is known to be silent after an hour, in which its pace was booked as a loss."""
    journal = quiet(foreign().add(ev.Paced(duty=0.5)), 60)
    journal.add(ev.Progress(iteration=200, epoch=2, loss=0.3), 1.0)
    recorder = recorder_of(journal)
    for _ in range(110):
        known = len(journal.records)
        recorder.take(quiet(journal, 60).records[known:])
        for found in recorder.history.ledger.losses:
            assert (found.recent_lost_s or 0.0) >= 0.0
    assert recorder.history.ledger.spent.silent_s > 3_600.0


def test_readings_a_minute_apart_are_enough_to_find_one() -> None:
    """The longest that a card or a machine may be told to be read apart, and the reading itself."""
    journal = in_second_epoch()
    for _ in range(10):
        journal.add(ev.Telemetry(sample=sample(70.0)), 61.0)
    assert silent_s(journal.add(NEXT)) == pytest.approx(610.0)


def test_a_while_that_is_not_too_long_is_work() -> None:
    assert silent_s(hung(110)) == 0.0


@pytest.mark.parametrize("begun", [training, in_second_epoch], ids=["at first", "again"])
def test_one_that_solves_for_its_head_is_silent_with_windows_left_to_read(
    begun: Callable[[], Journal],
) -> None:
    journal = quiet(solving(begun()), 300)
    recorder = recorder_of(journal)
    moment = Moment(t=journal.t, wall=journal.wall)
    assert silent_for(recorder.state, recorder.history, moment) == pytest.approx(300.0)
    assert recorder.history.ledger.spent.silent_s == pytest.approx(300.0)
    assert silent_s(quiet(solving(begun(), done=1_000), 300)) == 0.0, "then it computes"


def test_an_engine_that_is_slow_is_not_silent_each_time() -> None:
    journal = in_second_epoch()
    for iteration in range(1_220, 1_500, 20):
        quiet(journal, 150).add(ev.Progress(iteration=iteration, epoch=2, loss=0.3))
    spent = recorder_of(journal).history.ledger.spent
    assert 0.0 < spent.silent_s < 0.5 * 14 * 150.0


def test_a_machine_that_slept_was_not_an_engine_that_was_silent() -> None:
    journal = in_second_epoch().add(ev.Telemetry(sample=sample(40.0)), 8 * 3_600.0)
    assert silent_s(quiet(journal, 100).add(NEXT)) == 0.0


def test_an_engine_that_stands_or_is_told_to_is_not_silent() -> None:
    assert silent_s(quiet(paused_thermal(), 600)) == 0.0
    held = in_second_epoch().add(ev.Command(who="cli", what="pause"))
    assert silent_s(quiet(held, 600).add(ev.Paused())) == 0.0


def test_time_that_nobody_watched_is_none_and_what_follows_begins_anew() -> None:
    journal = quiet(in_second_epoch(), 100).add(ev.Adopted(supervisor_pid=2, engine_pid=1), 30.0)
    assert silent_s(quiet(journal, 100).add(NEXT)) == 0.0


def test_one_that_dies_of_it_was_silent_until_then() -> None:
    journal = quiet(in_second_epoch(), 300).add(ev.EngineExited(signal=9))
    history = recorder_of(quiet(journal, 60)).history
    assert history.ledger.spent.silent_s == pytest.approx(300.0)
    assert [round(s.end_s - s.start_s) for s in history.silence.stretches if s.end_s] == [300]


@settings(max_examples=150, deadline=None)
@given(journals() | watched_journals())
@example(hung())
def test_whatever_happens_the_stretches_are_in_order_and_add_up(journal: Journal) -> None:
    recorder = recorder_of(journal)
    history, end_s = recorder.history, recorder.state.active_s
    place_s = total_s = 0.0
    for stretch in history.silence.stretches:
        until_s = end_s if stretch.end_s is None else stretch.end_s
        assert place_s <= stretch.start_s <= until_s
        place_s, total_s = until_s, total_s + until_s - stretch.start_s
    assert history.ledger.spent.silent_s == pytest.approx(total_s)
    spent = history.ledger.spent
    assert spent.elapsed_s == pytest.approx(journal.seconds, abs=1e-3)
    assert min(spent.training_s, spent.evaluating_s, spent.loading_s) >= -1e-9


# --- every form says it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "cause", "word"),
    [("en", "the engine was silent", "silent"), ("zh", "引擎没有动静", "没有动静")],
)
def test_screen_lines_json_and_report_say_it_alike(lang: Lang, cause: str, word: str) -> None:
    journal = hung()
    recorder = recorder_of(journal)
    look = Look(zone=ZONE, lang=lang, limits=lambda _: Limits())
    moment = Moment(t=journal.t, wall=journal.wall)
    view = recorder.view(moment, look)
    (row,) = view.ledger.rows
    assert (row.cause, row.name) == ("silent", cause)
    assert row.ahead.value is None  # it is no rate
    drawn = "\n".join(text_of(one) for one in draw_ledger(view, 120, 5))
    for text in (cause, row.lost.text, f"{word} {row.lasted.text}"):
        assert text in drawn
    document = json.loads(view_json(view))
    assert cause in json.dumps(document, ensure_ascii=False)
    report = build_report(view, recorder.state, recorder.seen, look)
    page = report_html(report)
    for text in (cause, row.lost.text, f"<title>{word}</title>"):
        assert text in page
    assert cause in view.ledger.line


def test_the_pace_of_the_timeline_has_a_gap_with_its_own_mark_and_word() -> None:
    journal = quiet(hung(), 60)
    recorder = recorder_of(journal)
    history = recorder.history
    view = recorder.view(Moment(t=journal.t, wall=journal.wall), LOOK)
    (stretch,) = history.silence.stretches
    assert stretch.end_s is not None
    amid_s = 0.5 * (stretch.start_s + stretch.end_s)
    shown = timeline(view, history, LOOK, Focus(), 100)
    (pace,) = [track for track in shown.tracks if track.id == "pace"]
    cell = int(100 * amid_s / history.trace.extent_s)
    assert cell in pace.silent
    assert pace.columns[2 * cell] is None
    bottom = text_of(draw_track(pace, 100, 4, None, ascii_only=False)[-1])
    assert [i for i, c in enumerate(bottom[GUTTER:]) if c == "?"] == list(pace.silent)
    at = Focus(cursor_s=amid_s)
    assert reading(view, history, LOOK, at, 100).values["pace"].text == "silent"
    before = Focus(cursor_s=stretch.start_s - 60.0)
    assert reading(view, history, LOOK, before, 100).values["pace"].text == "100 %"


def test_while_it_lasts_the_timeline_says_so() -> None:
    journal = quiet(in_second_epoch(), 300)
    recorder = recorder_of(journal)
    view = recorder.view(Moment(t=journal.t, wall=journal.wall), LOOK)
    assert view.headline.state == "silent"
    assert reading(view, recorder.history, LOOK, Focus(), 100).values["pace"].text == "silent"
