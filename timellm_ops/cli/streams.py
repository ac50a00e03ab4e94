"""The three streams of a command: whatever they are, nobody gets to see a traceback for it."""

import contextlib
import errno
import io
import os
import sys
from pathlib import Path
from typing import TextIO


def prepare_streams() -> None:
    """Make sure that each stream is there and can take every character that is written to it."""
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
    _give_up(sys.stdout)


def complain(text: str) -> None:
    """One line on standard error, if that can be written to."""
    tell(f"timellm-ops: {text}\n")


def tell(text: str) -> None:
    """Text on standard error as it is, if that can be written to."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # Python tries again at exit, and ends with a code of its own where that fails too.
        _give_up(sys.stderr)


def _give_up(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
