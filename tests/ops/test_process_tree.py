"""Whole trees of real processes, stopped, continued and killed to the last member."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from families import (
    clear_away,
    family_argv,
    gone,
    members_of,
    moves,
    stands,
    wait_for,
)
from hypothesis import given
from hypothesis import strategies as st
from waiting import python, until

from timellm_ops.process.identity import ProcessIdentity, identify, is_alive
from timellm_ops.process.table import ProcessEntry
from timellm_ops.process.tree import ProcessTree, kill_tree, members

Family = dict[str, ProcessIdentity]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "family"
    where.mkdir()
    yield where
    clear_away(where)


@contextlib.contextmanager
def family(folder: Path, depth: int = 2) -> Iterator[tuple[subprocess.Popen[bytes], Family]]:
    """A root, two children and so on; half of them in sessions of their own."""
    with subprocess.Popen(family_argv(folder, depth), start_new_session=True) as root:
        try:
            yield root, members_of(folder, 2 ** (depth + 1) - 1)
        finally:
            root.kill()


def test_a_whole_tree_stops_goes_on_and_ends(folder: Path) -> None:
    with family(folder) as (root, everyone):
        tree = ProcessTree(everyone["root"])
        assert {entry.pid for entry in tree.walk()} == {i.pid for i in everyone.values()}
        assert tree.signal(signal.SIGSTOP) == 7
        wait_for(stands, everyone)
        assert tree.signal(signal.SIGCONT) == 7
        wait_for(moves, everyone)
        tree.signal(signal.SIGSTOP)
        wait_for(stands, everyone)
        assert tree.signal(signal.SIGKILL) == 7
        wait_for(gone, everyone)
        assert root.wait(timeout=60) == -signal.SIGKILL
    assert tree.walk() == []
    assert tree.signal(signal.SIGKILL) == 0


def test_members_come_before_their_children(folder: Path) -> None:
    with family(folder) as (_, everyone):
        walked = [entry.pid for entry in ProcessTree(everyone["root"]).walk()]
        assert walked[0] == everyone["root"].pid
        for name, identity in everyone.items():
            for kind in ("child", "apart"):
                below = everyone.get(f"{name}-{kind}")
                if below is not None:
                    assert walked.index(identity.pid) < walked.index(below.pid)
        ProcessTree(everyone["root"]).signal(signal.SIGKILL)


def test_a_child_that_left_the_session_is_still_known_when_its_parent_has_ended(
    folder: Path,
) -> None:
    with family(folder) as (root, everyone):
        tree = ProcessTree(everyone["root"])
        tree.walk()
        for name in ("root", "root-child", "root-apart"):
            os.kill(everyone[name].pid, signal.SIGKILL)
        root.wait(timeout=60)
        rest = {name: identity for name, identity in everyone.items() if name.count("-") == 2}
        until(lambda: len(tree.walk()) == 4, "the end of the first three")
        assert tree.signal(signal.SIGSTOP) == 4
        wait_for(stands, rest)
        assert tree.signal(signal.SIGKILL) == 4
        wait_for(gone, rest)


def test_who_is_left_in_the_session_is_killed_also_when_its_leader_is_gone(folder: Path) -> None:
    with family(folder, depth=1) as (root, everyone):
        root.kill()
        root.wait(timeout=60)
        assert is_alive(everyone["root-child"])
        assert kill_tree(everyone["root"]) == 1
        wait_for(gone, {"root-child": everyone["root-child"]})


def test_a_bystander_is_left_alone(folder: Path) -> None:
    with (
        family(folder, depth=1) as (_, everyone),
        python("import time; time.sleep(1000)", start_new_session=True) as bystander,
    ):
        other = identify(bystander.pid)
        assert other is not None
        kill_tree(everyone["root"])
        wait_for(gone, everyone)
        assert bystander.poll() is None
        assert moves(other)


def test_another_process_with_the_roots_pid_is_no_root(folder: Path) -> None:
    with family(folder, depth=1) as (_, everyone):
        root = everyone["root"]
        for stranger in (
            ProcessIdentity(root.pid, root.start_ticks - 1, root.boot_id),
            ProcessIdentity(root.pid, root.start_ticks, "another-boot"),
        ):
            assert kill_tree(stranger) == 0
            assert ProcessTree(stranger).walk() == []
        wait_for(moves, everyone)
        kill_tree(root)


MANY = """
import mmap, os, signal, sys, threading, time
folder, mib, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if mib:
    memory = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[0] = 1
    memory[::4096]
def many():
    while sys.stdin.readline():
        for _ in range(6):
            child = os.fork()
            if child == 0:
                time.sleep(1000)
                os._exit(0)
            with open(os.path.join(folder, str(child)), "w") as file:
                file.write(str(child))
            time.sleep(0.001)
    os.killpg(0, signal.SIGKILL)
if where == "thread":
    threading.Thread(target=many).start()
else:
    many()
time.sleep(1000)
"""
"""Starts six children for each line it reads, one a millisecond. When there will be no more lines,
it ends with all of them.

Pages that were only read cost no memory, but a fork has to copy where each is: with 1024 MiB of
them it is in the middle of a fork most of the time.

Not vfork, as `subprocess` uses: a parent that is stopped in there waits for its stopped child,
stands as well as any other, and is never listed as stopped."""


@contextlib.contextmanager
def growing(
    folder: Path, mib: int = 0, where: str = "main"
) -> Iterator[tuple[ProcessTree, Callable[[int], None]]]:
    """A tree, and what makes it grow by so many times six from then on."""
    with python(MANY, folder, mib, where, stdin=-1, start_new_session=True) as root:
        identity = identify(root.pid)
        assert identity is not None
        tree = ProcessTree(identity)

        def grow(times: int) -> None:
            """Return when the first of them is there."""
            assert root.stdin is not None
            count = len(tree.walk())
            root.stdin.write(b"\n" * times)
            root.stdin.flush()
            until(lambda: len(tree.walk()) > count, "another child")

        yield tree, grow
        assert tree.signal(signal.SIGKILL) > 1
        until(lambda: tree.walk() == [], "the end of everyone")


def test_a_tree_that_grows_meanwhile_is_ended_whole(folder: Path) -> None:
    with growing(folder) as (_, grow):
        grow(50)


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("mib", [0, 1024])
def test_a_tree_that_grows_meanwhile_stands_whole(folder: Path, mib: int, where: str) -> None:
    """Also the child whose fork was under way as its parent was told to stop, by whichever
    thread."""
    with growing(folder, mib, where) as (tree, grow):
        for _ in range(8):
            grow(1)
            reached = tree.signal(signal.SIGSTOP)
            everyone = tree.walk()
            assert reached == len(everyone)
            assert [entry for entry in everyone if not entry.stopped] == []
            assert tree.signal(signal.SIGCONT) == len(everyone)


SPAWNS = """
import os, sys
action = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[action])
"""
"""A parent in vfork(2): its child waits, before it becomes another program, for a pipe's writer."""


def test_a_parent_in_vfork_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with python(SPAWNS, pipe, start_new_session=True) as root:
        identity = identify(root.pid)
        assert identity is not None
        tree = ProcessTree(identity)
        until(lambda: len(tree.walk()) == 2, "the child")
        assert tree.signal(signal.SIGSTOP, stand_within_s=0.05) == 2
        parent, child = tree.walk()
        assert (parent.pid, child.parent) == (root.pid, root.pid)
        spawned = identify(child.pid)
        assert spawned is not None
        wait_for(stands, {"child": spawned})
        assert tree.signal(signal.SIGCONT) == 2
        with pipe.open("wb"):
            assert root.wait(timeout=60) == 0


WORK = """
import subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.3: pass"
for _ in range(2):
    subprocess.run([sys.executable, "-c", burn])
print("worked", flush=True)
child = subprocess.Popen([sys.executable, "-c", burn + "\\nprint('worked')\\ninput()"],
                         start_new_session=True)
child.wait()
input()
"""


def test_work_of_children_counts_also_after_they_have_ended() -> None:
    with python(WORK, stdin=-1, stdout=-1, start_new_session=True) as root:
        identity = identify(root.pid)
        assert identity is not None
        assert root.stdout is not None
        tree = ProcessTree(identity)
        seen = [tree.cpu_seconds()]
        for least in (0.6, 0.9):
            assert root.stdout.readline() == b"worked\n"
            seen.append(tree.cpu_seconds())
            # The system counts in hundredths of a second and leaves a few to nobody.
            assert seen[-1] > least * 0.8
        tree.signal(signal.SIGKILL)
        root.wait(timeout=60)
        seen.append(tree.cpu_seconds())
        assert seen == sorted(seen)
        assert seen[-1] == seen[-2], "what was counted stays counted"


def test_a_process_never_signals_itself(tmp_path: Path) -> None:
    """Even where the tree's root is its own parent."""
    script = (
        "import os, signal\n"
        "from timellm_ops.process.identity import identify\n"
        "from timellm_ops.process.tree import ProcessTree\n"
        "for pid in (os.getpid(), os.getppid()):\n"
        "    entries = ProcessTree(identify(pid)).walk()\n"
        "    assert os.getpid() not in [entry.pid for entry in entries], entries\n"
    )
    parent = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
    )
    with python(parent, script, start_new_session=True) as process:
        assert process.wait(timeout=60) == 0


# --- as a function of the table ------------------------------------------------------------------


def entry(pid: int, parent: int, session: int, start_ticks: int = 0) -> ProcessEntry:
    return ProcessEntry(
        pid=pid, parent=parent, session=session, start_ticks=start_ticks, cpu_s=0.0, zombie=False,
        stopped=False,
    )  # fmt: skip


pids = st.integers(2**23, 2**23 + 12)
tables = st.lists(
    st.builds(entry, pids, st.just(1) | pids, st.just(1) | pids, st.integers(0, 2)), max_size=12
).map(lambda entries: {found.pid: found for found in entries})
identities = st.builds(ProcessIdentity, pids, st.integers(0, 2), st.just("boot"))


@given(tables, identities, st.frozensets(identities, max_size=3))
def test_members_are_exactly_those_with_a_reason(
    table: dict[int, ProcessEntry], root: ProcessIdentity, known: frozenset[ProcessIdentity]
) -> None:
    found = members(table, root, known)
    named = {i.pid for i in (root, *known) if _matches(table, i)}
    root_is_another = root.pid in table and not _matches(table, root)
    in_session = {p for p, e in table.items() if e.session == root.pid and not root_is_another}
    wanted = named | in_session
    while True:
        grown = wanted | {p for p, e in table.items() if e.parent in wanted}
        if grown == wanted:
            break
        wanted = grown
    assert set(found) == wanted
    assert all(found[pid] is table[pid] for pid in found)


def _matches(table: dict[int, ProcessEntry], identity: ProcessIdentity) -> bool:
    return identity.pid in table and table[identity.pid].start_ticks == identity.start_ticks


@given(tables, identities)
def test_no_process_without_ties_is_ever_a_member(
    table: dict[int, ProcessEntry], root: ProcessIdentity
) -> None:
    lonely = entry(2**23 + 100, parent=1, session=2**23 + 100)
    assert lonely.pid not in members({**table, lonely.pid: lonely}, root)
