"""Result files: written aside and renamed, so that a reader never sees half of one."""

import contextlib
import time
from collections.abc import Iterator
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
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield aside
        sync(aside)
        aside.replace(path)
        sync(path.parent)
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
