"""Work beside the screen, on its own event loop."""

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import WorkType


def begin_work(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str,
    exclusive: bool = False,
) -> None:
    """Begin `work`, which ends with `node` at the latest; `exclusive`: instead of the `group`'s.

    It is called when its turn has come. Work that is given up before, as on leaving, is never
    called; as a coroutine made already, it would be one that nobody awaits.
    """
    called: WorkType[None] = work
    node.run_worker(called, group=group, exclusive=exclusive)
