"""The process table, read from real processes and from any bytes."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import python, until

from timellm_ops.process.table import ProcessEntry, parse_stat, read_entry, read_table

SLEEP = "import time; time.sleep(1000)"
BUSY = "while True: pass"

LINE = (
    b"%d (%b) %b 7 8 9 0 -1 4194304 100 200 0 0 11 22 33 44 20 0 1 0 123456 1000 200 "
    b"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0\n"
)

needs_procfs = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="there is no /proc here"
)


def entry_of(pid: int) -> ProcessEntry:
    entry = read_entry(pid)
    assert entry is not None
    return entry


def test_a_process_knows_itself() -> None:
    entry = entry_of(os.getpid())
    assert entry.pid == os.getpid()
    assert entry.parent == os.getppid()
    assert entry.session == os.getsid(0)
    assert not entry.zombie
    assert not entry.stopped


def test_a_child_has_its_parent_and_a_session_of_its_own() -> None:
    with python(SLEEP, start_new_session=True) as child:
        entry = entry_of(child.pid)
        assert (entry.parent, entry.session) == (os.getpid(), child.pid)
        assert entry.start_ticks >= entry_of(os.getpid()).start_ticks
        assert read_table()[child.pid].start_ticks == entry.start_ticks


def test_a_child_that_nobody_waits_for_is_a_zombie_and_then_nothing() -> None:
    with python("") as child:
        until(lambda: entry_of(child.pid).zombie, "the end of the child")
        assert not entry_of(child.pid).stopped
        child.wait()
        assert read_entry(child.pid) is None


def test_a_suspended_child_is_stopped_until_it_is_continued() -> None:
    with python(SLEEP) as child:
        child.send_signal(signal.SIGSTOP)
        until(lambda: entry_of(child.pid).stopped, "the stop")
        child.send_signal(signal.SIGCONT)
        until(lambda: not entry_of(child.pid).stopped, "the continuation")


def test_seconds_of_work_are_counted_and_kept_after_a_child_has_ended() -> None:
    with python(BUSY) as child:
        until(lambda: entry_of(child.pid).cpu_s > 0.2, "a fifth of a second of work")
    own = entry_of(os.getpid()).cpu_s  # which has waited for that child
    assert own > 0.2


@pytest.mark.parametrize("pid", [2**22 + 1, 2**31 - 1, 2**40, 0, -1])
def test_there_is_no_entry_where_there_is_no_process(pid: int) -> None:
    assert read_entry(pid) is None


@needs_procfs
@pytest.mark.parametrize("name", ["a) R (b", "  ", ") S 1 (", "x\ny", "(((", "1 (2) 3"])
def test_a_program_may_have_any_name(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "1000"]) as child:
        try:
            until(lambda: entry_of(child.pid).parent == os.getpid(), "the child")
            until(lambda: name[:15] in Path(f"/proc/{child.pid}/comm").read_text(), "its name")
            entry = entry_of(child.pid)
            assert (entry.pid, entry.parent) == (child.pid, os.getpid())
            assert entry.session == os.getsid(0)
            assert not entry.zombie
        finally:
            child.kill()


@given(
    st.integers(1, 2**22),
    st.binary(max_size=40),
    st.sampled_from([b"R", b"S", b"D", b"Z", b"X", b"T", b"t", b"I"]),
)
def test_no_name_hides_the_fields_behind_it(pid: int, name: bytes, state: bytes) -> None:
    entry = parse_stat(LINE % (pid, name, state))
    assert entry == ProcessEntry(
        pid=pid,
        parent=7,
        session=9,
        start_ticks=123456,
        cpu_s=(11 + 22 + 33 + 44) / os.sysconf("SC_CLK_TCK"),
        zombie=state in (b"Z", b"X"),
        stopped=state in (b"T", b"t"),
    )


@given(
    st.binary(max_size=200) | st.integers(0, 120).map(lambda cut: (LINE % (1, b"x", b"R"))[:cut])
)
def test_what_is_no_line_of_the_table_is_nothing(line: bytes) -> None:
    entry = parse_stat(line)
    assert entry is None or isinstance(entry, ProcessEntry)
    if b")" not in line:
        assert entry is None


def test_the_whole_table_holds_this_process_and_its_parent() -> None:
    table = read_table()
    assert {os.getpid(), os.getppid()} <= set(table)
    assert all(pid == entry.pid for pid, entry in table.items())


def test_the_table_without_procfs_agrees() -> None:
    """What macOS gets, compared on a platform that has both."""
    from timellm_ops.process.table import _entry_from_psutil

    with python(SLEEP, start_new_session=True) as child:
        theirs, ours = _entry_from_psutil(child.pid), entry_of(child.pid)
        assert theirs is not None
        assert (theirs.pid, theirs.parent, theirs.session) == (ours.pid, ours.parent, ours.session)
        assert theirs.start_ticks == _entry_from_psutil(child.pid).start_ticks  # type: ignore[union-attr]
        child.send_signal(signal.SIGSTOP)
        until(lambda: entry_of(child.pid).stopped, "the stop")
        assert (found := _entry_from_psutil(child.pid)) is not None
        assert found.stopped
        child.kill()
        until(lambda: entry_of(child.pid).zombie, "the end")
        assert (found := _entry_from_psutil(child.pid)) is not None
        assert found.zombie
    assert _entry_from_psutil(child.pid) is None
