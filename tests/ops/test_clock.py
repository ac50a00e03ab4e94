"""The system's clock: UTC, forward only, and the same for every process of the machine."""

import subprocess
import sys
from datetime import UTC, timedelta

from timellm_ops.clock import SystemClock

SCRIPT = "from timellm_ops.clock import SystemClock; print(SystemClock().monotonic())"


def test_wall_time_is_in_utc_whatever_the_machine_is_set_to() -> None:
    at = SystemClock().wall()
    assert at.tzinfo is UTC
    assert at.utcoffset() == timedelta(0)


def test_a_wait_ends_after_the_time_it_was_given() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.05)
    assert clock.monotonic() - before >= 0.05


def test_a_wait_of_less_than_nothing_is_none() -> None:
    SystemClock().sleep(-1.0)
    SystemClock().sleep(0.0)


def test_seconds_are_comparable_between_processes() -> None:
    """The journal, the heartbeat and a supervisor that takes over all rely on it."""
    clock = SystemClock()
    before = clock.monotonic()
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert before < float(said.stdout) < clock.monotonic()
