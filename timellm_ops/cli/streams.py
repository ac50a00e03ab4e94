"""The three streams of a command: whatever they are, nobody gets to see a traceback for it."""

import contextlib
import errno
import io
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare_streams() -> None:
    """Make sure that each stream is there and can take every character that is written to it.

    Standard error also takes what cannot be written: a full disk behind it, or nobody who reads
    it, changes nothing of what a command does, nor its exit code.
    """
    nothing = Path(os.devnull)
    # In this order each gets its own number, which no other file may have.
    if sys.stdin is None:
        sys.stdin = nothing.open(encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = nothing.open("w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nothing.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no "°", and a file name that is not UTF-8, are shown as codes.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = _forgiving(sys.__stderr__)


def _forgiving(stream: TextIO) -> TextIO:
    """The same stream, but that it is given up where it cannot be written to."""
    try:
        raw = _Forgiving(stream.fileno(), "wb", closefd=False)
    except (OSError, ValueError):  # it is no file
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True
    )


_PATIENCE_S = 1.0
"""A slow reader of standard error is waited for so long."""


class _Forgiving(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        """All of it, if only to nowhere: Python would try again at exit, and complain itself."""
        try:
            written = super().write(data)
            if written is None:  # it may not block, and whoever reads it is not as fast
                select.select([], [self], [], _PATIENCE_S)
                written = super().write(data)
        except OSError:
            _give_up(self.fileno())
            written = None
        return memoryview(data).nbytes if written is None else written


_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def output_problem(met: OSError | None = None) -> OSError | None:
    """Write out what is left of the output; what hinders it, `None` where nothing does.

    `met` is an error that may be of the output: a line end more tells.
    """
    try:
        sys.stdout.flush()
        if met is not None and met.filename is None and met.errno in _OF_WRITING:
            sys.stdout.write("\n")
            sys.stdout.flush()
    except OSError as error:
        return error
    return None


def give_up_output() -> None:
    """Write no more: Python would complain once more at exit."""
    with contextlib.suppress(OSError, ValueError):
        _give_up(sys.stdout.fileno())


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"timellm-ops: {text}\n")


def _give_up(number: int) -> None:
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        if nothing != number:  # it had been closed
            os.dup2(nothing, number)
            os.close(nothing)
