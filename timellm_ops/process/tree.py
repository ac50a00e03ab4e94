"""A process and everything it has started, children in sessions of their own included."""

import os
import signal
from collections.abc import Mapping

from timellm_ops.process.identity import ProcessIdentity, boot_id, send_signal
from timellm_ops.process.marks import who_has
from timellm_ops.process.table import ProcessEntry, read_table

_MAX_WALKS = 100
_UNTIL_STABLE = (signal.SIGSTOP, signal.SIGKILL)


def members(
    table: Mapping[int, ProcessEntry],
    root: ProcessIdentity,
    known: frozenset[ProcessIdentity] = frozenset(),
) -> dict[int, ProcessEntry]:
    """The entries of `table` that belong to `root`'s tree, parents before their children.

    Members are: `root` itself; who is in the session that `root` leads (an orphan whose parent
    has ended keeps its session); who of `known`, members seen earlier, still lives; and all
    descendants of these. Zombies are counted, for their descendants may live.
    """
    seeds = [i.pid for i in (root, *sorted(known, key=lambda i: i.pid)) if _is(table.get(i.pid), i)]
    if root.pid not in table or _is(table[root.pid], root):
        seeds += [e.pid for e in table.values() if e.session == root.pid]
    children: dict[int, list[ProcessEntry]] = {}
    for entry in table.values():
        children.setdefault(entry.parent, []).append(entry)
    found: dict[int, ProcessEntry] = {}
    waiting = [table[pid] for pid in seeds]
    while waiting:
        entry = waiting.pop(0)
        if entry.pid in found or entry.pid == os.getpid():
            continue
        found[entry.pid] = entry
        waiting += children.get(entry.pid, [])
    return found


def _is(entry: ProcessEntry | None, identity: ProcessIdentity) -> bool:
    return entry is not None and entry.start_ticks == identity.start_ticks


class ProcessTree:
    """The tree below one process. It remembers members, so that one who loses its parent and
    leads a session of its own is still found.

    `mark`: what the environment of every member holds, a `NAME=value`. Who has lost its parent
    before anybody looked, as the workers of a launcher that was killed, is found by it.
    """

    def __init__(self, root: ProcessIdentity, mark: str = "") -> None:
        self.root = root
        self._mark = mark
        self._known: frozenset[ProcessIdentity] = frozenset()
        self._cpu_s = 0.0

    def walk(self) -> list[ProcessEntry]:
        """The members that live now, parents first."""
        if self.root.boot_id != boot_id():
            return []
        return self._members(frozenset())

    def _members(self, marked: frozenset[ProcessIdentity]) -> list[ProcessEntry]:
        found = members(read_table(), self.root, self._known | marked)
        living = [entry for entry in found.values() if not entry.zombie]
        self._known = frozenset(_identity(entry) for entry in living)
        return living

    def signal(self, number: int) -> int:
        """Send a signal to every member; returns how many got it.

        SIGSTOP and SIGKILL are repeated until a walk finds nobody new, for a member may be
        starting another one at that moment. Others are sent once to who is there.
        """
        if self.root.boot_id != boot_id():
            return 0
        tried: set[ProcessIdentity] = set()
        reached = 0
        thorough = number in _UNTIL_STABLE
        for _ in range(_MAX_WALKS if thorough else 1):
            marked = who_has(self._mark) if thorough and self._mark else frozenset()
            new = [i for e in self._members(marked) if (i := _identity(e)) not in tried]
            if not new:
                break
            for identity in new:
                tried.add(identity)
                reached += send_signal(identity, number)
        return reached

    def cpu_seconds(self) -> float:
        """User and system seconds of all members so far. Never decreases."""
        self._cpu_s = max(self._cpu_s, sum(entry.cpu_s for entry in self.walk()))
        return self._cpu_s


def kill_tree(root: ProcessIdentity, mark: str = "") -> int:
    """SIGKILL `root` and everything below it, also where `root` itself is gone already."""
    return ProcessTree(root, mark).signal(signal.SIGKILL)


def _identity(entry: ProcessEntry) -> ProcessIdentity:
    return ProcessIdentity(pid=entry.pid, start_ticks=entry.start_ticks, boot_id=boot_id())
