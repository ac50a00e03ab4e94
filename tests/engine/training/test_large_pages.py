"""Memory that stays is put onto large pages: its bytes are the same, and no more of them."""

import subprocess
import sys

import pytest

GATHERED = """
import ctypes, mmap, resource
from timellm_engine.training.large_pages import gather_pages

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() >> 20

def on_large_pages():
    with open("/proc/self/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("AnonHugePages"))

held = mmap.mmap(-1, {mapped} << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.madvise(mmap.MADV_NOHUGEPAGE)
for place in range(0, {touched} << 20, 4096):
    held[place] = place // 4096 % 251
held.madvise(mmap.MADV_HUGEPAGE)
before, large = resident(), on_large_pages()
gathered = gather_pages()
same = all(held[place] == place // 4096 % 251 for place in range(0, {touched} << 20, 4096))
print(gathered >> 20, on_large_pages() - large >> 10, resident() - before, int(same))
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="large pages of Linux")


def gathered(mapped: int, touched: int) -> tuple[int, int, int, int]:
    """MiB that were said to be gathered, that are, that memory grew by; and whether it is whole."""
    command = [sys.executable, "-c", GATHERED.format(mapped=mapped, touched=touched)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said, large, grown, same = map(int, answer.split())
    return said, large, grown, same


@linux
def test_what_is_there_is_gathered_and_the_same_as_before() -> None:
    said, large, grown, same = gathered(mapped=96, touched=96)
    assert same
    if not said:
        pytest.skip("this kernel gathers no pages (Linux 6.1 and later do, where they are allowed)")
    assert said >= large >= 90
    assert grown <= 2


@linux
def test_what_has_never_been_touched_takes_no_memory() -> None:
    said, large, grown, same = gathered(mapped=96, touched=48)
    assert same
    assert large <= 48
    assert grown <= 2
    assert said <= 50


@linux
def test_small_pieces_are_left_alone() -> None:
    _, large, grown, same = gathered(mapped=32, touched=32)
    assert same
    assert large == 0
    assert grown <= 2
