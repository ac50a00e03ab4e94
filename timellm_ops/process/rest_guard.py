"""Lets processes move again when the one that stopped them for a moment is killed meanwhile.

A shell of its own session waits at the end of a pipe. It is told who stands; when the other end of
the pipe is closed, however that came about, it sends them SIGCONT, which does nothing to who moves.
"""

import contextlib
import subprocess
from collections.abc import Iterable

_GUARD = """
trap '' HUP INT TERM
standing=
while read -r pids; do standing=$pids; done
[ -z "$standing" ] || kill -CONT $standing 2>/dev/null
"""


class RestGuard:
    """One guard, started when it is first needed. A machine that cannot start it goes without."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def tell(self, pids: Iterable[int]) -> None:
        """These processes are about to stand; none: whoever stood moves, or is to stay as it is."""
        line = " ".join(map(str, pids))
        if self._shell is None:
            if not line:
                return
            with contextlib.suppress(OSError):
                self._shell = subprocess.Popen(
                    ["sh", "-c", _GUARD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        if self._shell is None or self._shell.stdin is None:
            return
        try:
            self._shell.stdin.write(f"{line}\n".encode())
            self._shell.stdin.flush()
        except OSError:  # it was killed: another one is started the next time
            self._drop()

    def close(self) -> None:
        """The guard ends, and whoever it was told of moves."""
        self._drop()

    def _drop(self) -> None:
        if self._shell is None:
            return
        with contextlib.suppress(OSError):
            if self._shell.stdin is not None:
                self._shell.stdin.close()
        self._shell.wait()
        self._shell = None
