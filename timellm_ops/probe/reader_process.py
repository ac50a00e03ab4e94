"""The process that talks to NVML, seen from the one that started it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from timellm_ops.probe import queries
from timellm_ops.probe.answer import encode_limit

COMMAND = (sys.executable, "-P", "-m", "timellm_ops.probe.nvml_child")
_LOOK_S = 0.05
"""How long an ended process may go unnoticed while a line is waited for."""


class ReaderProcess:
    """The reader's process, its two pipes, none of which is ever waited for, and its notes."""

    def __init__(self, command: Sequence[str], left_out: Sequence[int] = ()) -> None:
        """Start it. Raises `OSError`."""
        self._notes = os.memfd_create("nvml-notes")
        os.write(self._notes, bytes([queries.NONE_UNDER_WAY]))
        noting = ("--note", str(self._notes), "--left-out", *map(str, left_out))
        try:
            self._process = subprocess.Popen(
                (*command, *noting),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(self._notes,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._notes)
            raise
        assert self._process.stdin is not None  # noqa: S101  (PIPE was asked for)
        assert self._process.stdout is not None  # noqa: S101
        self._requests = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._received = b""

    def request(self, query: int | None = None) -> None:
        """Ask for one answer, of a single query where it is of the kind that answers those.

        A process that is gone is found out through `how_it_ended`.
        """
        self._send(b"\n" if query is None else b"%d\n" % query)

    def limit_power(self, limit_w: float) -> None:
        """Ask for a power limit, in watts; its answer comes among the others."""
        self._send(encode_limit(limit_w))

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._requests, line)

    def read_line(self) -> bytes | None:
        """The next whole line, if it has arrived."""
        with contextlib.suppress(BlockingIOError):
            while received := os.read(self._answers, 65536):
                self._received += received
        line, end, rest = self._received.partition(b"\n")
        if not end:
            return None
        self._received = rest
        return line

    def wait_for_line(self, seconds: float) -> bytes | None:
        """The next whole line; `None` where none came in time or the process has ended."""
        give_up_t = time.monotonic() + seconds
        while (line := self.read_line()) is None:
            left_s = give_up_t - time.monotonic()
            if left_s <= 0.0 or self.how_it_ended() is not None:
                return self.read_line()
            select.select([self._answers], [], [], min(left_s, _LOOK_S))
        return line

    def how_it_ended(self) -> str | None:
        """`None` while it lives, else how it went, as the rest of a sentence."""
        code = self._process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"ended with code {code}"
        try:
            return f"crashed ({signal.Signals(-code).name})"
        except ValueError:
            return f"was ended by signal {-code}"

    def query_under_way(self) -> int | None:
        """The number of the query that it was asking when it last left a note."""
        (number,) = os.pread(self._notes, 1, 0)
        return number if number < len(queries.USED) else None

    def kill(self) -> None:
        """End it now; `reap` tells when it is gone."""
        self._process.kill()
        os.close(self._notes)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def reap(self) -> bool:
        """Whether nothing of it is left."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait until nothing of it is left, or `seconds` have passed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
