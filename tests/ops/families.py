"""Real families of processes to stop, continue and kill."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from waiting import until

from timellm_ops.process.identity import ProcessIdentity, identify, is_alive
from timellm_ops.process.table import read_entry

FAMILY = """
import os, subprocess, sys, time
folder, name, depth = sys.argv[1], sys.argv[2], int(sys.argv[3])
if depth:
    again = [sys.executable, "-c", sys.argv[4], folder]
    subprocess.Popen([*again, name + "-child", str(depth - 1), sys.argv[4]])
    subprocess.Popen(
        [*again, name + "-apart", str(depth - 1), sys.argv[4]], start_new_session=True
    )
with open(os.path.join(folder, "." + name), "w") as file:
    file.write(str(os.getpid()))
os.rename(os.path.join(folder, "." + name), os.path.join(folder, name))
for _ in range(6000):
    time.sleep(0.05)
"""
"""A process with a child and a child in a session of its own, each with children of the same two
kinds, down to a depth. Each leaves its pid in a file."""


def family_argv(folder: Path, depth: int = 2) -> list[str]:
    """The command that starts a family, whose head is called `root`."""
    return [sys.executable, "-c", FAMILY, str(folder), "root", str(depth), FAMILY]


def members_of(folder: Path, count: int) -> dict[str, ProcessIdentity]:
    """The members by name, once so many are there."""

    def all_there() -> dict[str, ProcessIdentity] | None:
        found = {}
        for path in folder.iterdir():
            if not path.name.startswith("."):
                identity = identify(int(path.read_text()))
                assert identity is not None
                found[path.name] = identity
        return found if len(found) == count else None

    found = until(all_there, f"a family of {count}")
    assert found is not None
    return found


def stands(identity: ProcessIdentity) -> bool:
    """Whether the process is suspended."""
    entry = read_entry(identity.pid)
    return entry is not None and entry.start_ticks == identity.start_ticks and entry.stopped


def moves(identity: ProcessIdentity) -> bool:
    """Whether the process lives and is not suspended."""
    return is_alive(identity) and not stands(identity)


def wait_for(look: Callable[[ProcessIdentity], bool], who: dict[str, ProcessIdentity]) -> None:
    """Wait until all of them are as `look` says."""
    until(lambda: all(map(look, who.values())), f"{look.__name__} of {sorted(who)}")


def gone(identity: ProcessIdentity) -> bool:
    """Whether the process has ended."""
    return not is_alive(identity)


def clear_away(folder: Path) -> None:
    """Kill every process that left its pid in `folder`."""
    for path in folder.iterdir():
        with contextlib.suppress(ValueError, OSError):
            os.kill(int(path.read_text()), signal.SIGKILL)
