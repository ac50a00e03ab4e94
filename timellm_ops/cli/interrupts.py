"""Ctrl+C and friends while lines are shown: passed on to the run, or the end of the showing."""

import signal
import sys
import time
from types import FrameType

from timellm_ops.client import RunClient
from timellm_ops.contract.commands import StopMode, StopRun

_LADDER: tuple[StopMode, ...] = ("checkpoint", "now", "kill")


class Interrupts:
    """Takes the signals over as soon as it is made, so that none is lost while a run begins.

    `owns_run`: SIGINT and SIGTERM are meant for the run (it was started here) and climb its stop
    ladder; otherwise they end the showing. SIGHUP, a terminal that has gone away, never touches
    the run.
    """

    def __init__(self, *, owns_run: bool) -> None:
        self._owns_run = owns_run
        self._count = 0
        self._passed_on = 0
        self._leave = False
        self.client: RunClient | None = None
        """Whom a stop is passed on to, once there is somebody."""
        signal.signal(signal.SIGINT, self._interrupted)
        signal.signal(signal.SIGTERM, self._interrupted)
        signal.signal(signal.SIGHUP, self._hung_up)

    def asked_to_leave(self) -> bool:
        """Whether the showing is to end."""
        return self._leave

    def sleep(self, seconds: float) -> None:
        """Wait, and pass on what has come meanwhile."""
        time.sleep(seconds)
        while self.client is not None and self._passed_on < self._count:
            mode = _LADDER[min(self._passed_on, len(_LADDER) - 1)]
            self._passed_on += 1
            reply = self.client.send(StopRun(who="terminal", mode=mode))
            again = " (Ctrl+C again: now)" if mode == "checkpoint" else ""
            sys.stderr.write(f"{reply.message}{again}\n")

    def _interrupted(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._owns_run:
            self._count += 1
        else:
            self._leave = True

    def _hung_up(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._leave = True
