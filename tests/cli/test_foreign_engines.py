"""Other people's training programs under supervision, from the command line to their processes."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PATIENCE_S, Shell

from timellm_ops.app import Order, start_supervisor
from timellm_ops.contract import events as ev
from timellm_ops.journal import Journal, read_records
from timellm_ops.process.engine import mark_of
from timellm_ops.process.identity import ProcessIdentity, identify, is_alive, send_signal
from timellm_ops.process.table import read_entry
from timellm_ops.process.tree import ProcessTree

TRAINER = r"""
import os, sys, time
epochs, steps = int(sys.argv[1]), 20
say = lambda text, end="\n": print(text, end=end, flush=True)
def bar(step):
    say(f"\r{100 * step // (epochs * steps):3d}%|##   | {step}/{epochs * steps} "
        f"[00:{step % 60:02d}<01:00, 20.00it/s]", end="")
bar(0)
for step in range(1, epochs * steps + 1):
    time.sleep(0.05)
    if step % 5 == 0:
        say(f"\r{{'loss': '{1 / step:.4g}', 'grad_norm': '1.5', 'learning_rate': '1e-05', "
            f"'epoch': '{step / steps:.4g}'}}")
        bar(step)
    if step % steps == 0:
        say(f"\n{{'eval_loss': '{2 / step:.4g}', 'epoch': '{step // steps}'}}")
        folder = f"out/checkpoint-{step}"
        os.makedirs(folder)
        for name in ("weights.bin", "optimizer.pt"):
            with open(f"{folder}/{name}", "wb") as file:
                for _ in range(4):
                    file.write(b"weights" * 1000)
                    file.flush()
                    time.sleep(0.1)
        with open(f"{folder}/trainer_state.json", "w") as file:
            file.write("{}")
        bar(step)
say("\n{'train_runtime': '3.1', 'train_loss': '0.5', 'epoch': '3'}")
"""
"""Prints what the Trainer of Hugging Face does, at its usual log level: no word of checkpoints."""

FAMILY = r"""
import os, subprocess, sys, time
worker = "import time\nwhile True:\n    time.sleep(0.02)"
made = subprocess.Popen([sys.executable, "-c", worker], start_new_session=True)
with open(".worker", "w") as file:
    file.write(str(made.pid))
os.rename(".worker", "worker")
for step in range(1, 100000):
    print(f"step {step} loss {1 / step}", flush=True)
    time.sleep(0.02)
"""
"""A launcher with a worker in a session of its own, as torchrun has them."""

PATTERNS = r"""
[[pattern]]
event = "progress"
regex = 'step (?P<step>\d+) loss (?P<loss>\S+)'
"""


def begin(shell: Shell, epochs: int) -> subprocess.Popen[bytes]:
    shell.write("trainer.py", TRAINER)
    return shell.start(
        "run", "--engine-command", f"python3 trainer.py {epochs}", "--engine-patterns",
        "hf-trainer", "--gpu", "none", "--plain", output=shell.folder / "out.txt",
    )  # fmt: skip


def begin_family(shell: Shell, head: str = "") -> ProcessIdentity:
    """A run of the launcher; its worker."""
    shell.write("family.py", FAMILY)
    shell.write("my.toml", PATTERNS)
    shell.write(
        "run.toml",
        '[data]\ndataset = "custom"\npath = "-"\n[gpu]\nprobe = "none"\n[foreign]\n'
        f'command = "python3 family.py"\npatterns = "my.toml"\n{head}',
    )
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.step > 0)
    worker = identify(int((shell.folder / "worker").read_text()))
    assert worker is not None
    return worker


def eventually(look: Callable[[], bool], what: str) -> None:
    give_up_t = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_t:
        if look():
            return
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come")


def stands(process: ProcessIdentity) -> bool:
    entry = read_entry(process.pid)
    return entry is not None and entry.stopped


@pytest.mark.slow
def test_a_trainer_of_hugging_face_is_supervised_to_its_end(shell: Shell) -> None:
    assert begin(shell, 2).wait(PATIENCE_S) == 0, (shell.folder / "out.txt").read_text()
    state = shell.state()
    assert state.outcome == "finished"
    assert [(row.epoch, row.vali_mse) for row in state.rows] == [(1, 0.1), (2, 0.05)]
    assert (state.epochs, state.steps_per_epoch, state.step) == (2, 20, 40)
    assert state.last is not None
    assert state.last.path == str(shell.folder / "out" / "checkpoint-40")
    saved = [
        Path(r.event.path).name
        for r in read_records(shell.run.journal)
        if isinstance(r.event, ev.CheckpointSaved)
    ]
    assert saved == ["checkpoint-20", "checkpoint-40"]
    assert (shell.run.root / "patterns.toml").exists()


@pytest.mark.slow
def test_one_that_says_nothing_is_stopped_after_its_whole_checkpoint(shell: Shell) -> None:
    client = begin(shell, 50)
    shell.until(lambda state: state.step > 0)
    assert shell("stop", "--after-checkpoint").code == 0
    assert client.wait(PATIENCE_S) == 0
    state = shell.state()
    assert state.outcome == "stopped"
    assert state.last is not None
    folder = Path(state.last.path)
    assert {file.name for file in folder.iterdir()} == {
        "weights.bin", "optimizer.pt", "trainer_state.json",
    }  # fmt: skip
    assert all((folder / n).stat().st_size == 28000 for n in ("weights.bin", "optimizer.pt"))
    kinds = [type(r.event).__name__ for r in read_records(shell.run.journal)]
    assert kinds.index("CheckpointSaved") < kinds.index("EngineExited")


@pytest.mark.slow
def test_a_worker_in_another_session_pauses_goes_on_and_ends_with_the_others(shell: Shell) -> None:
    worker = begin_family(shell)
    assert shell("pause").code == 0
    eventually(lambda: stands(worker), "the worker's pause")
    assert shell("resume").code == 0
    eventually(lambda: not stands(worker), "the worker's going on")
    kill_session_of_engine(shell)
    assert shell.until(lambda state: state.ended).outcome == "failed"
    eventually(lambda: not is_alive(worker), "the worker's end")


def kill_session_of_engine(shell: Shell) -> None:
    """A launcher that is killed leaves a worker in another session without a parent."""
    for entry in Path("/proc").iterdir():
        found = read_entry(int(entry.name)) if entry.name.isdigit() else None
        if found is not None and found.session == shell.engine().process.pid:
            process = identify(found.pid)
            if process is not None:
                send_signal(process, signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_outlives_engine_and_supervisor_is_ended_by_the_next(shell: Shell) -> None:
    worker = begin_family(shell)
    supervisor = shell.supervisor().process
    send_signal(supervisor, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisor), "the supervisor's end")
    kill_session_of_engine(shell)
    assert is_alive(worker)
    assert shell("attach", "--plain").code == 4
    assert shell.state().outcome == "failed"
    eventually(lambda: not is_alive(worker), "the worker's end")


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code", "outcome"), [(0, 0, "finished"), (3, 4, "failed")])
def test_how_a_script_ended_that_nobody_watched_is_told_by_the_next_supervisor(
    shell: Shell, status: int, code: int, outcome: str
) -> None:
    command = f"until [ -e go ]; do sleep 0.05; done; exit {status}"
    assert shell("run", "--engine-command", command, "--gpu", "none", "--detach").code == 0
    shell.until(lambda state: state.engine_pid is not None)
    kill(shell)
    shell.write("go", "")
    engine = shell.engine().process
    eventually(lambda: not is_alive(engine), "the script's end")
    assert shell("attach", "--plain").code == code
    ended = shell.state()
    assert ended.outcome == outcome
    assert ("exit code 3" in ended.end_reason) == (status == 3)


@pytest.mark.slow
def test_what_a_script_saved_that_nobody_watched_is_found_by_the_next_supervisor(
    shell: Shell,
) -> None:
    client = begin(shell, 2)
    shell.until(lambda state: state.last is not None or state.best is not None)
    engine = shell.engine().process
    kill(shell)
    client.kill()
    client.wait()
    eventually(lambda: not is_alive(engine), "the script's end")
    assert shell("attach", "--plain").code == 0
    saved = [r.event for r in read_records(shell.run.journal)
             if isinstance(r.event, ev.CheckpointSaved)]  # fmt: skip
    assert [Path(event.path).name for event in saved] == ["checkpoint-20", "checkpoint-40"]


@pytest.mark.slow
def test_a_supervisor_that_adopts_does_what_the_one_before_was_killed_in(shell: Shell) -> None:
    """Between a signal to the script and its record, that is, or the other way round."""
    worker = begin_family(shell)
    tree = ProcessTree(shell.engine().process, mark_of(shell.run))
    adopt = Order(root=str(shell.run.root), mode="adopt")
    kill(shell)
    tree.signal(signal.SIGSTOP)
    eventually(lambda: stands(worker), "a stop that is not on record")
    start_supervisor(adopt)
    eventually(lambda: not stands(worker), "its going on, as the record has it")
    assert shell("pause").code == 0
    eventually(lambda: stands(worker), "the worker's pause")
    shell.until(lambda state: state.standing)
    kill(shell)
    tree.signal(signal.SIGCONT)
    eventually(lambda: not stands(worker), "a going on that is not on record")
    start_supervisor(adopt)
    eventually(lambda: stands(worker), "its standing, as the record has it")
    assert shell("stop", "--now", "--wait").code == 0
    eventually(lambda: not is_alive(worker), "the worker's end")


@pytest.mark.slow
def test_pacing_by_stops_outlives_its_supervisor_without_leaving_anybody_stopped(
    shell: Shell,
) -> None:
    worker = begin_family(shell, "pace_by_stops = true\n")
    kill(shell)
    journal = Journal.open(shell.run.journal)
    journal.append(ev.PolicyDecision(action="pace", rule="test", reason="a test", value=0.3))
    journal.close()
    client = shell.start("attach", "--plain", output=shell.folder / "out.txt")
    eventually(lambda: stands(worker), "the worker's rest")
    eventually(lambda: not stands(worker), "the worker's going on")
    eventually(lambda: stands(worker), "the worker's next rest")
    kill(shell)
    eventually(lambda: not stands(worker), "the worker's going on without a supervisor")
    client.kill()
    client.wait()
    step = shell.state().step
    size = shell.run.engine_log.stat().st_size
    eventually(lambda: shell.run.engine_log.stat().st_size > size, "more output")
    assert shell("stop", "--now", "--wait").code == 0  # by another new supervisor
    state = shell.state()
    assert state.step > step
    assert state.pauses == 0
    eventually(lambda: not is_alive(worker), "the worker's end")


def kill(shell: Shell) -> None:
    record = shell.supervisor().process
    send_signal(record, signal.SIGKILL)
    eventually(lambda: not is_alive(record), "the supervisor's end")


# --- what is said of what is wrong ---------------------------------------------------------------

BAD = PATTERNS.replace("<loss>", "<los>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--engine-command", "true", "--engine-patterns", "bad.toml", "--plain"],
         ("bad.toml", "pattern 1 (progress), regex", '"loss"')),
        (["run", "--engine-command", "true", "--engine-patterns", "none.toml", "--plain"],
         ("none.toml", "no such file")),
        (["run", "--engine-command", "true", "--engine-patterns", "hf", "--plain"],
         ("--engine-patterns", '"hf"', "hf-trainer")),
        (["run", "config.toml", "--engine-patterns", "hf-trainer"], ("--engine-command",)),
        (["run", "config.toml", "--plain"], ("bad.toml", "pattern 1")),
        (["import", "some.log", "--patterns", "bad.toml"], ("bad.toml", "pattern 1")),
        (["import", "some.log", "--patterns", "hf-trainer"], ("some.log", "patterns check")),
        (["patterns", "check", "bad.toml", "some.log"], ("bad.toml", "pattern 1")),
        (["patterns", "check", "hf-trainer", "no.log"], ("no.log",)),
        (["patterns", "check", "hf-trainer"], ("a log",)),
        (["patterns", "show", "hf"], ('"hf"', "hf-trainer")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
    shell: Shell, arguments: list[str], words: tuple[str, ...]
) -> None:
    shell.write("bad.toml", BAD)
    shell.write("some.log", "nothing to see\n")
    shell.write(
        "config.toml",
        '[data]\ndataset = "custom"\npath = "-"\n[foreign]\ncommand = "true"\n'
        'patterns = "bad.toml"\n',
    )
    done = shell(*arguments)
    assert done.code == 2
    for word in words:
        assert word in done.error
    assert not (shell.folder / "runs").exists()


def test_a_log_of_another_program_is_imported(shell: Shell) -> None:
    shell.write("my.toml", PATTERNS)
    shell.write("my.log", "step 1 loss 0.5\nstep 2 loss 0.25\n")
    done = shell("import", "my.log", "--patterns", "my.toml", "--json")
    assert done.code == 0
    kinds = [json.loads(line)["type"] for line in done.out.splitlines()]
    assert kinds == ["EpochStarted", "Progress", "Progress"]
    state = shell.state()
    assert (state.engine, state.loss) == ("imported", 0.25)


def test_patterns_are_listed_shown_and_checked(shell: Shell) -> None:
    listed = shell("patterns", "list")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        "hf-trainer", "published", "time-series-library",
    ]  # fmt: skip
    shown = shell("patterns", "show", "time-series-library")
    shell.write("copy.toml", shown.out)
    shell.write("x.log", "hello\n\titers: 100, epoch: 1 | loss: 0.5\n")
    checked = shell("patterns", "check", "copy.toml", "x.log")
    assert checked.code == 0
    assert "1 progress" in checked.out
    assert "1 of 2 lines and bars matched" in checked.out
    assert "1  hello" in checked.out
    answer = json.loads(shell("patterns", "check", "copy.toml", "x.log", "--json").out)
    assert answer["schema"] == "timellm-ops.patterns/1"
    assert answer["events"] == {"EpochStarted": 1, "Progress": 1}
    nothing = shell("patterns", "check", "hf-trainer", "x.log")
    assert nothing.code == 2
    assert "events: none" in nothing.out
