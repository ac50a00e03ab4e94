"""Runs that lost everybody: adopted without their last checkpoint, or after a reboot."""

import shutil
import signal
import time
from pathlib import Path

import msgspec
import pytest
from conftest import PATIENCE_S, TINY, Shell, kill_supervisor, on_a_hot_card, until

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.files import replace_file
from timellm_ops.process.identity import is_alive, send_signal

pytestmark = pytest.mark.slow

LONG = f"{TINY}\n[supervisor]\nrestarts = 2\nrestart_after_s = 0.2\n".replace(
    "epochs = 2", "epochs = 400"
).replace("[gpu]", "patience = 400\n\n[gpu]")


HOT = on_a_hot_card(LONG)
UPTIME_S = 1e6


def take_last_away(shell: Shell) -> Path:
    """Move every `last` out of the run, its predecessor too, and kill the engine, which stands
    meanwhile so that it cannot save another one. Where the newest is now."""
    engine, checkpoints = shell.engine().process, shell.run.checkpoints
    give_up_t = time.monotonic() + PATIENCE_S
    while True:
        assert send_signal(engine, signal.SIGSTOP)
        if (checkpoints / "last" / "manifest.json").exists():
            break
        assert send_signal(engine, signal.SIGCONT)  # it was about to rename the next one
        assert time.monotonic() < give_up_t
        time.sleep(0.01)
    copy = shell.folder / "copy-of-last"
    shutil.move(checkpoints / "last", copy)
    shutil.rmtree(checkpoints / ".previous-last", ignore_errors=True)
    assert send_signal(engine, signal.SIGKILL)
    return copy


def starts(shell: Shell) -> list[ev.TrainingStarted]:
    records = read_records(shell.run.journal)
    return [r.event for r in records if isinstance(r.event, ev.TrainingStarted)]


def moves(state: RunState) -> bool:
    return not state.ended and state.activity in ("training", "evaluating") and state.iteration > 0


def test_an_adopted_run_whose_last_vanished_is_refused_and_goes_on_once_it_is_back(
    shell: Shell,
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None)
    before = shell.supervisor().process.pid
    kill_supervisor(shell)
    client = shell.start("attach", "--plain", output=shell.folder / "out")
    shell.until(lambda state: state.supervisor_pid != before)
    copy = take_last_away(shell)

    refused = shell.until(lambda state: state.ended)
    assert (refused.outcome, refused.exit_code, refused.restarts) == ("refused", 2, 1)
    missing = f"{shell.run.checkpoints / 'last'}: found none, and the run has had one"
    assert refused.end_reason.startswith(missing)
    assert "put a copy of it back in its place" in refused.end_reason
    assert client.wait(PATIENCE_S) == 2
    again = shell("run", "--resume", "latest", "--plain")
    assert again.code == 2
    assert missing in again.out + again.err
    assert len(starts(shell)) == 1
    assert not (shell.run.checkpoints / "last").exists()

    shutil.move(copy, shell.run.checkpoints / "last")
    assert shell("run", "--resume", "latest", "--detach").code == 0
    shell.until(moves)
    _, second = starts(shell)
    assert (second.start_epoch, second.start_iteration) > (1, 0)
    assert shell("stop", "--wait").code == 0
    stopped = shell.state()
    assert (stopped.outcome, stopped.steps_at_risk) == ("stopped", 0)


def test_a_run_that_came_to_its_end_while_nobody_watched_is_finished_and_not_trained_again(
    shell: Shell,
) -> None:
    shell.write("run.toml", TINY)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.engine_pid is not None)
    kill_supervisor(shell)
    engine = shell.engine().process
    until(lambda: not is_alive(engine), "the engine's end")
    assert shell("run", "--resume", "latest", "--plain").code == 0
    ended = shell.state()
    assert (ended.outcome, ended.resumed) == ("finished", False)
    assert ended.final_mse is not None
    assert len(starts(shell)) == 1


def test_what_an_engine_said_that_nobody_heard_is_on_record_before_the_next_start(
    shell: Shell,
) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None)
    kill_supervisor(shell)
    events, engine = shell.run.engine_events, shell.engine().process
    size = events.stat().st_size
    until(lambda: events.stat().st_size > size, "more of it")
    assert send_signal(engine, signal.SIGKILL)
    until(lambda: not is_alive(engine), "the engine's end")
    said = events.read_bytes().count(b"\n")
    assert shell("run", "--resume", "latest", "--detach").code == 0
    shell.until(moves)
    records = list(read_records(shell.run.journal))
    (again,) = (r for r in records if isinstance(r.event, ev.RunStarted) and r.event.resumed)
    before = [r for r in records if r.seq < again.seq and r.engine_offset is not None]
    assert len(before) == said
    assert shell("stop", "--now", "--wait").code == 0


def as_if_of_a_machine_long_up(shell: Shell) -> None:
    """The run's records as a machine would have left them that had been up for days before it was
    started anew: its seconds were large ones, and its boot was another."""
    journal, process = shell.run.journal, shell.run.engine_process
    lines = []
    for record in read_records(journal):
        t = None if record.event.t is None else record.event.t + UPTIME_S
        older = msgspec.structs.replace(record.event, t=t)
        lines.append(ev.encode_record(msgspec.structs.replace(record, event=older)))
    journal.write_bytes(b"".join(lines))
    engine = shell.engine()
    dead = msgspec.structs.replace(engine.process, boot_id="the boot before")
    older_engine = msgspec.structs.replace(engine, process=dead)
    replace_file(process, msgspec.json.encode(older_engine))


def pauses(shell: Shell) -> list[ev.PolicyDecision]:
    events = (record.event for record in read_records(shell.run.journal))
    return [e for e in events if isinstance(e, ev.PolicyDecision) and e.action == "pause"]


def test_a_hot_run_whose_machine_was_started_anew_goes_on_and_is_paused_again(
    shell: Shell,
) -> None:
    shell.write("run.toml", HOT)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None and bool(state.pauses))
    shell.until(lambda state: state.standing and bool(state.holds))
    kill_supervisor(shell)
    assert send_signal(shell.engine().process, signal.SIGKILL)
    as_if_of_a_machine_long_up(shell)
    before = len(pauses(shell))
    client = shell.start("attach", "--plain", output=shell.folder / "out")
    begun = shell.until(lambda state: state.restarts == 1 and state.engine_pid is not None)
    shell.until(lambda state: not state.holds and state.step > begun.step)
    shell.until(lambda _: len(pauses(shell)) > before)
    hot = shell.state()
    assert hot.active_s < UPTIME_S / 2.0, "days in which the machine was up are not the run's"
    assert shell("stop", "--wait").code == 0
    assert client.wait(PATIENCE_S) == 0
