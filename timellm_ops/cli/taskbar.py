"""A progress bar for engine work, on standard error and only where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from timellm_ops.contract.task import TaskProgress


@contextlib.contextmanager
def task_bar(starting: str) -> Iterator[Callable[[TaskProgress], None]]:
    """What to give `ask_engine` as `progress`; `starting` is shown until something is told."""
    if not sys.stderr.isatty():
        yield lambda _told: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(starting, total=None)
        showing = ""

        def told(progress: TaskProgress) -> None:
            nonlocal showing
            if progress.what != showing:
                bar.reset(task, description=progress.what)
                showing = progress.what
            bar.update(task, completed=progress.done, total=progress.total)

        yield told
