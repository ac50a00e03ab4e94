"""The Unix socket of a supervisor: one JSON request a line in, one JSON reply a line out."""

import contextlib
import hashlib
import os
import selectors
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.paths import folder_below_tmp, private_folder, runtime_folder

MAX_LINE_BYTES = 1 << 16
MAX_CONNECTIONS = 32
_MAX_PATH_BYTES = 103
"""sun_path holds 108 bytes on Linux and 104 on macOS, with the final zero."""

_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_encoder = msgspec.json.Encoder()


class SupervisorGone(Exception):  # noqa: N818 - it says what happened
    """Nobody answers on the socket. The text is one line."""


def socket_path(run_root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """Where the socket of a run belongs: a short name that is the run folder's alone."""
    name = hashlib.sha256(str(run_root.resolve()).encode()).hexdigest()[:16] + ".sock"
    path = runtime_folder(env) / name
    return path if len(os.fsencode(path)) <= _MAX_PATH_BYTES else folder_below_tmp() / name


class PendingRequest:
    """A request that waits for its reply."""

    def __init__(self, request: AnyRequest, connection: "_Connection") -> None:
        self.request = request
        self._connection = connection

    def reply(self, reply: Reply) -> None:
        """Answer. Whoever has gone in the meantime is not an error."""
        self._connection.send(reply)


class ControlServer:
    """The supervisor's end. It has no thread: requests come out of `poll`."""

    def __init__(self, path: Path) -> None:
        """Listen on `path`, for this user alone. Raises `OSError`, and `PermissionError` for a
        folder that is not this user's own."""
        private_folder(path.parent)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            path.chmod(0o600)
            self._listener.listen()
            self._listener.setblocking(False)
        except BaseException:
            self._listener.close()
            raise
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._connections: list[_Connection] = []

    def poll(self, timeout_s: float = 0.0) -> list[PendingRequest]:
        """The requests that have come, waiting up to `timeout_s` for something to happen.

        What is not a request is answered here and now with `ok=False`.
        """
        for connection in tuple(self._connections):
            if connection.ended:
                self._drop(connection)
        found: list[PendingRequest] = []
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
            else:
                found += self._read(key.data)
        return found

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        if peer_uid(peer) not in (os.getuid(), 0):
            peer.close()
            return
        peer.setblocking(False)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._drop(self._connections[0])
        connection = _Connection(peer)
        self._connections.append(connection)
        self._selector.register(peer, selectors.EVENT_READ, connection)

    def _read(self, connection: "_Connection") -> list[PendingRequest]:
        found: list[PendingRequest] = []
        for line in connection.receive():
            try:
                request = _requests.decode(line)
            except (ValueError, RecursionError) as error:
                connection.send(Reply(ok=False, message=f"not a request: {error!s:.200}"))
            else:
                found.append(PendingRequest(request, connection))
        if connection.ended:
            self._drop(connection)
        return found

    def _drop(self, connection: "_Connection") -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.peer)
            connection.peer.close()

    def present(self) -> bool:
        """Whether the socket can still be found. A login's `XDG_RUNTIME_DIR` goes away with its
        last session, which a run outlives: listen anew then, and record the new path."""
        return self.path.is_socket()

    def close(self) -> None:
        """Stop listening, drop all connections and remove the socket. May be called twice."""
        for connection in tuple(self._connections):
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class _Connection:
    """One client."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.ended = False
        self._buffer = b""

    def receive(self) -> list[bytes]:
        """The lines that have come whole."""
        try:
            chunk = self.peer.recv(MAX_LINE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            chunk = b""
        if not chunk:
            self.ended = True
            return []
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        if len(self._buffer) > MAX_LINE_BYTES:
            self.send(Reply(ok=False, message=f"a line of more than {MAX_LINE_BYTES} bytes"))
            self.ended = True
        return lines

    def send(self, reply: Reply) -> None:
        """Write a reply. A client that does not read loses it, and is dropped: what came after
        half a line would mean nothing."""
        if self.ended:
            return
        try:
            self.peer.sendall(_encoder.encode(reply) + b"\n")
        except OSError:
            self.ended = True


def peer_uid(connected: socket.socket) -> int:
    """The user at the other end of a connected Unix socket; -1 where that is not known."""
    try:
        if sys.platform == "linux":
            size = struct.calcsize("3i")
            raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            return int(struct.unpack("3i", raw)[1])
        else:  # noqa: RET505 - mypy knows this branch by the platform
            return int(struct.unpack_from("=II", connected.getsockopt(0, 1, 76))[1])
    except (OSError, struct.error):
        return -1


def send_request(path: Path, request: AnyRequest, timeout_s: float = 5.0) -> Reply:
    """Ask the supervisor behind `path` and wait for its reply. Raises `SupervisorGone`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
            connected.settimeout(timeout_s)
            connected.connect(str(path))
            if peer_uid(connected) not in (os.getuid(), 0):
                raise SupervisorGone(f"{path} belongs to another user")
            connected.sendall(_encoder.encode(request) + b"\n")
            with connected.makefile("rb") as answers:
                line = answers.readline(MAX_LINE_BYTES)
        return msgspec.json.decode(line, type=Reply)
    except TimeoutError:
        raise SupervisorGone(f"the supervisor did not answer within {timeout_s:g} s") from None
    except (OSError, ValueError, RecursionError):
        raise SupervisorGone("no supervisor is there to take the request") from None
