"""A process and everything it has started, children in sessions of their own included."""

import os
import signal
import time
from collections.abc import Mapping

from timellm_ops.process.identity import ProcessIdentity, boot_id, send_signal
from timellm_ops.process.marks import who_has
from timellm_ops.process.table import ProcessEntry, read_table, stands

_MAX_WALKS = 100
"""How many walks may each find somebody new: a tree that grows faster is not caught."""
_UNTIL_STABLE = (signal.SIGSTOP, signal.SIGKILL)
_STAND_WITHIN_S = 2.0
"""Far more than a fork takes, of a large process on a busy machine too."""
_NAP_S = 0.005


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
        return self._members()

    def _members(self, marked: frozenset[ProcessIdentity] = frozenset()) -> list[ProcessEntry]:
        found = members(read_table(), self.root, self._known | marked)
        living = [entry for entry in found.values() if not entry.zombie]
        self._known = frozenset(_identity(entry) for entry in living)
        return living

    def signal(self, number: int, stand_within_s: float = _STAND_WITHIN_S) -> int:
        """Send a signal to every member; returns how many got it.

        SIGSTOP and SIGKILL are repeated until a walk finds nobody new, for a member may be
        starting another one at that moment. Others are sent once to who is there; SIGCONT, as
        these two, also to who is known by the mark alone, for it may stand.

        SIGSTOP is acted on a little after it was sent, and never within a fork: who is in the
        middle of one finishes it first. So the last walk is one that began when everybody stood,
        with every thread. Who does not stand within `stand_within_s` is not waited for: a parent
        in vfork(2), whose child was stopped in there, stands as well as any other but is never
        listed so, and one that waits for a disk may take its time.
        """
        if self.root.boot_id != boot_id():
            return 0
        if number not in _UNTIL_STABLE:
            marked = self._marked() if number == signal.SIGCONT else frozenset()
            return sum(send_signal(_identity(entry), number) for entry in self._members(marked))
        reached: set[ProcessIdentity] = set()
        tried: set[ProcessIdentity] = set()
        give_up_t = time.monotonic() + stand_within_s
        walks_left = _MAX_WALKS
        settled = number != signal.SIGSTOP
        while walks_left:
            walked = [_identity(e) for e in self._members(self._marked())]
            new = [identity for identity in walked if identity not in tried]
            if not new and (settled or time.monotonic() > give_up_t):
                break
            walks_left -= bool(new)
            tried.update(new)
            reached.update(identity for identity in new if send_signal(identity, number))
            if number == signal.SIGSTOP:
                settled = all(stands(i.pid) for i in walked if i in reached)
                if not settled:
                    time.sleep(_NAP_S)
        return len(reached)

    def _marked(self) -> frozenset[ProcessIdentity]:
        return who_has(self._mark) if self._mark else frozenset()

    def cpu_seconds(self) -> float:
        """User and system seconds of all members so far. Never decreases."""
        self._cpu_s = max(self._cpu_s, sum(entry.cpu_s for entry in self.walk()))
        return self._cpu_s


def kill_tree(root: ProcessIdentity, mark: str = "") -> int:
    """SIGKILL `root` and everything below it, also where `root` itself is gone already."""
    return ProcessTree(root, mark).signal(signal.SIGKILL)


def _identity(entry: ProcessEntry) -> ProcessIdentity:
    return ProcessIdentity(pid=entry.pid, start_ticks=entry.start_ticks, boot_id=boot_id())
