"""A client of a run: follows its journal, asks its supervisor, and takes no for an answer."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import answering
from waiting import python

from timellm_ops.client import RunClient
from timellm_ops.contract.commands import PauseRun, Ping, Reply
from timellm_ops.contract.events import Alert, RunEnded
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import Journal
from timellm_ops.process.identity import ProcessIdentity, identify
from timellm_ops.process.records import SupervisorRecord, write_record

RUN_ID = "20260131-214503-night-7f3a"


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    (tmp_path / RUN_ID).mkdir()
    return RunLayout(tmp_path / RUN_ID)


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sock-", dir="/tmp") as name:
        yield Path(name) / "private" / "run.sock"


def own_identity() -> ProcessIdentity:
    identity = identify(os.getpid())
    assert identity is not None
    return identity


def in_charge(layout: RunLayout, process: ProcessIdentity, socket: Path | str) -> None:
    write_record(layout.supervisor_process, SupervisorRecord(process=process, socket=str(socket)))


def test_the_whole_backlog_comes_first_and_then_what_is_new(layout: RunLayout) -> None:
    client = RunClient(layout)
    assert client.poll() == []
    journal = Journal.open(layout.journal)
    written = [journal.append(Alert(level="info", message=str(n))) for n in range(3)]
    assert client.poll() == written
    assert client.poll() == []
    late = RunClient(layout)
    written.append(journal.append(Alert(level="info", message="new")))
    assert client.poll() == written[3:]
    assert late.poll() == written
    journal.close()


def test_a_request_reaches_the_supervisor_that_is_on_record(
    layout: RunLayout, socket: Path
) -> None:
    client = RunClient(layout)
    with answering(socket):
        in_charge(layout, own_identity(), socket)
        assert client.supervised()
        reply = client.send(PauseRun(who="dashboard"))
    assert reply == Reply(ok=True, message="PauseRun of dashboard")


def test_a_supervisor_that_has_moved_is_followed(layout: RunLayout, socket: Path) -> None:
    client = RunClient(layout)
    with answering(socket):
        in_charge(layout, own_identity(), "/nonexistent/old.sock")
        assert not client.send(Ping()).ok
        in_charge(layout, own_identity(), socket)
        assert client.send(Ping()).ok


def refused(layout: RunLayout) -> str:
    reply = RunClient(layout).send(Ping())
    assert not reply.ok
    assert reply.message.endswith(f"timellm-ops attach {RUN_ID} starts one")
    assert "\n" not in reply.message
    return reply.message


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_a_run_without_a_supervisor_on_record(layout: RunLayout, content: bytes | None) -> None:
    if content is not None:
        layout.supervisor_process.write_bytes(content)
    assert not RunClient(layout).supervised()
    assert refused(layout).startswith("no supervisor: ")


def test_a_run_whose_supervisor_was_killed(layout: RunLayout, socket: Path) -> None:
    with answering(socket), python("input()", stdin=subprocess.PIPE) as supervisor:
        identity = identify(supervisor.pid)
        assert identity is not None
        in_charge(layout, identity, socket)
        client = RunClient(layout)
        assert client.supervised()
        supervisor.kill()
        supervisor.wait()
        assert not client.supervised()
        assert refused(layout).startswith("no supervisor: ")


def test_a_stranger_with_the_supervisors_pid_is_not_asked(layout: RunLayout, socket: Path) -> None:
    own = own_identity()
    with answering(socket):
        in_charge(layout, ProcessIdentity(own.pid, own.start_ticks - 1, own.boot_id), socket)
        assert not RunClient(layout).supervised()
        assert refused(layout).startswith("no supervisor: ")


@pytest.mark.parametrize("where", ["/nonexistent/x.sock", "/tmp", "x" * 500, "a\0b"])
def test_a_supervisor_that_lives_and_does_not_listen(layout: RunLayout, where: str) -> None:
    """No attach would start another one before this one is gone: what is left are signals."""
    in_charge(layout, own_identity(), where)
    assert RunClient(layout).supervised()
    assert RunClient(layout).send(Ping()) == Reply(
        ok=False,
        message="no supervisor is there to take the request, though the supervisor lives: "
        f"try again, or `kill -INT {os.getpid()}` saves and stops the run; one that hangs is "
        f"replaced: `kill -KILL {os.getpid()}`, then timellm-ops attach {layout.run_id} starts one",
    )


def test_a_supervisor_that_could_open_no_socket(layout: RunLayout) -> None:
    in_charge(layout, own_identity(), "")
    assert RunClient(layout).send(Ping()) == Reply(
        ok=False,
        message=f"the supervisor has no socket; `kill -INT {os.getpid()}` saves and stops the run",
    )


def test_a_request_in_the_moment_of_the_end_is_told_of_the_end(layout: RunLayout) -> None:
    """The supervisor lives on for a moment, closing what it has open, its socket first."""
    in_charge(layout, own_identity(), "/nonexistent/closed.sock")
    journal = Journal.open(layout.journal)
    journal.append(RunEnded(outcome="finished", exit_code=0, reason="training finished"))
    journal.close()
    assert RunClient(layout).send(PauseRun()) == Reply(
        ok=False, message="the run has ended already: training finished"
    )
