"""One holder at a time, across processes, however a holder ends."""

import subprocess
from pathlib import Path

import pytest
from waiting import python, until

from timellm_ops.process.identity import identify, is_alive
from timellm_ops.process.lock import FileLock

HOLDER = """
import subprocess, sys
from pathlib import Path
from timellm_ops.process.lock import FileLock
lock = FileLock.acquire(Path(sys.argv[1]))
if sys.argv[2:] == ["with-child"]:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=0, close_fds=False)
print("no" if lock is None else "yes", flush=True)
if sys.argv[2:] == ["with-child"]:
    print(child.pid, flush=True)
input()
"""


def holds(holder: subprocess.Popen[bytes]) -> bool:
    assert holder.stdout is not None
    return holder.stdout.readline() == b"yes\n"


def is_free(path: Path) -> bool:
    lock = FileLock.acquire(path)
    if lock is None:
        return False
    lock.release()
    return True


def test_only_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = FileLock.acquire(path)
    assert lock is not None
    assert FileLock.acquire(path) is None
    lock.release()
    lock.release()
    assert is_free(path)
    with FileLock.acquire(path) or pytest.fail("it is free"):
        assert not is_free(path)
    assert is_free(path)


def test_another_process_is_kept_out_until_the_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = FileLock.acquire(path)
    assert lock is not None
    with python(HOLDER, path, stdin=-1, stdout=-1) as other:
        assert not holds(other)
    lock.release()
    with python(HOLDER, path, stdin=-1, stdout=-1) as other:
        assert holds(other)
        assert not is_free(path)


def test_a_killed_holder_holds_nothing_though_its_child_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with python(HOLDER, path, "with-child", stdin=-1, stdout=-1) as holder:
        assert holds(holder)
        assert not is_free(path)
        assert holder.stdout is not None
        child = identify(int(holder.stdout.readline()))
        assert child is not None
        holder.kill()
        until(lambda: is_free(path), "the lock of the dead")
        assert is_alive(child)
        assert holder.stdin is not None
        holder.stdin.write(b"\n")  # which the child still waits for
        holder.stdin.flush()
        until(lambda: not is_alive(child), "the end of the child")


def test_a_lock_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock.acquire(tmp_path / "none" / "lock")
