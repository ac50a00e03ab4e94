"""Whole runs: the command line, the supervisor and the engine, each a real process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from conftest import PATIENCE_S, TINY, Shell, kill_supervisor, on_a_hot_card, until

from timellm_ops.app import Order, SupervisorFailed, start_supervisor
from timellm_ops.cli.run_services import services_of
from timellm_ops.cli.run_states import RunStates
from timellm_ops.contract import events as ev
from timellm_ops.contract.control import Control
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.identity import is_alive, send_signal

pytestmark = pytest.mark.slow

LONG = TINY.replace("epochs = 2", "epochs = 400").replace("[gpu]", "patience = 400\n\n[gpu]")
"""The same, but longer than any test."""

HOT = on_a_hot_card(LONG)


def begin(shell: Shell, text: str) -> None:
    shell.write("run.toml", text)
    done = shell("run", "run.toml", "--detach")
    assert done.code == 0, done
    assert done.out.strip() == shell.run.run_id


def commands(shell: Shell) -> list[str]:
    """What was asked of the run, in order."""
    records = read_records(shell.run.journal)
    return [r.event.what for r in records if isinstance(r.event, ev.Command)]


def is_training(state: RunState) -> bool:
    return state.iteration > 0


def goes_on(state: RunState) -> bool:
    return not state.ended and state.activity in ("training", "evaluating")


def test_a_config_may_be_called_by_bytes_that_are_no_text(shell: Shell) -> None:
    config = os.fsdecode(b"caf\xe9.toml")
    shell.write(config, TINY)
    done = shell("run", config, "--plain")
    assert done.code == 0, done
    began = next(r.event for r in read_records(shell.run.journal))
    assert isinstance(began, ev.RunStarted)
    assert "caf\\udce9.toml" in began.command


def test_a_run_trains_to_its_end_and_leaves_a_whole_record(shell: Shell) -> None:
    shell.write("run.toml", TINY)
    done = shell("run", "run.toml", "--plain")
    assert done.code == 0, done
    state, layout = shell.state(), shell.run
    assert (state.outcome, state.exit_code) == ("finished", 0)
    assert [row.epoch for row in state.rows] == [1, 2]
    assert state.final_mse is not None
    assert "Saving model ..." in layout.engine_log.read_text(encoding="utf-8")
    for path in (
        layout.config,
        layout.manifest,
        layout.journal,
        layout.engine_events,
        layout.checkpoints / "best" / "manifest.json",
        layout.checkpoints / "last" / "manifest.json",
    ):
        assert path.stat().st_size > 0
    assert f"{state.final_mse:.4f}" in done.out
    shown = shell("show")
    assert (shown.code, layout.run_id in shown.out) == (0, True)
    (listed,) = msgspec.json.decode(shell("list", "--json").out)["runs"]
    assert (listed["run_id"], listed["state"]) == (layout.run_id, "finished")
    assert shell("run", "--resume", layout.run_id).code == 2


def test_json_lines_tell_the_same_end(shell: Shell) -> None:
    shell.write("run.toml", TINY)
    done = shell("run", "run.toml", "--json")
    assert done.code == 0
    views = [msgspec.json.decode(line) for line in done.out.splitlines()]
    assert len({view["schema"] for view in views}) == 1
    assert f"{shell.state().final_mse:.4f}" in done.out.splitlines()[-1]


def test_a_paused_engine_stands_still_until_it_is_resumed(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    assert shell("pause").code == 0
    shell.until(lambda state: state.standing)
    before = shell.engine_cpu_s()
    stood = shell.state()
    time.sleep(2.0)
    assert shell.state().step == stood.step
    assert shell.engine_cpu_s() - before < 1.0
    assert shell("resume").code == 0
    moved = shell.until(lambda state: state.step > stood.step)
    assert not moved.standing
    assert shell("stop", "--wait").code == 0
    assert shell.state().outcome == "stopped"


def test_a_stopped_run_is_resumed_where_it_stopped(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(lambda state: state.epoch >= 2 and is_training(state))
    assert shell("stop", "--wait").code == 0
    stopped = shell.state()
    assert stopped.last is not None
    assert stopped.steps_at_risk == 0
    assert shell("run", "--resume", "latest", "--detach").code == 0
    resumed = shell.until(goes_on)
    assert resumed.resumed
    started = [r.event for r in read_records(shell.run.journal)
               if isinstance(r.event, ev.TrainingStarted)]  # fmt: skip
    assert len(started) == 2
    per_epoch = started[1].steps_per_epoch
    position = (started[1].start_epoch - 1) * per_epoch + started[1].start_iteration
    assert position == stopped.last.step
    assert shell("stop", "--wait").code == 0


def test_whoever_looks_once_a_supervisor_is_in_charge_sees_no_old_end(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    assert shell("stop", "--wait").code == 0
    start_supervisor(Order(root=str(shell.run.root), mode="resume"))
    assert shell.state().outcome is None
    shell.until(goes_on)
    assert shell("stop", "--wait").code == 0


def test_a_run_that_somebody_else_has_resumed_and_stopped_stays_stopped(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    assert shell("stop", "--wait").code == 0
    looked = shell.run.journal.stat().st_size
    late = Order(root=str(shell.run.root), mode="resume", journal_bytes=looked)
    assert shell("run", "--resume", "latest", "--detach").code == 0
    shell.until(goes_on)
    began_s = time.monotonic()
    with pytest.raises(SupervisorFailed, match="another supervisor has this run"):
        start_supervisor(late)
    assert time.monotonic() - began_s < 14.0, "what is on record is not waited for"
    assert shell("stop", "--wait").code == 0
    size = shell.run.journal.stat().st_size
    with pytest.raises(SupervisorFailed, match="another supervisor has this run"):
        start_supervisor(late)
    assert shell.state().outcome == "stopped"
    assert shell.run.journal.stat().st_size == size


def test_stop_after_checkpoint_ends_right_after_the_next_one(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    done = shell("stop", "--after-checkpoint", "--wait")
    assert done.code == 0
    events = [record.event for record in read_records(shell.run.journal)]
    heard = next(  # a checkpoint from before the engine heard of it is not the one
        place for place, event in enumerate(events)
        if isinstance(event, ev.ControlAcknowledged) and event.desired == "stop_after_checkpoint"
    )  # fmt: skip
    kinds = [type(event).__name__ for event in events[heard:]]
    assert "CheckpointSaved" in kinds
    assert "EpochStarted" not in kinds[kinds.index("CheckpointSaved") :]
    assert kinds[-1] == "RunEnded"


def test_ctrl_c_ends_a_command_that_waits_and_no_run_seems_to_have_ended(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    assert shell("pause").code == 0
    waiting = shell.start("stop", "--after-checkpoint", "--wait", output=shell.folder / "out")
    shell.until(lambda state: state.stop is not None)
    time.sleep(1.0)
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(PATIENCE_S) == 130
    assert not shell.state().ended


def test_closing_the_terminal_leaves_the_run_going(shell: Shell) -> None:
    shell.write("run.toml", LONG)
    client = shell.start("run", "run.toml", "--plain", output=shell.folder / "out")
    shell.until(is_training)
    os.killpg(client.pid, signal.SIGHUP)
    assert client.wait(PATIENCE_S) == 0
    people = shell.supervisor().process, shell.engine().process
    for process in people:
        assert os.getsid(process.pid) == process.pid, "the terminal's hang-up does not get there"
        send_signal(process, signal.SIGHUP)  # and would end nobody
    seen = shell.state().step
    shell.until(lambda state: state.step > seen)
    assert all(map(is_alive, people))
    assert shell("stop", "--wait").code == 0


def test_ctrl_c_once_saves_and_stops(shell: Shell) -> None:
    shell.write("run.toml", LONG)
    client = shell.start("run", "run.toml", "--plain", output=shell.folder / "out")
    shell.until(is_training)
    client.send_signal(signal.SIGINT)
    assert client.wait(PATIENCE_S) == 0
    state = shell.state()
    assert (state.outcome, state.steps_at_risk) == ("stopped", 0)
    assert state.last is not None
    assert commands(shell) == ["stop checkpoint"]


def test_ctrl_c_twice_ends_it_and_three_times_kills_it(shell: Shell) -> None:
    shell.write("run.toml", LONG)
    client = shell.start("run", "run.toml", "--plain", output=shell.folder / "out")
    shell.until(lambda state: state.last is not None)
    engine = shell.engine().process
    send_signal(engine, signal.SIGSTOP)  # it hears of nothing but the last
    for mode in ("checkpoint", "now", "kill"):
        client.send_signal(signal.SIGINT)
        shell.until(lambda _, mode=mode: commands(shell)[-1:] == [f"stop {mode}"])  # type: ignore[misc]
    assert client.wait(PATIENCE_S) == 0
    state = shell.state()
    assert state.outcome == "stopped"
    assert "ended at once as asked" in state.end_reason
    assert commands(shell) == ["stop checkpoint", "stop now", "stop kill"]
    assert not is_alive(engine)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_supervisor_saves_and_stops(shell: Shell, number: signal.Signals) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    send_signal(shell.supervisor().process, number)
    state = shell.until(lambda state: state.ended)
    assert (state.outcome, state.exit_code, state.steps_at_risk) == ("stopped", 0, 0)
    assert commands(shell) == ["stop checkpoint"]


def test_a_supervisor_killed_while_training_is_replaced_by_one_that_adopts(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    engine = shell.engine()
    kill_supervisor(shell)
    size = shell.run.engine_events.stat().st_size
    give_up_t = time.monotonic() + PATIENCE_S
    while shell.run.engine_events.stat().st_size == size:  # training goes on unwatched
        assert time.monotonic() < give_up_t
        time.sleep(0.05)
    before = shell.supervisor().process.pid
    client = shell.start("attach", "--plain", output=shell.folder / "out")
    state = shell.until(lambda state: state.supervisor_pid != before)
    assert is_alive(engine.process)
    assert state.engine_pid == engine.process.pid
    shell.until(lambda _: (shell.folder / "out").stat().st_size > 300)
    client.send_signal(signal.SIGINT)  # leaving an attached window does not stop the run
    assert client.wait(PATIENCE_S) == 0
    assert is_alive(engine.process)
    assert shell("stop", "--wait").code == 0
    written = [line for line in shell.run.engine_events.read_bytes().splitlines() if line]
    journaled = [r for r in read_records(shell.run.journal) if r.engine_offset is not None]
    assert len(journaled) == len(written)  # nothing lost, nothing twice


def test_a_supervisor_killed_while_paused_leaves_a_pause_that_can_be_ended(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    assert shell("pause").code == 0
    stood = shell.until(lambda state: state.standing)
    kill_supervisor(shell)
    assert shell("resume").code == 0  # a new supervisor takes over by itself
    shell.until(lambda state: state.step > stood.step)
    assert shell("stop", "--wait").code == 0


def test_what_the_dashboard_offers_brings_a_supervisor_back_and_stop_now_saves(
    shell: Shell,
) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    engine, before = shell.engine(), shell.supervisor().process.pid
    kill_supervisor(shell)
    services = services_of(shell.run, states=RunStates(shell.folder / "states"))
    assert services.supervise is not None
    services.supervise()
    assert shell.supervisor().process.pid != before
    assert is_alive(engine.process)
    done = shell("stop", "--now", "--wait")
    assert done.code == 0
    assert "the engine saves at its next step and ends" in done.out
    state = shell.until(lambda state: state.ended)
    assert "the checkpoint is on disk" in state.end_reason
    assert state.steps_at_risk == 0
    services.supervise()  # an ended run needs none
    assert not is_alive(engine.process)


def test_whoever_comes_to_adopt_a_run_that_has_just_failed_is_told_of_no_fault(
    shell: Shell,
) -> None:
    """As the second of two commands that find the same run without a supervisor."""
    begin(shell, f"{LONG}\n[supervisor]\nrestarts = 0\n")
    shell.until(is_training)
    assert send_signal(shell.engine().process, signal.SIGKILL)
    assert shell.until(lambda state: state.ended).exit_code == 4
    start_supervisor(Order(root=str(shell.run.root), mode="adopt"))  # the one before may be there
    first = shell.supervisor().process
    until(lambda: not is_alive(first), "the end of the supervisor")
    before = shell.run.journal.read_bytes()
    late = supervise(shell, "adopt")
    assert (late.returncode, late.stderr) == (0, b"")
    assert shell.run.journal.read_bytes() == before


def supervise(shell: Shell, mode: str) -> subprocess.CompletedProcess[bytes]:
    """One more supervisor, to its end."""
    order = msgspec.json.encode({"root": str(shell.run.root), "mode": mode})
    return subprocess.run(
        [sys.executable, "-m", "timellm_ops.app"],
        input=order, env=shell.env(), capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def test_a_run_has_one_supervisor_whoever_else_is_started(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    before = shell.supervisor()
    second = supervise(shell, "adopt")
    assert (second.returncode, second.stderr) == (0, b"another supervisor has this run\n")
    assert shell.supervisor() == before
    kinds = [type(r.event).__name__ for r in read_records(shell.run.journal)]
    assert (kinds.count("RunStarted"), kinds.count("Adopted")) == (1, 0)
    assert shell("stop", "--now", "--wait").code == 0


def test_an_engine_that_is_killed_and_may_not_be_started_again_is_told(shell: Shell) -> None:
    begin(shell, f"{LONG}\n[supervisor]\nrestarts = 0\n")
    shell.until(lambda state: state.last is not None)
    send_signal(shell.engine().process, signal.SIGKILL)
    failed = shell.until(lambda state: state.ended)
    assert (failed.outcome, failed.exit_code) == ("failed", 4)
    assert f"timellm-ops run --resume {shell.run.run_id}" in failed.end_reason
    assert shell("run", "--resume", shell.run.run_id[:15], "--detach").code == 0
    shell.until(goes_on)
    assert shell("stop", "--now", "--wait").code == 0


def test_heat_stops_the_engine_and_cold_lets_it_go_on(shell: Shell) -> None:
    begin(shell, HOT)
    shell.until(lambda state: any(hold.rule == "thermal" for hold in state.holds))
    hot = shell.until(lambda state: state.standing)
    control = msgspec.json.decode(shell.run.control.read_bytes(), type=Control)
    assert control.desired == "pause"
    shell.until(lambda state: not state.holds and state.step > hot.step)
    decisions = [
        r.event for r in read_records(shell.run.journal) if isinstance(r.event, ev.PolicyDecision)
    ]
    assert [d.action for d in decisions[:2]] == ["pause", "resume"]
    assert decisions[0].value is not None
    assert decisions[0].value > 85.0
    assert decisions[1].value is not None
    assert decisions[1].value < 75.0
    assert shell("stop", "--wait").code == 0


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU here")
def test_where_there_is_no_gpu_nothing_waits_for_one(shell: Shell) -> None:
    text = LONG.replace('probe = "none"', 'probe = "auto"\npoll_s = 0.1')
    begin(shell, f"{text}\n[policy.thermal]\nunknown_after_s = 0.5\n")
    begun = shell.until(lambda state: is_training(state) and state.telemetry_gone)
    assert begun.t is not None
    later = shell.until(lambda state: state.ended or (state.t or 0.0) > (begun.t or 0.0) + 2.0)
    assert (later.pauses, later.holds, later.ended) == (0, (), False)
    assert shell("stop", "--now", "--wait").code == 0


FOREIGN = r"""
import sys, time
mode = sys.argv[1]
for epoch in range(1, 101 if mode == "long" else 4):
    for i in range(1, 21):
        time.sleep(0.05)
        if i % 10 == 0:
            left = 0.05 * ((101 if mode == "long" else 4) - epoch) * 20 - 0.05 * (i - 1)
            print(f"\titers: {i}, epoch: {epoch} | loss: {1 / (epoch * i):.7f}")
            print(f"\tspeed: 0.0500s/iter; left time: {left:.4f}s", flush=True)
    print(f"Epoch: {epoch} cost time: 1.0")
    print(f"Epoch: {epoch} | Train Loss: 0.5 Vali Loss: {0.4 / epoch:.7f} "
          "Test Loss: 0.3 MAE Loss: 0.2")
    print(f"Validation loss decreased (inf --> {0.4 / epoch:.6f}).  Saving model ...", flush=True)
    with open("checkpoint", "wb") as file:
        for _ in range(4):
            file.write(b"weights" * 1000)
            file.flush()
            time.sleep(0.1)
    if mode == "fail" and epoch == 2:
        raise SystemExit("CUDA error: an illegal memory access was encountered")
"""


def test_a_deleted_run_leaves_nobody_behind(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    people = shell.supervisor().process, shell.engine().process
    shutil.rmtree(shell.run.root)
    give_up_t = time.monotonic() + PATIENCE_S
    while any(map(is_alive, people)):
        assert time.monotonic() < give_up_t
        time.sleep(0.1)


def begin_foreign(shell: Shell, mode: str, *options: str) -> subprocess.Popen[bytes]:
    shell.write("script.py", FOREIGN)
    return shell.start(
        "run", "--engine-command", f"python3 script.py {mode}", "--engine-checkpoint", "checkpoint",
        "--gpu", "none", "--plain", *options, output=shell.folder / "out",
    )  # fmt: skip


def test_a_foreign_script_is_understood_to_its_end(shell: Shell) -> None:
    client = begin_foreign(shell, "finish")
    assert client.wait(PATIENCE_S) == 0, (shell.folder / "out").read_text()
    state = shell.state()
    assert state.outcome == "finished"
    assert [row.vali_mse for row in state.rows] == pytest.approx([0.4, 0.2, 0.4 / 3])
    assert state.best is not None
    assert Path(state.best.path) == shell.folder / "checkpoint"


def test_a_foreign_script_that_fails_is_code_4_with_its_last_words(shell: Shell) -> None:
    client = begin_foreign(shell, "fail")
    assert client.wait(PATIENCE_S) == 4
    assert "illegal memory access" in shell.state().end_reason


def test_a_foreign_script_is_stopped_in_its_tracks_and_goes_on(shell: Shell) -> None:
    client = begin_foreign(shell, "long")
    shell.until(is_training)
    assert shell("pause").code == 0
    stood = shell.until(lambda state: state.standing)
    log = shell.run.engine_log.stat().st_size
    time.sleep(1.5)
    assert shell.run.engine_log.stat().st_size == log
    goes_on = shell("resume", locale="zh_CN.UTF-8")
    assert (goes_on.code, "继续" in goes_on.out) == (0, True), goes_on
    shell.until(lambda state: state.step > stood.step)
    assert shell("stop", "--now").code == 0
    assert client.wait(PATIENCE_S) == 0


def test_a_foreign_script_is_stopped_after_its_checkpoint_is_complete(shell: Shell) -> None:
    client = begin_foreign(shell, "long")
    shell.until(is_training)
    assert shell("stop", "--after-checkpoint").code == 0
    assert client.wait(PATIENCE_S) == 0
    state = shell.state()
    assert state.outcome == "stopped"
    assert (shell.folder / "checkpoint").stat().st_size == 4 * 7000
    kinds = [type(r.event).__name__ for r in read_records(shell.run.journal)]
    assert kinds.index("CheckpointSaved") < kinds.index("EngineExited")
