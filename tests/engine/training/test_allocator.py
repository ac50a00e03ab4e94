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
