"""The dashboard in a real terminal: a pseudo-terminal with a program on it, as over SSH."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from conftest import PATIENCE_S, TINY, Shell
from test_supervised_run import LONG, begin, is_training

from timellm_ops.process.identity import is_alive

pytestmark = pytest.mark.slow


@dataclass
class Terminal:
    """A program on a pseudo-terminal of 80 columns and 24 rows, and all that it has written."""

    pid: int
    descriptor: int
    written: bytearray = field(default_factory=bytearray)

    def until(self, holds: Callable[[str], bool]) -> str:
        give_up_t = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_t:
            text = self.written.decode("utf-8", "replace")
            if holds(text):
                return text
            if select.select([self.descriptor], [], [], 0.2)[0]:
                try:
                    self.written += os.read(self.descriptor, 1 << 16)
                except OSError:
                    break
        raise AssertionError(f"not seen: {bytes(self.written[-2000:])!r}")

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def exit_code(self) -> int:
        give_up_t = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_t:
            if select.select([self.descriptor], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):  # the other end is closed
                    self.written += os.read(self.descriptor, 1 << 16)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("the program has not ended")


Opener = Callable[..., Terminal]


@pytest.fixture
def terminal(shell: Shell) -> Iterator[Opener]:
    opened: list[Terminal] = []

    def on_terminal(*arguments: str) -> Terminal:
        pid, descriptor = pty.fork()
        if pid == 0:
            os.chdir(shell.folder)
            command = [sys.executable, "-m", "timellm_ops.cli", *arguments]
            env = {**shell.env(), "TERM": "xterm-256color"}
            os.execve(sys.executable, command, env)  # noqa: S606
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        opened.append(Terminal(pid, descriptor))
        return opened[-1]

    yield on_terminal
    for made in opened:
        os.close(made.descriptor)
        try:
            os.kill(made.pid, signal.SIGKILL)
            os.waitpid(made.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def test_a_run_is_watched_to_its_end_and_left_with_its_exit_code(
    shell: Shell, terminal: Opener
) -> None:
    shell.write("run.toml", TINY)
    screen = terminal("run", "run.toml")
    screen.until(lambda text: "TRAINING" in text)
    shell.until(lambda state: state.ended)
    screen.until(lambda text: "FINISHED" in text)
    screen.type("q")
    assert screen.exit_code() == 0
    assert shell.run.run_id in screen.written.decode("utf-8", "replace")


def test_leaving_the_dashboard_and_coming_back_touches_nothing(
    shell: Shell, terminal: Opener
) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    engine = shell.engine().process
    first = terminal("attach")
    first.until(lambda text: "TRAINING" in text)
    first.type("q")
    assert first.exit_code() == 0
    second = terminal("attach")
    second.until(lambda text: "TRAINING" in text)
    os.close(second.descriptor)  # the terminal is gone, as when a window is closed
    second.descriptor = os.open(os.devnull, os.O_RDWR)
    assert is_alive(engine)
    third = terminal("attach")
    third.until(lambda text: "TRAINING" in text)
    third.type("s")
    state = shell.until(lambda state: state.ended)
    assert (state.outcome, state.exit_code) == ("stopped", 0)
    third.until(lambda text: "STOPPED" in text)
    third.type("q")
    assert third.exit_code() == 0
