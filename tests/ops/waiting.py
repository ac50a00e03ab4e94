"""Waiting for what must come, with far more patience than a slow machine needs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

PATIENCE_S = 90.0
"""How long a test waits for something that must come. Never how long something takes."""

Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str = "what was awaited") -> Found:
    """The first result of `look` that is true."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come within {PATIENCE_S:g} s")


@contextmanager
def python(script: str, *arguments: object, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that runs `script`; it is gone afterwards, whatever happens."""
    argv = [sys.executable, "-c", script, *map(str, arguments)]
    child: subprocess.Popen[bytes] = subprocess.Popen(argv, **options)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()
