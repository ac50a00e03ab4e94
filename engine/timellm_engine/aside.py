"""Result files: written aside and renamed, so that a reader never sees half of one."""

import contextlib
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from timellm_engine.durable import aside_of, sync, why_not_written
from timellm_engine.errors import PreflightError

_ABANDONED_S = 3600.0
"""An unfinished file that nobody has written to for so long has no writer any more."""


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end.

    Raises `PreflightError` where that cannot be written; nothing is left of it then.
    """
    with _filled_aside(path) as aside:
        yield aside
        sync(aside)
        aside.replace(path)
        sync(path.parent)


def write_beside(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, or where that holds something else to `NAME-2`, `NAME-3`, ...

    Nothing that is there is changed, and a file that holds `data` already is not written again.
    Returns the file that holds it. Raises `PreflightError` where there cannot be one.
    """
    for number in count(1):
        name = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        if os.path.lexists(name):  # asked first: what is there then is all there
            if _holds(name, data):
                return name
            continue
        with _filled_aside(name) as aside:
            aside.write_bytes(data)
            sync(aside)
            if _named(aside, name):
                sync(name.parent)
                return name
        if _holds(name, data):
            return name
    raise AssertionError("there is always a number more")


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _named(aside: Path, name: Path) -> bool:
    """Give `aside` its name, unless another writer has just taken it. Raises `OSError`."""
    try:
        name.hardlink_to(aside)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        aside.rename(name)
    return True


@contextlib.contextmanager
def _filled_aside(path: Path) -> Iterator[Path]:
    """A new name beside `path`, of which nothing is left. Raises `PreflightError`."""
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield aside
    except OSError as error:
        reason = why_not_written(error, path.parent)
        raise PreflightError(f"{path}: found that it cannot be written; {reason}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _sweep(path: Path) -> None:
    """Remove what writers of `path` that were killed have left behind."""
    for left in path.parent.glob(".tmp-*"):
        if left.name.startswith(f".tmp-{path.name}-"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    left.unlink()
