"""What `S` says before it is sent: what the supervisor and the engine would really do, and cost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sample_journals import (
    ZONE,
    FakeRun,
    Journal,
    first_steps,
    foreign,
    in_second_epoch,
    save_last,
    started,
    starting,
    training,
)
from screen_text import dashboard, rows_of, running, until

from timellm_dashboard.screens.confirm import StopNowScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.stopnow import stop_now_lines
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import HostSample


def saved() -> Journal:
    return save_last(in_second_epoch(), 2, 1_200)


def restarting() -> Journal:
    return in_second_epoch().add(
        ev.EngineRestart(reason="the engine was ended by SIGKILL", wait_s=10.0, attempt=1), 1.0
    )


def full_disk() -> Journal:
    journal = save_last(in_second_epoch(), 2, 1_200).add(
        ev.Progress(iteration=1_240, epoch=2, loss=0.3), 10.0
    )
    return journal.add(ev.HostTelemetry(sample=HostSample(disk_free_bytes=1 << 10)), 1.0)


def foreign_unsaved() -> Journal:
    journal = started("nvml", "foreign").add(ev.EpochStarted(epoch=1, steps=300, epochs=4), 20.0)
    return journal.add(ev.Progress(iteration=100, epoch=1, loss=0.5), 13.0)


def view(journal: Journal, lang: Lang = "en", *, later_s: float = 2.0) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + later_s,
        wall_now=journal.wall + timedelta(seconds=later_s),
        supervised=True,
        zone=ZONE,
        lang=lang,
    )


@pytest.mark.parametrize(
    ("journal", "done", "cost"),
    [
        (in_second_epoch, "asked to save at its next step", "only then 200 steps would be lost"),
        (first_steps, "asked to save at its next step", "only then 240 steps would be lost"),
        (saved, "asked to save at its next step", "even then no step is lost"),
        (starting, "ends as soon as it is up", "even then no step is lost"),
        (restarting, "is not started again", "--resume goes on from its last checkpoint"),
        (foreign, "no way to save itself", "100 steps since its best weights would be lost"),
        (foreign_unsaved, "no way to save itself", "100 steps would be lost: nothing of it"),
        (lambda: started("nvml", "foreign"), "no way to save itself", "nothing has been trained"),
    ],
)
def test_it_says_what_is_done_and_what_that_costs(
    journal: Callable[[], Journal], done: str, cost: str
) -> None:
    lines = stop_now_lines(view(journal()), 20.0)
    assert done in lines[0]
    assert cost in lines[1]
    killed = "after 20 s, it is killed" in " ".join(lines)
    assert killed == (journal is not restarting)
    chinese = stop_now_lines(view(journal(), "zh"), 20.0)
    assert len(chinese) == len(lines)
    assert not any(line.isascii() for line in chinese)


def test_a_grace_that_is_not_known_is_called_by_its_key() -> None:
    assert "supervisor.stop_grace_s" in stop_now_lines(view(training()), None)[1]


@pytest.mark.parametrize(
    ("journal", "mode", "how"),
    [
        (in_second_epoch, "checkpoint", "saving a checkpoint first"),
        (in_second_epoch, "now", "saving at the next step, killed if that takes too long"),
        (starting, "now", "as soon as the engine is up"),
        (foreign, "checkpoint", "interrupting the script"),
        (foreign, "now", "ending the script"),
        (foreign, "kill", "killing the engine"),
    ],
)
def test_the_first_line_says_what_a_stop_does(
    journal: Callable[[], Journal], mode: str, how: str
) -> None:
    told = journal().add(ev.Command(who="cli", what=f"stop {mode}"), 1.0)
    assert view(told).headline.reason == f"{how} · asked for by the command line"


def test_until_the_engine_has_saved_the_steps_are_at_risk() -> None:
    told = in_second_epoch().add(ev.Command(who="cli", what="stop now"), 1.0)
    assert view(told).checkpoints.safe.reason == "200 steps at risk until the engine has saved"
    killed = told.add(ev.Command(who="cli", what="stop kill"), 1.0)
    assert view(killed).checkpoints.safe.reason == "200 steps at risk"


def test_a_stop_without_room_on_the_disk_promises_no_save() -> None:
    lines = stop_now_lines(view(full_disk()), 20.0)
    assert "no room for a checkpoint" in lines[0]
    assert "Unless there is room by then, 40 steps would be lost." in lines[1]
    chinese = stop_now_lines(view(full_disk(), "zh"), 20.0)
    assert len(chinese) == len(lines)
    assert not any(line.isascii() for line in chinese)


@pytest.mark.parametrize("mode", ["now", "checkpoint", "after_checkpoint"])
def test_a_stop_that_a_full_disk_holds_up_says_so_and_what_is_at_stake(mode: str) -> None:
    told = full_disk().add(ev.Command(who="cli", what=f"stop {mode}"), 1.0)
    reason = view(told).headline.reason
    assert reason.startswith("the disk has no room for its checkpoint: make room, or 40 steps")
    roomy = told.add(ev.HostTelemetry(sample=HostSample(disk_free_bytes=1 << 40)), 1.0)
    assert "room" not in view(roomy).headline.reason


@pytest.mark.parametrize("mode", ["now", "kill"])
def test_a_supervisor_that_cannot_record_the_end_is_said_to_wait_for_room(mode: str) -> None:
    told = full_disk().add(ev.Command(who="cli", what=f"stop {mode}"), 1.0)
    shown = view(told, later_s=60.0).headline
    assert shown.word == "STOPPING"
    assert shown.reason.startswith("waits for room on the disk to record how it ended; 40 steps")
    assert "等待磁盘空间" in view(told, "zh", later_s=60.0).headline.reason


async def test_the_question_names_the_grace_of_this_run() -> None:
    journal = in_second_epoch()
    services = Services(stop_grace_s=lambda: 45.0)
    app = dashboard(journal, FakeRun(journal), services=services)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, StopNowScreen))
        assert "still there after 45 s" in "\n".join(rows_of(app))
