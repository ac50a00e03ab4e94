"""How long an engine's threads waited for a processor that another had, by the kernel's count.

Two windows of one engine differ in speed by more than watching costs: neighbours on the machine
come and go. What its threads waited in the queue of the scheduler is of this machine's processes
alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Thread(NamedTuple):
    """What a thread has had so far, in seconds."""

    ran_s: float
    waited_s: float


def threads_of(pid: int) -> dict[str, Thread]:
    """The threads of a process by their numbers; of Linux."""
    found = {}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        ran_ns, waited_ns, _ = map(int, (folder / "schedstat").read_text().split())
        found[folder.name] = Thread(ran_ns / 1e9, waited_ns / 1e9)
    return found


def share_waited(
    before: Mapping[str, Thread], after: Mapping[str, Thread], seconds: float
) -> float:
    """The share of `seconds` in which one of the threads that compute waited: where one does, the
    others wait for it. The waiting of all of them together, as if it never were at once."""
    made = {
        number: Thread(now.ran_s - then.ran_s, now.waited_s - then.waited_s)
        for number, now in after.items()
        if (then := before.get(number)) is not None
    }
    busiest_s = max(thread.ran_s for thread in made.values())
    return sum(t.waited_s for t in made.values() if t.ran_s > busiest_s / 2) / seconds
