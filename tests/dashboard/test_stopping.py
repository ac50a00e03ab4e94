"""What a stop after the next checkpoint waits for, and for how long."""

import math
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from rich.cells import cell_len
from sample_journals import (
    EVALUATION_S,
    STEP_S,
    STEPS,
    ZONE,
    FakeRun,
    Journal,
    end_epoch,
    evaluating,
    in_second_epoch,
    paused_by_user,
    paused_thermal,
    train,
    training,
)
from screen_text import check_snapshot, dashboard, resized, rows_of, running

from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.words.stopping import StoppingWords, stopping_words
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev

WINDOWS = 19_495


def view(journal: Journal, later_s: float = 0.0, lang: Lang = "en") -> View:
    return view_of(
        journal.records,
        now_t=journal.t + later_s,
        wall_now=journal.wall + timedelta(seconds=later_s),
        supervised=True,
        zone=ZONE,
        lang=lang,
    )


def told(journal: Journal, mode: str = "after_checkpoint") -> Journal:
    return journal.add(ev.Command(who="dashboard", what=f"stop {mode}"), 1.0)


def moved(journal: Journal, split: ev.Split, done: int, epoch: int, after_s: float) -> Journal:
    progress = ev.EvaluationProgress(split=split, done=done, total=WINDOWS, epoch=epoch)
    return journal.add(progress, after_s)


@pytest.mark.parametrize(
    ("split", "done", "share"),
    [("vali", 6_400, 6_400 / WINDOWS / 2), ("test", 0, 0.5), ("test", WINDOWS // 2, 0.75)],
)
def test_during_an_evaluation_it_waits_for_its_end(
    split: ev.Split, done: int, share: float
) -> None:
    since_s = EVALUATION_S * share - 10.0  # as fast as it was before; ten have passed
    shown = view(told(moved(evaluating(), split, done, 2, since_s)))
    left_s = EVALUATION_S * (1.0 - share) - 1.0
    assert shown.headline.state == "stopping"
    time = f"about {round(left_s / 60)} min" if left_s >= 60 else "under a minute"
    waits = f"when the evaluation is done and saved, {time}"
    assert shown.headline.reason == f"{waits} · asked for by the dashboard"
    assert shown.left.seconds is not None
    assert math.isclose(shown.left.seconds, left_s, abs_tol=0.1)
    assert shown.left.done_text.startswith("not before ")
    assert shown.left.note == "the run is ending"


def test_a_pause_in_the_evaluation_makes_it_no_shorter() -> None:
    journal = evaluating()
    before = view(told(evaluating())).left.seconds
    journal.add(ev.Command(who="cli", what="pause")).add(ev.Paused(), 0.5)
    held = view(told(journal))
    assert held.left.seconds is None
    assert "then stops at the next checkpoint" in held.headline.reason
    journal.add(ev.Command(who="cli", what="resume"), 900.0).add(ev.Resumed(), 0.5)
    after = view(journal).left.seconds
    assert before is not None
    assert after is not None
    assert math.isclose(after - before, 0.5)  # asked for after a second; stood after half of one


def test_the_first_evaluation_tells_by_itself_how_long_it_takes() -> None:
    journal = train(training(), 1, 20, STEPS)
    begun = told(moved(journal, "vali", 0, 1, 1.0))
    assert view(begun).headline.reason.startswith("when the evaluation is done and saved · ")
    assert view(begun).left.seconds is None
    half = moved(begun, "vali", WINDOWS, 1, 99.0)  # half of it, after 100 s
    seconds = view(half).left.seconds
    assert seconds is not None
    assert math.isclose(seconds, 100.0, abs_tol=2.0)


def test_the_final_test_is_the_end_without_another_checkpoint() -> None:
    journal = train(training(test="end"), 1, 20, STEPS)
    for done in (0, WINDOWS):
        moved(journal, "vali", done, 1, EVALUATION_S / 2)
    journal.add(
        ev.EpochEnded(
            epoch=1, train_mse=0.5, vali_mse=0.4, seconds=STEPS * STEP_S,
            evaluation_seconds=EVALUATION_S,
        )
    )  # fmt: skip
    shown = view(told(moved(moved(journal, "test", 0, 1, 1.0), "test", WINDOWS // 8, 1, 15.0)))
    assert shown.headline.reason.startswith("when the final test is done, about 2 min · ")
    assert shown.left.seconds is not None
    assert math.isclose(shown.left.seconds, EVALUATION_S * 0.875 - 1.0, abs_tol=0.1)


def test_while_a_checkpoint_is_written_it_waits_for_that_alone() -> None:
    journal = end_epoch(told(train(in_second_epoch(), 2, 1_220, STEPS)), 2, 0.37)
    journal.add(ev.CheckpointWriting(kind="last", epoch=2, iteration=STEPS))
    assert view(journal).headline.reason.startswith("as soon as the checkpoint is on disk · ")


def test_other_stops_wait_for_no_evaluation() -> None:
    assert view(told(in_second_epoch())).headline.reason.startswith("at the next checkpoint · ")
    assert view(told(in_second_epoch())).left.seconds is None
    shown = view(told(evaluating(), "checkpoint"))
    assert shown.headline.reason.startswith("saving a checkpoint first · ")
    assert shown.left.seconds is None
    assert view(told(paused_thermal())).left.seconds is None


@pytest.mark.parametrize(
    ("journal", "lang", "left", "risk"),
    [
        (paused_by_user, "en", "once it is resumed", "until it is resumed and saved"),
        (paused_by_user, "zh", "有人恢复后在下一个检查点停止", "要等有人恢复并保存"),
        (paused_thermal, "en", "once it goes on", "at risk until the next save"),
        (paused_thermal, "zh", "恢复后在下一个检查点停止", "要等下次保存"),
    ],
)
def test_a_stop_of_a_held_run_is_told_in_one_way_all_over_the_screen(
    journal: Callable[[], Journal], lang: Lang, left: str, risk: str
) -> None:
    shown = view(told(journal()), 30.0, lang)
    stops = "stops at the next checkpoint" if lang == "en" else "恢复后在下一个检查点停止"
    assert stops in shown.headline.reason
    assert stops in shown.left.note
    assert left in shown.left.note
    assert risk in shown.checkpoints.safe.reason
    ending = view(told(journal(), "now"), 30.0, lang).left.note
    assert ending == ("the run is ending" if lang == "en" else "运行即将结束")


def test_of_a_silent_engine_it_is_not_said_that_a_stop_comes_with_the_next_save() -> None:
    reasons = [view(in_second_epoch(), later).checkpoints.safe.reason for later in (2.0, 600.0)]
    assert "s stops after the next save" in reasons[0]
    assert reasons[1] == "200 steps at risk; s waits for a save that may not come, S does not"


def test_an_engine_that_has_fallen_silent_promises_nothing() -> None:
    assert view(told(evaluating()), 3600.0).left.seconds is None


async def test_a_stop_during_an_evaluation_looks_as_it_was_found_good() -> None:
    journal = told(evaluating())
    app = dashboard(journal, FakeRun(journal))
    async with running(app) as pilot:
        check_snapshot("stopping-evaluating-80x24", rows_of(app))
        await resized(pilot, 120, 40)
        check_snapshot("stopping-evaluating-120x40", rows_of(app))
    for name, kind in (("zh", {"lang": "zh"}), ("ascii", {"ascii_only": True})):
        app = dashboard(journal, FakeRun(journal), **kind)  # type: ignore[arg-type]
        async with running(app):
            rows = rows_of(app)
            check_snapshot(f"stopping-evaluating-80x24-{name}", rows)
            assert {cell_len(row) for row in rows} == {80}


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_stop_that_waits_for_a_person_fits_a_small_screen(lang: Lang) -> None:
    journal = told(paused_by_user())
    app = dashboard(journal, FakeRun(journal), lang=lang)
    async with running(app):
        rows = rows_of(app)
    check_snapshot(f"stopping-held-80x24{'' if lang == 'en' else '-zh'}", rows)
    assert stopping_words(lang).left_user in "\n".join(rows)


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(StoppingWords)])
def test_it_is_said_in_both_languages(name: str) -> None:
    assert getattr(stopping_words("en"), name).isascii()
    assert not getattr(stopping_words("zh"), name).isascii()
