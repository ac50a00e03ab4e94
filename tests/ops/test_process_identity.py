"""Which process is meant: not the pid, which comes to mean another one."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from waiting import python, until

from timellm_ops.process.identity import (
    ProcessIdentity,
    boot_id,
    catches,
    identify,
    is_alive,
    send_signal,
)

SLEEP = "import time; time.sleep(1000)"
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")

_replace = msgspec.structs.replace


def identity_of(pid: int) -> ProcessIdentity:
    identity = identify(pid)
    assert identity is not None
    return identity


def test_a_living_process_has_one_identity() -> None:
    own = identity_of(os.getpid())
    assert own == identity_of(os.getpid())
    assert is_alive(own)
    assert own.boot_id == boot_id() != ""


def test_another_process_sees_the_same_identity() -> None:
    script = (
        "import msgspec, os, sys; from timellm_ops.process.identity import identify;"
        " sys.stdout.buffer.write(msgspec.json.encode(identify(os.getppid())))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert msgspec.json.decode(said.stdout, type=ProcessIdentity) == identity_of(os.getpid())


def test_nobody_has_a_pid_that_is_free() -> None:
    with python("") as child:
        child.wait()
        assert identify(child.pid) is None


def test_a_process_that_has_ended_is_not_alive_even_before_anybody_knows() -> None:
    with python(SLEEP) as child:
        identity = identity_of(child.pid)
        assert is_alive(identity)
        child.kill()
        until(lambda: not is_alive(identity), "the end")
        assert identify(child.pid) == identity, "a zombie keeps its identity"
        assert not send_signal(identity, signal.SIGTERM)
        child.wait()
        assert not is_alive(identity)
        assert not send_signal(identity, signal.SIGTERM)


def test_a_suspended_process_is_alive() -> None:
    with python(SLEEP) as child:
        identity = identity_of(child.pid)
        assert send_signal(identity, signal.SIGSTOP)
        assert is_alive(identity)


def test_a_signal_reaches_the_process_that_is_meant() -> None:
    with python(SLEEP) as child:
        assert send_signal(identity_of(child.pid), signal.SIGTERM)
        assert child.wait(timeout=60) == -signal.SIGTERM


def test_the_bearer_of_a_reused_pid_is_somebody_else() -> None:
    with python(SLEEP) as child:
        true = identity_of(child.pid)
        for other in (
            _replace(true, start_ticks=true.start_ticks - 1),
            _replace(true, start_ticks=true.start_ticks + 1),
            _replace(true, boot_id="another-boot"),
        ):
            assert not is_alive(other)
            assert not send_signal(other, signal.SIGKILL)
        assert child.poll() is None
        assert is_alive(true)
        assert send_signal(true, signal.SIGKILL)
        assert child.wait(timeout=60) == -signal.SIGKILL


@contextlib.contextmanager
def process_with_pid(pid: int) -> Iterator[subprocess.Popen[bytes] | None]:
    """A new process that has got a pid of our choosing, if nobody else was faster."""
    try:
        LAST_PID.write_text(str(pid - 1))
    except OSError:
        pytest.skip("pids cannot be chosen here")
    with python(SLEEP) as child:
        yield child if child.pid == pid else None


def test_a_pid_that_the_system_really_gives_out_again_means_another_process() -> None:
    for _ in range(50):
        with python("input()", stdin=subprocess.PIPE) as first:
            before = identity_of(first.pid)
        with process_with_pid(before.pid) as second:
            if second is None:
                continue
            if identity_of(second.pid) == before:
                continue  # began within the same hundredth of a second
            assert identify(before.pid) is not None
            assert not is_alive(before)
            assert not send_signal(before, signal.SIGKILL)
            assert second.poll() is None
            return
    pytest.skip("the pid was never given out again: others start processes all the time")


def test_a_process_catches_the_signals_that_it_has_a_handler_for() -> None:
    own = identity_of(os.getpid())
    before = signal.getsignal(signal.SIGUSR2)
    try:
        signal.signal(signal.SIGUSR2, lambda *_: None)
        assert catches(own, signal.SIGUSR2)
        for handler in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(signal.SIGUSR2, handler)
            assert not catches(own, signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not catches(_replace_pid(own), signal.SIGUSR2)


def _replace_pid(identity: ProcessIdentity) -> ProcessIdentity:
    """Somebody who had the same pid before."""
    return ProcessIdentity(identity.pid, identity.start_ticks - 1, identity.boot_id)
