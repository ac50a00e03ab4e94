"""Whatever the streams of a command are: no traceback, and an exit code that says what happened."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE_S, Shell

TIMELLM = f"{sys.executable} -m timellm_ops.cli"


def bash(shell: Shell, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `$TIMELLM` is the command."""
    return subprocess.run(
        ["bash", "-c", script],
        cwd=shell.folder,
        env={**shell.env(), "TIMELLM": TIMELLM, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("command", ["--help", "config template", "run --help"])
def test_an_output_that_nobody_reads_to_its_end_is_no_error(shell: Shell, command: str) -> None:
    script = f"$TIMELLM {command} | head -1; exit ${{PIPESTATUS[0]}}"
    done = bash(shell, script)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("command", ["--help", "config template", "run --help"])
def test_a_full_disk_behind_the_output_is_one_line(shell: Shell, command: str) -> None:
    done = bash(shell, f"$TIMELLM {command} > /dev/full")
    assert done.returncode == 3
    said = "timellm-ops: the output cannot be written (No space left on device)\n"
    assert done.stderr == said


def test_streams_that_are_closed_are_nothing_to_fall_over(shell: Shell) -> None:
    """Nor may a file that is opened later have their numbers, and get what is printed."""
    done = bash(shell, "$TIMELLM config template <&- >&-; a=$?; $TIMELLM show no 2>&- ; echo $a $?")
    assert (done.stdout, done.stderr) == ("0 2\n", "")
    for unbuffered in ("", "1"):  # empty is as if it were not set
        done = bash(shell, "$TIMELLM show no 2> /dev/full", PYTHONUNBUFFERED=unbuffered)
        assert done.returncode == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_command_did_does_not_depend_on_its_standard_error(
    shell: Shell, unbuffered: str
) -> None:
    log = Path(__file__).parents[1] / "fixtures" / "published.log"
    into = "PYTHONUNBUFFERED=$unbuffered $TIMELLM import $log"
    for where in ("2> /dev/full", "2> >(true)"):
        done = bash(shell, f"{into} {where}", unbuffered=unbuffered, log=str(log))
        assert (done.returncode, done.stderr) == (0, "")
    assert len(list((shell.folder / "runs").iterdir())) == 2


def test_a_reader_that_is_slow_does_not_change_an_exit_code(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    argv = [*TIMELLM.split(), "show", "no"]
    done = subprocess.run(argv, cwd=shell.folder, env=shell.env(), stderr=writing, check=False)
    os.close(reading)
    os.close(writing)
    assert done.returncode == 2


CLOSED = """
import os, sys
from timellm_ops.cli.streams import complain, prepare_streams
prepare_streams()
os.close(2)
complain("one")
with open("file", "w") as file:
    complain("two")
"""


def test_a_standard_error_that_is_closed_meanwhile_gives_its_number_to_no_file(
    shell: Shell,
) -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED], cwd=shell.folder, check=False)
    assert done.returncode == 0
    assert (shell.folder / "file").read_text() == ""


def test_a_terminal_without_the_characters_gets_their_codes(shell: Shell) -> None:
    done = bash(shell, "$TIMELLM config template", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xb0C" in done.stdout


def test_a_working_folder_that_is_gone_is_one_line(shell: Shell) -> None:
    done = bash(shell, "mkdir x; cd x; rmdir ../x; unset TIMELLM_RUNS_DIR; $TIMELLM list")
    said = "the working folder is not there any more; change to one that is"
    assert (done.returncode, done.stderr) == (3, f"timellm-ops: {said}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_error_does_not_change_what_an_interrupt_exits_with(
    shell: Shell, unbuffered: str
) -> None:
    log = shell.folder / "train.log"
    os.mkfifo(log)
    with Path("/dev/full").open("w") as full:
        command = subprocess.Popen(
            [*TIMELLM.split(), "patterns", "check", "hf-trainer", str(log)],
            cwd=shell.folder,
            env={**shell.env(), "PYTHONUNBUFFERED": unbuffered},
            stderr=full,
        )
    held = opened(log)
    assert interrupted(command) == 130
    os.close(held)


def test_a_run_is_stopped_and_watched_to_its_end_with_a_full_standard_error(shell: Shell) -> None:
    quickstart = Path(__file__).parents[2] / "configs" / "quickstart.toml"
    command = [*TIMELLM.split(), "run", str(quickstart), "--plain"]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            command, cwd=shell.folder, env=shell.env(), stdout=subprocess.PIPE, stderr=full
        ) as watched,
    ):
        assert watched.stdout is not None
        watched.stdout.readline()  # it has begun
        watched.send_signal(signal.SIGINT)
        said, _ = watched.communicate(timeout=PATIENCE_S)
    assert watched.returncode == 0
    assert b"stopped" in said


def opened(pipe: Path) -> int:
    """The writing end, once somebody waits at the other."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < end, "nobody reads the log"
            time.sleep(0.01)


def interrupted(command: subprocess.Popen[bytes]) -> int:
    """The exit code. A signal just before it waits for the log is seen when the next one comes."""
    end = time.monotonic() + PATIENCE_S
    while True:
        command.send_signal(signal.SIGINT)
        try:
            return command.wait(2.0)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < end, "it goes on"
