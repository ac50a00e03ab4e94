"""Memory that is given back and asked for again need not be made again."""

import subprocess
import sys

import pytest

ROUNDS = """
import resource
from timellm_engine.training.allocator import keep_freed_memory
kept = keep_freed_memory() if {keeps} else True
for number in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [bytearray(b"x") * (1 << 20) for _ in range(40)]
    made = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del pieces
print(int(kept), made)
"""


def faults_of_the_last_round(*, keeps: bool) -> int:
    """Pages that were made for 40 MiB, the fourth time."""
    command = [sys.executable, "-c", ROUNDS.format(keeps=keeps)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept, made = map(int, answer.split())
    if not kept:
        pytest.skip("the C library here is not glibc")
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    assert faults_of_the_last_round(keeps=True) < faults_of_the_last_round(keeps=False) / 10


HOLES = """
import resource
from timellm_engine.training.allocator import give_back_freed_memory, keep_freed_memory
keep_freed_memory()
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() >> 20
pieces, small = [], []
for number in range(64):
    pieces.append(bytearray(b"x") * (1 << 20))
    small.append(bytearray(b"x") * 1000)
pieces.clear()
before = resident()
given = give_back_freed_memory()
print(int(given), before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_what_loading_has_freed_is_given_back_between_things_that_stay() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", HOLES], capture_output=True, text=True, check=True
    ).stdout
    given, mib = map(int, answer.split())
    if not given:
        pytest.skip("the C library here is not glibc")
    assert mib > 50
