"""The dashboard in a real terminal: a pseudo-terminal with a program on it, as over SSH."""

import contextlib
import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from conftest import PATIENCE_S, TINY, Shell
from rich.cells import cell_len
from test_supervised_run import LONG, begin, is_training
from written_runs import own_run

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

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def vanish(self) -> None:
        """As when a window is closed or a connection is lost."""
        os.close(self.descriptor)
        self.descriptor = os.open(os.devnull, os.O_RDWR)

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

    def on_terminal(*arguments: str, ignores_hangup: bool = False) -> Terminal:
        pid, descriptor = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignores_hangup else signal.SIG_DFL)
            os.chdir(shell.folder)
            command = [sys.executable, "-m", "timellm_ops.cli", *arguments]
            env = {**shell.env(), "TERM": "xterm-256color"}
            os.execve(sys.executable, command, env)  # noqa: S606
        opened.append(Terminal(pid, descriptor))
        opened[-1].resize(80, 24)
        return opened[-1]

    yield on_terminal
    for made in opened:
        os.close(made.descriptor)
        try:
            os.kill(made.pid, signal.SIGKILL)
            os.waitpid(made.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def watching(shell: Shell, terminal: Opener) -> Terminal:
    """A dashboard of a run under way that it has not begun."""
    begin(shell, LONG)
    shell.until(is_training)
    screen = terminal("attach", "latest")
    screen.until(lambda text: "TRAINING" in text)
    return screen


def test_a_run_is_watched_to_its_end_and_left_with_its_exit_code(
    shell: Shell, terminal: Opener
) -> None:
    shell.write("run.toml", TINY)
    screen = terminal("run", "run.toml")
    # Where others are at work, it may be over before the first picture of it.
    screen.until(lambda text: "TRAINING" in text or "FINISHED" in text)
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
    for ignores_hangup in (False, True):  # as under `nohup`
        second = terminal("attach", ignores_hangup=ignores_hangup)
        second.until(lambda text: "TRAINING" in text)
        second.vanish()
        second.exit_code()  # it does not stay behind
    assert is_alive(engine)
    third = terminal("attach")
    third.until(lambda text: "TRAINING" in text)
    third.type("s")
    state = shell.until(lambda state: state.ended)
    assert (state.outcome, state.exit_code) == ("stopped", 0)
    third.until(lambda text: "STOPPED" in text)
    third.type("q")
    assert third.exit_code() == 0


def test_who_asks_and_leaves_in_one_breath_has_asked(shell: Shell, terminal: Opener) -> None:
    screen = watching(shell, terminal)
    screen.type("pq")
    assert screen.exit_code() == 0
    assert "never awaited" not in screen.written.decode("utf-8", "replace")
    shell.until(lambda state: any(hold.rule == "user" for hold in state.holds))


def test_a_dashboard_that_is_told_to_end_gives_the_terminal_back(
    shell: Shell, terminal: Opener
) -> None:
    screen = watching(shell, terminal)
    os.kill(screen.pid, signal.SIGTERM)
    assert screen.exit_code() == 0
    text = screen.written.decode("utf-8", "replace")
    assert text.rindex("\x1b[?1049l") > text.rindex("\x1b[?1049h")
    assert text.rindex("\x1b[?1000l") > text.rindex("\x1b[?1000h")
    assert is_training(shell.state())


def test_keys_still_arrive_after_a_shell_has_stopped_and_continued_it(
    shell: Shell, terminal: Opener
) -> None:
    screen = watching(shell, terminal)
    os.kill(screen.pid, signal.SIGSTOP)
    modes = termios.tcgetattr(screen.descriptor)
    modes[3] |= termios.ICANON | termios.ECHO  # as a shell has it: keys arrive with Enter
    termios.tcsetattr(screen.descriptor, termios.TCSANOW, modes)
    os.kill(screen.pid, signal.SIGCONT)
    time.sleep(0.3)
    screen.type("q")
    assert screen.exit_code() == 0


def test_a_replays_log_ends_at_the_moment_that_is_shown(shell: Shell, terminal: Opener) -> None:
    run = own_run(shell.store, shell.write("tiny.toml", TINY))
    steps = [f"\titers: {n}, epoch: {e} | loss: 0.5\n" for e in (1, 2) for n in range(10, 50, 10)]
    run.engine_log.write_text("".join(steps), encoding="utf-8")
    screen = terminal("replay", "--from", "25s", "--speed", "0.1")
    screen.until(lambda text: "REPLAY" in text)
    screen.type("3")
    screen.until(lambda text: "line 2 of 2" in text)
    screen.type("\x1b[C")  # right: a minute on, over a pause of a minute
    screen.until(lambda text: "line 4 of 4" in text)
    screen.type("q")
    assert screen.exit_code() == 0


def test_a_storm_of_resizes_leaves_a_screen_that_fits(shell: Shell, terminal: Opener) -> None:
    begin(shell, LONG)
    screen = terminal("attach")
    screen.until(lambda text: "TRAINING" in text)
    for number in range(150):
        screen.resize(20 + 13 * (number % 17), 4 + 7 * (number % 9))
        time.sleep(0.005)
        if number % 10 == 0:
            screen.until(lambda _: True)
            screen.type(str(1 + number // 10 % 6))
    screen.resize(120, 40)
    screen.type("1")
    seen = len(screen.written)
    screen.until(lambda text: "GPU" in text[seen // 2 :])
    mark = len(screen.written.decode("utf-8", "replace"))
    screen.type("?")
    screen.until(lambda text: "closes" in text[mark:] and "\x1b[40;" in text[mark:])
    screen.type("q")
    screen.type("q")
    assert screen.exit_code() == 0
    assert shell("stop", "--now", "--wait").code == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed here")
def test_in_tmux_every_screen_fits_every_size(shell: Shell) -> None:
    begin(shell, LONG)
    shell.until(is_training)
    attach = shlex.join([sys.executable, "-m", "timellm_ops.cli", "attach"])
    tmux = ["tmux", "-S", str(shell.folder / "tmux.sock"), "-f", os.devnull]

    def say(*command: str) -> str:
        done = subprocess.run(
            [*tmux, *command],
            check=False,
            capture_output=True,
            text=True,
            env=shell.env(),
            timeout=PATIENCE_S,
        )
        return done.stdout

    def seen(text: str) -> list[str]:
        give_up_t = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_t:
            shown = say("capture-pane", "-p")
            if text in shown:
                return shown.splitlines()
            time.sleep(0.1)
        raise AssertionError(f"not seen: {text}\n{shown}")

    say("new-session", "-d", "-x", "80", "-y", "24", "-c", str(shell.folder), attach)
    try:
        seen("TRAINING")
        for columns, rows in ((80, 24), (120, 40), (200, 50)):
            say("resize-window", "-x", str(columns), "-y", str(rows))
            for key in "234561":
                say("send-keys", key)
                lines = seen("TRAINING")
                assert len(lines) <= rows
                assert all(cell_len(line) <= columns for line in lines)
            seen("safe to stop")
        say("send-keys", "q")
        give_up_t = time.monotonic() + PATIENCE_S
        while say("list-sessions") and time.monotonic() < give_up_t:
            time.sleep(0.1)
        assert say("list-sessions") == ""
    finally:
        say("kill-server")
    assert shell("stop", "--now", "--wait").code == 0
