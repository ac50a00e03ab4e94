"""Where requests to a supervisor come in, kept open for as long as the run lasts."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from timellm_ops.clock import Clock
from timellm_ops.control_socket import ControlServer, PendingRequest

_CHECK_EVERY_S = 5.0


class Reception:
    """The control socket, opened anew where it has vanished under the run.

    A login's runtime folder goes away with its last session, which a run outlives. `announce` is
    told the path each time, for whoever looks for the supervisor, and `None` where there is no
    socket: such a run goes on and is seen, but only signals can steer it. Closed until `open`.
    """

    def __init__(
        self, clock: Clock, path: Callable[[], Path], announce: Callable[[Path | None], None]
    ) -> None:
        self._clock = clock
        self._path = path
        self._announce = announce
        self._server: ControlServer | None = None
        self._checked_t = clock.monotonic()
        self.problem = ""
        """Why there is no socket; empty while there is one."""

    def wait(self, seconds: float) -> list[PendingRequest]:
        """The requests that have come, waiting up to `seconds` for the first."""
        now_t = self._clock.monotonic()
        if now_t - self._checked_t > _CHECK_EVERY_S:
            self._checked_t = now_t
            if self._server is None or not self._server.present():
                self.open()
        if self._server is None:
            self._clock.sleep(seconds)
            return []
        return self._server.poll(seconds)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def open(self) -> None:
        """Listen, anew where that was so already, and announce it."""
        self.close()
        path = self._path()
        try:
            self._server = ControlServer(path)
            self._announce(path)
        except OSError as error:
            self.problem = f"no control socket at {path}: {error.strerror or error}"
            with contextlib.suppress(OSError):
                self.close()
            with contextlib.suppress(OSError):
                self._announce(None)
            return
        self.problem = ""
