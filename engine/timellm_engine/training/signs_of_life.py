"""Whether a supervisor is there, as its engine can tell while it waits for a word from it."""

import contextlib
import fcntl
import math
import os
from pathlib import Path

import msgspec

from timellm_engine.clock import Clock
from timellm_ops.contract.control import Heartbeat
from timellm_ops.contract.layout import RunLayout

LONGEST_LOOK_S = 1.0
"""More time than this between two looks at the heartbeat is not the supervisor's silence: the
machine slept, with its clock going on, or this process was stopped."""


class SignsOfLife:
    """A supervisor writes a heartbeat each second, and holds its run's lock for as long as it is.

    A disk that takes nothing for minutes holds up the heartbeat; the lock needs no disk. So one
    that is silent and has its lock is given longer than one that has not. It is not given for ever:
    a process that is stopped, or waits for a share that never comes back, keeps its lock too.
    """

    def __init__(self, layout: RunLayout, clock: Clock) -> None:
        self._heartbeat, self._lock, self._clock = layout.heartbeat, layout.supervisor_lock, clock
        self._beat_t: float | None = None
        self._looked_t = -math.inf
        self.silent_s = 0.0
        """Seconds in which this engine has looked for a new heartbeat and there was none."""

    def begin(self) -> None:
        """Any silence begins now."""
        self.silent_s, self._looked_t = 0.0, self._clock.monotonic()

    def look(self) -> float:
        """Look for a heartbeat once more; `silent_s` since.

        One from the future is one of another boot of the machine: none at all. Where it cannot be
        read at this moment, the one before counts.
        """
        now = self._clock.monotonic()
        beat_t = self._beat_t
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            beat_t = msgspec.json.decode(self._heartbeat.read_bytes(), type=Heartbeat).t
        if beat_t is not None and beat_t <= now and beat_t != self._beat_t:
            self._beat_t, self.silent_s = beat_t, 0.0
        else:
            self.silent_s += min(LONGEST_LOOK_S, now - self._looked_t)
        self._looked_t = now
        return self.silent_s

    def is_held(self) -> bool:
        """Whether a living process has charge of the run, though it may be held up itself."""
        return _is_locked(self._lock)


def _is_locked(path: Path) -> bool:
    """Whether another process has the lock; `False` where nobody can tell.

    Where it is free it is taken for a moment, which a supervisor that comes waits out.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
