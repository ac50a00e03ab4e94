"""The control socket: for one user alone, whoever else knocks and whatever is sent."""

import json
import os
import resource
import shutil
import socket
import stat
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering import answering, taken
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE_S, python, until

from timellm_ops.contract.commands import PauseRun, Ping, Reply, ResumeRun, StopRun
from timellm_ops.control_socket import (
    MAX_CONNECTIONS,
    MAX_LINE_BYTES,
    ControlServer,
    PendingRequest,
    SupervisorGone,
    peer_uid,
    send_request,
    socket_path,
)

PING = b'{"type":"Ping"}\n'
PONG = b'{"ok":true,"message":"Ping of cli"}\n'

GARBAGE = [
    b"",
    b"ping",
    b"\x00\x01\x02",
    b"\xff\xfe",
    b"null",
    b"{}",
    b"[]",
    b'"Ping"',
    b'{"type":"Reboot"}',
    b'{"type":["Ping"]}',
    b'{"type":"Ping","who":7}',
    b'{"type":"Ping","who":"\xff"}',
    b'{"type":"\xff"}',
    b'{"type":"Ping","more":1}',
    b'{"type":"StopRun","mode":"gently"}',
    b'{"type":"SetPolicy"}',
    b'{"type":"SetPolicy","settings":[]}',
    b'{"type":"SetPolicy","settings":[' + b'"a=1",' * 64 + b'"a=1"]}',
    b'{"type":"SetPolicy","settings":"policy.vram.enabled=false"}',
    b'{"type":"ResumeRun","for_s":0}',
    b'{"type":"ResumeRun","for_s":-1}',
    b'{"type":"ResumeRun","for_s":86401}',
    b'{"type":"ResumeRun","for_s":1e400}',
    b'{"type":"Ping"',
    b'{"type":"' + b"x" * 60_000 + b'"}',
    b"[" * 60_000,
    b'{"x":' + b"[" * 60_000,
    b'{"a":' * 10_000,
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for a socket's path may not be long; and not below a folder that others cannot
    enter, for a test must be able to open it to them."""
    with tempfile.TemporaryDirectory(prefix="sock-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "private" / "run.sock"


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_S)
    client.connect(str(path))
    return client


def read_line(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        portion = client.recv(1 << 16)
        if not portion:
            break
        line += portion
    return line


def polled(server: ControlServer) -> list[PendingRequest]:
    return until(lambda: server.poll(0.05), "a request")


def polls_until_closed(server: ControlServer, client: socket.socket) -> bytes:
    """What a client is told before the server hangs up on it."""
    client.setblocking(False)
    said = b""

    def hung_up() -> bool:
        nonlocal said
        server.poll(0.01)
        try:
            portion = client.recv(1 << 16)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        said += portion
        return portion == b""

    until(hung_up, "the end of the connection")
    return said


def as_another_user(script: str, *arguments: object) -> str:
    """What `script` prints when it is run by nobody in particular."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    head = "import os, socket, sys\nos.setgid(65534)\nos.setuid(65534)\n"
    with python(head + script, *arguments, stdout=subprocess.PIPE) as child:
        said, _ = child.communicate(timeout=PATIENCE_S)
    return said.decode()


# --- who may -------------------------------------------------------------------------------------


def test_socket_and_folder_are_this_users_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        server = ControlServer(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(path.stat().st_mode)
    server.close()


def test_a_folder_that_stands_open_is_closed(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    ControlServer(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_is_not_ones_own_is_refused(path: Path, folder: Path) -> None:
    (folder / "real").mkdir()
    path.parent.symlink_to("real")
    with pytest.raises(PermissionError, match="not a folder of this user's own"):
        ControlServer(path)
    path.parent.unlink()
    path.parent.write_text("a file")
    with pytest.raises(PermissionError, match="not a folder of this user's own"):
        ControlServer(path)
    path.parent.unlink()
    if os.getuid() == 0:
        path.parent.mkdir()
        os.chown(path.parent, 65534, 65534)
        with pytest.raises(PermissionError, match="not a folder of this user's own"):
            ControlServer(path)


KNOCK = """
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
try:
    client.connect(sys.argv[1])
    client.sendall(b'{"type":"StopRun","mode":"kill"}\\n')
    print("answered", client.recv(1000))
except PermissionError:
    print("not let in")
except ConnectionError:
    print("hung up on")
"""


def test_a_runtime_folder_that_is_not_absolute_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path is read by commands that are given in other folders."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    for folder in ("here", "."):
        assert socket_path(tmp_path, {"XDG_RUNTIME_DIR": folder}).is_absolute()


def test_a_supervisor_without_a_free_descriptor_goes_on_and_hears_who_waits(path: Path) -> None:
    server, client = ControlServer(path), connected(path)
    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        assert server.poll(0.05) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    client.sendall(PING)
    (pending,) = polled(server)
    assert pending.request == Ping()
    client.close()
    server.close()


def test_another_user_cannot_reach_the_socket(path: Path, folder: Path) -> None:
    folder.chmod(0o755)
    with answering(path):
        assert as_another_user(KNOCK, path) == "not let in\n"


def test_another_user_who_reaches_it_all_the_same_is_not_heard(path: Path, folder: Path) -> None:
    """The rights of the folder are one lock, who is at the other end is another."""
    heard = []
    folder.chmod(0o755)
    with answering(path, lambda request: heard.append(request) or taken(request)):  # type: ignore[func-returns-value]
        path.parent.chmod(0o755)
        path.chmod(0o666)
        said = as_another_user(KNOCK, path)
        assert said in ("answered b''\n", "hung up on\n")
        assert send_request(path, Ping()).ok
    assert [type(request) for request in heard] == [Ping]


LISTEN = """
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
server.listen()
print("listening", flush=True)
peer, _ = server.accept()
print("heard", peer.recv(1000), flush=True)
"""


def test_a_request_is_not_told_to_another_users_server(folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    folder.chmod(0o777)
    path = folder / "theirs.sock"
    head = "import os, socket, sys\nos.setuid(65534)\n"
    with python(head + LISTEN, path, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"listening\n"
        with pytest.raises(SupervisorGone, match="belongs to another user"):
            send_request(path, StopRun(mode="kill"))
        assert child.stdout.readline() == b"heard b''\n"


def test_the_user_at_the_other_end_is_known() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()
    assert peer_uid(ours) == -1


# --- requests and replies ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [PauseRun(who="dashboard"), ResumeRun(), Ping(who="é\n"), StopRun(), StopRun(mode="now")],
    ids=repr,
)
def test_a_request_arrives_as_it_was_sent_and_is_answered(
    path: Path, request_: PauseRun | ResumeRun | Ping | StopRun
) -> None:
    heard = []

    def answer(request: object) -> Reply:
        heard.append(request)
        return Reply(ok=False, message="no: 85 °C\nand rising")

    with answering(path, answer):
        reply = send_request(path, request_)
    assert heard == [request_]
    assert reply == Reply(ok=False, message="no: 85 °C\nand rising")


def test_a_request_that_arrives_in_pieces_is_one_request(path: Path) -> None:
    server = ControlServer(path)
    with connected(path) as client:
        for byte in PING[:-1]:
            client.send(bytes([byte]))
            assert server.poll(0.005) == []
        client.send(b"\n")
        (pending,) = polled(server)
        assert pending.request == Ping()
    server.close()


def test_requests_sent_at_once_are_answered_in_their_order(path: Path) -> None:
    with answering(path), connected(path) as client:
        client.sendall(b'{"type":"PauseRun"}\nnonsense\n{"type":"Ping"}\n{"type":"ResumeRun"}\n')
        said = b""
        while said.count(b"\n") < 4:
            said += client.recv(1 << 16)
    answers = [json.loads(line) for line in said.splitlines()]
    assert [answer["message"] for answer in answers if answer["ok"]] == [
        "PauseRun of cli",
        "Ping of cli",
        "ResumeRun of cli",
    ]
    assert sum(not answer["ok"] for answer in answers) == 1


def test_a_shell_can_talk_to_it_too(path: Path) -> None:
    """A client may close its own half once it has asked: the answer still comes."""
    with answering(path), connected(path) as client:
        client.sendall(PING)
        client.shutdown(socket.SHUT_WR)
        assert read_line(client) == PONG


@pytest.mark.parametrize("line", GARBAGE, ids=lambda line: repr(line[:24]))
def test_garbage_is_answered_with_no_and_the_next_request_is_heard(path: Path, line: bytes) -> None:
    with answering(path), connected(path) as client:
        client.sendall(line + b"\n")
        answer = read_line(client)
        assert answer.endswith(b"\n")
        assert len(answer) < 1000
        assert json.loads(answer)["ok"] is False
        assert json.loads(answer)["message"].startswith("not a request: ")
        client.sendall(PING)
        assert read_line(client) == PONG


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_whatever_stop_the_server(noise: list[bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="sock-", dir="/tmp") as name:
        server = ControlServer(Path(name) / "s" / "x.sock")
        for portion in noise:
            with connected(server.path) as client:
                client.sendall(portion)
                server.poll(0.001)
            server.poll(0.001)
        with connected(server.path) as client:
            client.sendall(PING)
            pending = polled(server)
            assert [found.request for found in pending] == [Ping()]
        server.close()


def test_a_line_of_a_megabyte_is_refused_and_the_sender_hung_up_on(path: Path) -> None:
    server = ControlServer(path)
    with connected(path) as client:
        sender = threading.Thread(target=_send_anyway, args=(client, b"x" * (1 << 20) + b"\n"))
        sender.start()
        said = polls_until_closed(server, client)
        sender.join()
    assert said in (
        b"",  # its own unread bytes took the answer down with the connection
        b'{"ok":false,"message":"a line of more than %d bytes"}\n' % MAX_LINE_BYTES,
    )
    with connected(path) as client:
        client.sendall(PING)
        assert [pending.request for pending in polled(server)] == [Ping()]
    server.close()


def _send_anyway(client: socket.socket, content: bytes) -> None:
    for start in range(0, len(content), 1 << 14):
        portion = content[start : start + (1 << 14)]
        while portion:
            try:
                portion = portion[client.send(portion) :]
            except BlockingIOError:
                continue
            except OSError:
                return


# --- many clients, slow clients ------------------------------------------------------------------


def test_many_clients_at_once_are_all_answered(path: Path) -> None:
    answers: list[Reply] = []
    with answering(path):

        def ask(number: int) -> None:
            answers.append(send_request(path, Ping(who=f"client {number}"), timeout_s=PATIENCE_S))

        clients = [threading.Thread(target=ask, args=(n,)) for n in range(2 * MAX_CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert sorted(reply.message for reply in answers) == sorted(
        f"Ping of client {number}" for number in range(2 * MAX_CONNECTIONS)
    )


def test_clients_that_say_nothing_keep_nobody_out(path: Path) -> None:
    with answering(path):
        silent = [connected(path) for _ in range(MAX_CONNECTIONS + 8)]
        assert send_request(path, Ping(), timeout_s=PATIENCE_S).ok
        assert silent[0].recv(1) == b"", "the oldest makes room"
        for client in silent:
            client.close()
        assert send_request(path, Ping(), timeout_s=PATIENCE_S).ok


def test_a_client_that_never_reads_holds_nobody_up_and_is_dropped(path: Path) -> None:
    with answering(path, lambda _: Reply(ok=True, message="x" * 10_000)):
        with connected(path) as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            dropped = threading.Event()

            def ask_and_ask() -> None:
                try:
                    while True:
                        greedy.sendall(PING * 100)
                except OSError:
                    dropped.set()

            asker = threading.Thread(target=ask_and_ask)
            asker.start()
            assert len(send_request(path, Ping(), timeout_s=PATIENCE_S).message) == 10_000
            assert dropped.wait(PATIENCE_S)
            asker.join()
            # What did reach it is whole lines, and at most one that is torn.
            *lines, _ = _all_of(greedy).split(b"\n")
            assert {json.loads(line)["message"] for line in lines} == {"x" * 10_000}
        assert send_request(path, Ping(), timeout_s=PATIENCE_S).ok


def test_after_half_a_reply_there_is_nothing_but_the_end(path: Path) -> None:
    server = ControlServer(path)
    with connected(path) as client:
        client.sendall(PING * 1000)
        waiting: list[PendingRequest] = []
        while len(waiting) < 1000:
            waiting += polled(server)
        for pending in waiting[:500]:  # more than the connection holds
            pending.reply(Reply(ok=True, message="x" * 10_000))
        client.setblocking(False)
        said = b""
        while said.count(b"\n") < 3:
            said += client.recv(1 << 20)
        for pending in waiting[500:]:  # though there is room again
            pending.reply(Reply(ok=True, message="late"))
        said += polls_until_closed(server, client)
    *lines, torn = said.split(b"\n")
    assert 3 <= len(lines) < 500
    assert {json.loads(line)["message"] for line in lines} == {"x" * 10_000}
    assert b"late" not in torn
    server.close()


def _all_of(client: socket.socket) -> bytes:
    said = b""
    while True:
        try:
            portion = client.recv(1 << 16)
        except ConnectionError:
            return said
        if not portion:
            return said
        said += portion


def test_a_reply_to_whoever_has_gone_is_no_error(path: Path) -> None:
    server = ControlServer(path)
    for reset in (False, True):
        client = connected(path)
        client.sendall(PING)
        (pending,) = polled(server)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        pending.reply(Reply(ok=True))
        pending.reply(Reply(ok=True))
        server.poll(0.05)
    with connected(path) as client:
        client.sendall(PING)
        (pending,) = polled(server)
        client.close()
        server.poll(0.05)  # the server has seen the end
        pending.reply(Reply(ok=True))
    server.close()
    pending.reply(Reply(ok=True))


# --- the socket's own life -----------------------------------------------------------------------

SERVER = """
import sys
from pathlib import Path
from timellm_ops.control_socket import ControlServer
server = ControlServer(Path(sys.argv[1]))
print("listening", flush=True)
while True:
    server.poll(1.0)
"""


def test_the_socket_of_a_killed_supervisor_is_dead_and_can_be_taken_over(path: Path) -> None:
    with python(SERVER, path, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
    assert path.is_socket()
    with pytest.raises(SupervisorGone, match="no supervisor is there"):
        send_request(path, Ping())
    with answering(path):
        assert send_request(path, Ping()).ok


@pytest.mark.parametrize("left_over", ["file", "link"])
def test_whatever_lies_in_the_sockets_place_gives_way(path: Path, left_over: str) -> None:
    path.parent.mkdir(mode=0o700)
    if left_over == "file":
        path.write_text("left over")
    else:
        path.symlink_to("nowhere")
    with answering(path):
        assert send_request(path, Ping()).ok


def test_a_folder_in_the_sockets_place_is_an_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OSError, match=r"directory|Operation not permitted"):
        ControlServer(path)


def test_a_closed_server_takes_its_socket_along(path: Path) -> None:
    server = ControlServer(path)
    assert server.present()
    with connected(path) as client:
        server.poll(0.05)
        server.close()
        server.close()
        assert client.recv(10) == b""
    assert not path.exists()
    assert not server.present()
    with pytest.raises(SupervisorGone):
        send_request(path, Ping())


def test_a_socket_whose_folder_went_away_is_known_to_be_gone(path: Path) -> None:
    server = ControlServer(path)
    shutil.rmtree(path.parent)
    assert not server.present()
    assert server.poll(0.01) == []
    server.close()
    with answering(path):
        assert send_request(path, Ping()).ok


@pytest.mark.parametrize("answer", [b"", b"\n", b"pong\n", b"\xff\n", b"[" * 60_000 + b"\n", b"{}"])
def test_a_server_that_talks_nonsense_is_no_supervisor(folder: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(folder / "x.sock"))
        server.listen()

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SupervisorGone, match="no supervisor is there"):
            send_request(folder / "x.sock", Ping(), timeout_s=PATIENCE_S)
        thread.join()


def test_a_server_that_says_nothing_is_given_up_on(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(folder / "x.sock"))
        server.listen()
        with pytest.raises(SupervisorGone, match=r"did not answer within 0\.05 s"):
            send_request(folder / "x.sock", Ping(), timeout_s=0.05)


@pytest.mark.parametrize("name", ["none.sock", "x" * 200, "folder"])
def test_where_nobody_listens_there_is_no_supervisor(folder: Path, name: str) -> None:
    (folder / "folder").mkdir()
    with pytest.raises(SupervisorGone, match="no supervisor is there"):
        send_request(folder / name, Ping())


# --- where it is ---------------------------------------------------------------------------------


def test_a_runs_socket_is_in_the_users_runtime_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"XDG_RUNTIME_DIR": str(folder)}
    path = socket_path(folder / "runs" / "a", env)
    assert path.parent == folder / "timellm-ops"
    assert path != socket_path(folder / "runs" / "b", env)
    monkeypatch.chdir(folder)
    assert socket_path(Path("runs/a"), env) == path
    assert socket_path(Path("runs/../runs/a/"), env) == path


@pytest.mark.parametrize("runtime", ["", "relative", "/nonexistent", "/tmp/" + "x" * 200])
def test_without_a_usable_runtime_folder_it_is_in_the_users_own_below_tmp(runtime: str) -> None:
    path = socket_path(Path("/runs/a"), {"XDG_RUNTIME_DIR": runtime})
    assert path.parent == Path(f"/tmp/timellm-ops-{os.getuid()}")


def test_a_runtime_folder_that_makes_the_path_too_long_is_passed_over(folder: Path) -> None:
    for length in range(60, 90):
        runtime = folder / ("x" * length)
        runtime.mkdir()
        path = socket_path(Path("/runs/a"), {"XDG_RUNTIME_DIR": str(runtime)})
        if path.parent.parent == runtime:
            ControlServer(path).close()
        else:
            assert path.parent == Path(f"/tmp/timellm-ops-{os.getuid()}")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=300))
def test_no_runs_name_makes_the_path_too_long(name: str) -> None:
    path = socket_path(Path("/runs") / name, {})
    assert len(os.fsencode(path)) <= 103
