"""The engine as a process: start it, find it again, signal it, learn how it ended."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

from msgspec import Struct

from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.identity import (
    ProcessIdentity,
    catches,
    identify,
    is_alive,
    send_signal,
)
from timellm_ops.process.open_files import files_open_for_writing
from timellm_ops.process.records import EngineRecord, read_living, write_record
from timellm_ops.process.rest_guard import RestGuard
from timellm_ops.process.tree import ProcessTree

_REST_STANDS_WITHIN_S = 0.1
_LIST_EVERY_S = 5.0
"""How often the members are listed anew, at most, for their open files."""


class ExitStatus(Struct, frozen=True):
    """How a process ended. Both fields are `None` where nobody could learn it."""

    code: int | None = None
    signal: int | None = None


class EngineHandle(Protocol):
    """What the supervisor needs of an engine, real or fake."""

    identity: ProcessIdentity

    def exit_status(self) -> ExitStatus | None:
        """How it ended; `None` while it lives."""
        ...

    def send_signal(self, number: int) -> None:
        """Signal the whole tree."""
        ...

    def suspend(self) -> None:
        """Stop the whole tree where it stands."""
        ...

    def rest(self) -> None:
        """Stop the whole tree for a moment; it goes on too if this process is killed meanwhile."""
        ...

    def resume(self) -> None:
        """Let the whole tree go on."""
        ...

    def open_for_writing(self, wanted: Callable[[Path], bool]) -> frozenset[Path]:
        """The files, of those `wanted`, that the tree has open to write."""
        ...

    def dump_stacks(self) -> None:
        """Have our own engine write the stacks of its threads to its log, if it can."""
        ...

    def cpu_seconds(self) -> float:
        """User and system seconds of the tree so far."""
        ...

    def pids(self) -> frozenset[int]:
        """The processes of the tree that live now."""
        ...


class EngineProcess:
    """A living engine: a child of this process, or one adopted from a supervisor that is gone."""

    def __init__(
        self,
        identity: ProcessIdentity,
        layout: RunLayout,
        *,
        foreign: bool,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.identity = identity
        self.foreign = foreign
        self._layout = layout
        self._child = child
        self._tree = ProcessTree(identity, mark_of(layout))
        self._guard = RestGuard()
        self._listed: list[int] = []
        self._listed_t = -math.inf

    def exit_status(self) -> ExitStatus | None:
        """How it ended; `None` while it lives. Reaps the child."""
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return None
            own = ExitStatus(signal=-code) if code < 0 else ExitStatus(code=code)
        elif is_alive(self.identity):
            return None
        else:
            own = ExitStatus()
        return (recorded_exit(self._layout) or own) if self.foreign else own

    def send_signal(self, number: int) -> None:
        """Signal the whole tree. A suspended one acts on SIGTERM and SIGINT once resumed."""
        self._tree.signal(number)

    def suspend(self) -> None:
        """SIGSTOP for the whole tree, until everyone stands and no new member turns up."""
        self._guard.tell(())
        self._tree.signal(signal.SIGSTOP)

    def rest(self) -> None:
        """The same, with a guard that sends SIGCONT should this process end meanwhile.

        Who does not stand in a moment is not waited for: the rest itself is short.
        """
        self._guard.tell(entry.pid for entry in self._tree.walk())
        self._tree.signal(signal.SIGSTOP, stand_within_s=_REST_STANDS_WITHIN_S)
        self._guard.tell(entry.pid for entry in self._tree.walk())

    def resume(self) -> None:
        """SIGCONT for the whole tree."""
        self._tree.signal(signal.SIGCONT)
        self._guard.tell(())

    def open_for_writing(self, wanted: Callable[[Path], bool]) -> frozenset[Path]:
        """The files, of those `wanted`, that the tree has open to write."""
        now_t = time.monotonic()
        if now_t - self._listed_t > _LIST_EVERY_S:
            self._listed, self._listed_t = [entry.pid for entry in self._tree.walk()], now_t
        return files_open_for_writing(self._listed, wanted)

    def kill(self) -> None:
        """SIGKILL for the whole tree, also for what is left of it once the engine has ended."""
        self._tree.signal(signal.SIGKILL)

    def dump_stacks(self) -> None:
        """SIGUSR1 for our own engine alone. One that has no handler for it would end of it, and is
        not sent any."""
        if self.foreign or not catches(self.identity, signal.SIGUSR1):
            return
        with contextlib.suppress(OSError):  # a full disk: the stacks then tell for themselves
            _append(self._layout.engine_log, _ABOVE_STACKS)
        send_signal(self.identity, signal.SIGUSR1)

    def cpu_seconds(self) -> float:
        """User and system seconds of the tree so far. Never decreases."""
        return self._tree.cpu_seconds()

    def pids(self) -> frozenset[int]:
        """The processes of the tree that live now."""
        return frozenset(entry.pid for entry in self._tree.walk())


_ABOVE_STACKS = (
    b"\nThe engine has been silent for too long, so the supervisor asked it where it is. It has"
    b" not crashed: this is the stack of each of its threads at this moment, and it goes on.\n"
)


def _append(path: Path, text: bytes) -> None:
    """In one piece behind whatever the engine writes into the same file."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(log, text)
    finally:
        os.close(log)


MARK = "TIMELLM_SUPERVISED"
"""In the environment of every process of an engine: its run's folder."""


def mark_of(layout: RunLayout) -> str:
    """How the processes of this run's engine are known, whoever their parents are."""
    return f"{MARK}={layout.root}"


def engine_argv(
    layout: RunLayout, config: Config, *, resume: bool = False, pieces: int = 1
) -> list[str]:
    """The command line that trains this run.

    `pieces`: in how many times as many as configured our own engine computes a batch.
    """
    if config.foreign.command:
        return [
            "bash",
            "-c",
            _LAUNCHER,
            "launcher",
            config.foreign.command,
            str(layout.engine_exit),
        ]
    argv = [sys.executable, "-P", "-m", "timellm_engine", "--run-dir", str(layout.root)]
    if pieces > 1:
        argv += ["--pieces", str(pieces)]
    return [*argv, "--resume"] if resume else argv


_LAUNCHER = """
trap : HUP INT TERM
bash -c "$1"
status=$?
printf '%s\\n' "$status" >"$2.new" && mv -f "$2.new" "$2"
exit "$status"
"""
"""Runs the user's command and leaves its exit status in a file, for a supervisor that is not its
parent. Signals are for the command: a trapped (not ignored) signal is at its default again in
the child, and bash goes on after the child has ended of it."""


def launch(
    layout: RunLayout, config: Config, *, resume: bool = False, pieces: int = 1
) -> EngineProcess:
    """Start the engine of a run, in a session of its own, and record which process it is.

    Its output is appended to `engine.log`: a file never fills up or breaks as a pipe does when
    the supervisor is gone. Raises `OSError` where it cannot be started.
    """
    foreign = bool(config.foreign.command)
    return launch_argv(
        layout,
        engine_argv(layout, config, resume=resume, pieces=pieces),
        workdir=Path(config.foreign.workdir) if foreign else None,
        foreign=foreign,
    )


def launch_argv(
    layout: RunLayout, argv: Sequence[str], *, workdir: Path | None = None, foreign: bool = False
) -> EngineProcess:
    """`launch` for a command line that is known already.

    A foreign script is told not to buffer what it prints: into a file, Python would hold back some
    hundred lines, "Saving model" among them, for hours.
    """
    with contextlib.suppress(FileNotFoundError):
        layout.engine_exit.unlink()
    gated = ["sh", "-c", _GATE, "gate", *argv]
    log = os.open(layout.engine_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        with _signals_at_default():
            child = subprocess.Popen(
                gated,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=workdir,
                env={
                    **os.environ,
                    **({"PYTHONUNBUFFERED": "1"} if foreign else {}),
                    MARK: str(layout.root),
                },
                start_new_session=True,
            )
    finally:
        os.close(log)
    assert child.stdin is not None  # noqa: S101 - for the type checker
    try:
        identity = _identified(child.pid)
        write_record(layout.engine_process, EngineRecord(process=identity, foreign=foreign))
        child.stdin.write(b"go\n")
        child.stdin.close()
    except BaseException:
        with contextlib.suppress(OSError):
            child.stdin.close()
        child.kill()
        child.wait()
        raise
    return EngineProcess(identity, layout, foreign=foreign, child=child)


@contextlib.contextmanager
def _signals_at_default() -> Iterator[None]:
    """Let a child be stopped by SIGINT and SIGTERM though this process ignores them.

    A script's background jobs ignore SIGINT, and what is ignored stays so in every process below,
    where no shell can undo it. What has a handler here is at its default there.
    """
    ignored: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        stopping = (signal.SIGINT, signal.SIGTERM)
        ignored = [n for n in stopping if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _nothing)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal by doing nothing, which unlike ignoring it is not inherited."""


def _identified(pid: int) -> ProcessIdentity:
    identity = identify(pid)
    if identity is None:
        raise ProcessLookupError(f"process {pid} is gone before it began")
    return identity


_GATE = 'read -r go && exec "$@" </dev/null'
"""Waits until the process is on record and then becomes the engine. If the supervisor is killed
in between, its end of standard input closes and no engine nobody knows of ever runs."""


def adopt(layout: RunLayout) -> EngineProcess | None:
    """The run's engine if it lives, though another process started it; else `None`."""
    record = read_living(layout.engine_process, EngineRecord)
    if record is None:
        return None
    return EngineProcess(record.process, layout, foreign=record.foreign)


def recorded_exit(layout: RunLayout) -> ExitStatus | None:
    """What the launcher of a foreign command has left in `engine.exit`; `None` if nothing.

    A shell reports an end by signal n as 128 + n.
    """
    try:
        status = int(layout.engine_exit.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if 128 < status < 128 + signal.NSIG:
        return ExitStatus(signal=status - 128)
    return ExitStatus(code=status)
