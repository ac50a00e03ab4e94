"""Plain lines and JSON lines: what is written while a run goes on, and when they end."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest
from sample_journals import (
    RUN_ID,
    STATES,
    ZONE,
    FakeRun,
    Journal,
    Limits,
    finished,
    imported,
    in_second_epoch,
    paused_thermal,
    save_last,
    stopped,
    stopping,
    train,
)

from timellm_dashboard.jsonl import SCHEMA, follow_json, view_json, view_schema
from timellm_dashboard.plain import follow_plain, page
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

Turn = Callable[["Night"], None]


class Night:
    """A run that goes on while it is followed: each sleep plays the next of `turns`."""

    def __init__(self, journal: Journal, turns: list[Turn], *, supervised: bool = True) -> None:
        self.journal = journal
        self.source = FakeRun(journal, supervised=supervised)
        self.turns = turns
        self.t = journal.t
        self.lines: list[str] = []
        self.stopped = False

    def add(self, event: ev.Event, after_s: float = 0.0) -> None:
        self.journal.add(event, after_s)
        self.source.waiting.append(self.journal.records[-1])

    def sleep(self, seconds: float) -> None:
        self.t += seconds
        if self.turns:
            self.turns.pop(0)(self)

    def now(self) -> datetime:
        return self.journal.wall + timedelta(seconds=self.t - self.journal.t)

    def follow(self, form: Callable[..., RunState], **look: object) -> RunState:
        return form(
            self.source, self.lines.append, sleep=self.sleep, monotonic=lambda: self.t,
            now=self.now, stop=lambda: self.stopped, zone=ZONE, **look,
        )  # fmt: skip


def let_go(night: Night) -> None:
    night.source.is_supervised = False


def leave(night: Night) -> None:
    night.stopped = True


def progress(iteration: int) -> Turn:
    def turn(night: Night) -> None:
        night.add(ev.Progress(iteration=iteration, epoch=2, loss=0.3), 1.0)

    return turn


def test_plain_lines_tell_a_whole_run() -> None:
    night = Night(finished(), [], supervised=False)
    state = night.follow(follow_plain)
    text = "\n".join(night.lines)
    assert state.outcome == "finished"
    assert night.lines[0].startswith("etth1 · 20260131-214503-etth1-7f3a")
    assert "22:04:09  epoch 1: train 0.4512, vali 0.3912, test 0.4012, MAE 0.4562" in text
    assert "22:04:09  best checkpoint on disk · epoch 1 · vali 0.3912 · 14.6 MiB" in text
    assert text.count("FINISHED · training finished; test MSE 0.3697") == 1
    assert night.lines[-1].endswith("final test, best weights: MSE 0.3697, MAE 0.3982")


def test_a_run_that_has_not_begun_is_named_by_what_it_can_be_found_by() -> None:
    def begin(night: Night) -> None:
        night.add(ev.RunStarted(run_id=RUN_ID, name="etth1", engine="timellm"))

    night = Night(Journal(), [lambda _: None, begin, leave])
    night.follow(follow_plain, run_id=RUN_ID)
    told = [line.split("  ")[0] for line in night.lines]
    assert [line for line in told if RUN_ID in line] == [RUN_ID, f"etth1 · {RUN_ID}"]
    assert [line for line in night.lines if "WAITING" in line] == [night.lines[1]]
    night = Night(Journal(), [begin, leave])
    night.follow(follow_json, run_id=RUN_ID)
    told = [(line["run"]["run_id"], line["run"]["begun"]) for line in map(json.loads, night.lines)]
    assert (told[0], told[-1]) == ((RUN_ID, False), (RUN_ID, True))


def test_plain_lines_have_no_escapes_and_in_ascii_nothing_else() -> None:
    for state in STATES.values():
        night = Night(state(), [leave])
        night.follow(follow_plain, ascii_only=True)
        assert all(line.isascii() and line.isprintable() for line in night.lines)
        night = Night(state(), [leave])
        night.follow(follow_plain, lang="zh")
        assert all(line.isprintable() for line in night.lines)


def test_progress_is_told_every_ten_seconds_at_most() -> None:
    turns = [progress(1_200 + 20 * number) for number in range(1, 81)]
    night = Night(in_second_epoch(), [*turns, leave])
    night.follow(follow_plain)
    told = [line for line in night.lines if "  epoch 2 of 3 · step" in line]
    assert 4 <= len(told) <= 5  # in 40 seconds, and at the beginning
    assert "71 °C" in told[-1]
    assert "left" in told[-1]


def test_progress_is_not_told_again_when_nothing_came() -> None:
    night = Night(in_second_epoch(), [lambda _: None] * 100 + [leave])
    night.follow(follow_plain)
    assert len([line for line in night.lines if "step 1,200" in line]) == 1


def test_a_change_of_state_is_told_once_with_its_reason() -> None:
    def pause(night: Night) -> None:
        for record in paused_thermal().records[-3:]:
            night.add(record.event)

    night = Night(in_second_epoch(), [pause, lambda _: None, leave])
    night.follow(follow_plain)
    told = [line for line in night.lines if "PAUSED" in line]
    assert len(told) == 1
    assert "thermal: 86 °C > 85 °C in 3 of the last 5 readings · resumes below 75 °C" in told[0]


@pytest.mark.parametrize("form", [follow_plain, follow_json])
def test_it_ends_with_the_run(form: Callable[..., RunState]) -> None:
    def end(night: Night) -> None:
        night.add(ev.RunEnded(outcome="stopped", exit_code=0, reason="stopped as asked"), 1.0)

    night = Night(stopping(), [lambda _: None, end, let_go, leave])
    state = night.follow(form)
    assert state.outcome == "stopped"
    assert not night.stopped


@pytest.mark.parametrize("form", [follow_plain, follow_json])
def test_what_was_written_before_the_supervisor_went_is_still_read(
    form: Callable[..., RunState],
) -> None:
    def end_and_go(night: Night) -> None:
        night.add(ev.RunEnded(outcome="stopped", exit_code=0, reason="stopped as asked"), 1.0)
        night.source.is_supervised = False

    night = Night(stopping(), [end_and_go])
    assert night.follow(form).outcome == "stopped"
    last = "\n".join(night.lines[-2:])
    assert "STOPPED" in last or '"outcome":"stopped"' in last


@pytest.mark.parametrize("form", [follow_plain, follow_json])
def test_a_run_that_is_resumed_just_now_is_not_taken_for_ended(
    form: Callable[..., RunState],
) -> None:
    def resume(night: Night) -> None:
        night.add(ev.RunStarted(run_id="r", name="r", engine="timellm", resumed=True), 1.0)

    night = Night(stopped(), [lambda _: None, resume, leave])
    assert night.follow(form).outcome is None
    assert night.stopped


def test_a_supervisor_that_is_gone_for_good_is_told_with_the_command_that_helps() -> None:
    night = Night(in_second_epoch(), [let_go])
    state = night.follow(follow_plain)
    assert state.outcome is None
    assert night.lines[-1].endswith("timellm-ops attach 20260131-214503-etth1-7f3a")
    assert "nobody supervises" in night.lines[-1]


def test_a_supervisor_that_is_replaced_in_time_is_not_missed() -> None:
    def back(night: Night) -> None:
        night.source.is_supervised = True

    night = Night(in_second_epoch(), [let_go, lambda _: None, back, *[lambda _: None] * 20, leave])
    night.follow(follow_plain)
    assert night.stopped
    assert not any("nobody supervises" in line for line in night.lines)


def test_an_imported_log_is_told_and_done() -> None:
    night = Night(imported(), [], supervised=False)
    night.follow(follow_plain)
    assert any("epoch 3: train 0.0900" in line for line in night.lines)


# --- JSON ----------------------------------------------------------------------------------------


def documents(night: Night) -> list[dict[str, object]]:
    return [json.loads(line) for line in night.lines]


def test_json_lines_are_versioned_views_without_charts() -> None:
    night = Night(in_second_epoch(), [leave])
    night.follow(follow_json)
    for document in documents(night):
        assert document["schema"] == SCHEMA == "timellm-ops.view/1"
        assert "charts" not in document
        assert document["headline"]["word"] == "TRAINING"  # type: ignore[index]


def test_json_lines_come_once_a_second_at_most_and_only_for_changes() -> None:
    turns: list[Turn] = [progress(1_200 + 20 * number) for number in range(1, 21)]  # 10 seconds
    night = Night(in_second_epoch(), [*turns, *[lambda _: None] * 40, leave])
    night.follow(follow_json)
    assert 8 <= len(night.lines) <= 14
    steps = [document["progress"]["epoch"]["done"] for document in documents(night)]  # type: ignore[index]
    assert steps == sorted(steps)
    assert steps[-1] == 1_600


def test_each_event_is_on_one_json_line() -> None:
    def save(night: Night) -> None:
        for record in save_last(train(Journal(), 1, 20, 20), 1, 20).records[-2:]:
            night.add(record.event)

    night = Night(in_second_epoch(), [lambda _: None] * 3 + [save] + [lambda _: None] * 5 + [leave])
    night.follow(follow_json)
    told = [line["seq"] for document in documents(night) for line in document["feed"]]  # type: ignore[attr-defined]
    assert told == sorted(set(told))
    assert told[-1] == night.journal.records[-1].seq


def whole_view(state: str) -> View:
    journal = STATES[state]()
    return view_of(
        journal.records, now_t=journal.t + 2.0, wall_now=journal.wall, supervised=True, zone=ZONE,
        limits=lambda _: Limits(),
    )  # fmt: skip


@pytest.mark.parametrize("state", sorted(STATES))
def test_a_view_survives_json(state: str) -> None:
    view = whole_view(state)
    document = json.loads(view_json(view))
    assert document.pop("schema") == SCHEMA
    assert msgspec.convert(document, View, strict=False) == view


def test_the_schema_names_every_part_of_the_view() -> None:
    view = json.loads(view_json(whole_view("training")))
    assert set(view_schema()["$defs"]["View"]["properties"]) == set(view)


def test_a_page_fits_its_width_and_says_what_matters() -> None:
    for state in STATES:
        text = page(whole_view(state))
        assert max(map(len, text.splitlines())) <= 102
        assert "safe to stop: " in text
        assert "\n\n\n" not in text


def test_lines_need_no_screen() -> None:
    script = (
        "import sys, timellm_dashboard.plain, timellm_dashboard.jsonl;"
        "sys.exit('textual' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
