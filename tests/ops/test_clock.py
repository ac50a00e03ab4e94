"""The system's clock: UTC, forward only, and the same for every process of the machine."""

import shutil
import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from timellm_ops.clock import SystemClock, machine_zone

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


SLEPT_S = 86_400
SLEPT = ["unshare", "--map-root-user", "--time", f"--boottime={SLEPT_S}"]
"""A machine whose boot was so much longer ago than it was awake, as after a closed lid: in a time
namespace of Linux that clock can be set."""


@pytest.mark.parametrize("package", ["timellm_ops", "timellm_engine"])
def test_time_in_which_the_machine_slept_is_none(package: str) -> None:
    """What watches for silence would take a closed lid for a hang otherwise."""
    seen = "import time; print(time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())"
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    possible = subprocess.run(
        [*SLEPT, sys.executable, "-c", seen], capture_output=True, text=True, check=False
    )
    if possible.returncode != 0 or float(possible.stdout) < SLEPT_S - 1.0:
        pytest.skip("a time namespace is not allowed here")
    script = f"from {package}.clock import SystemClock; print(SystemClock().monotonic())"
    said = subprocess.run([*SLEPT, sys.executable, "-c", script], capture_output=True, check=True)
    assert float(said.stdout) <= SystemClock().monotonic()


def test_the_machines_zone_is_found_where_a_system_keeps_it(tmp_path: Path) -> None:
    assert machine_zone({}, tmp_path) == ""
    (tmp_path / "timezone").write_text("Asia/Shanghai\n", encoding="ascii")
    assert machine_zone({}, tmp_path) == "Asia/Shanghai"
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert machine_zone({}, tmp_path) == "Europe/Berlin"
    assert machine_zone({"TZ": ":America/New_York"}, tmp_path) == "America/New_York"
    assert machine_zone({"TZ": "no/zone"}, tmp_path) == "Europe/Berlin"


def test_a_zone_that_is_no_name_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("../../etc/passwd\n", encoding="ascii")
    (tmp_path / "localtime").write_bytes(b"TZif")
    assert machine_zone({"TZ": "<+03>-3"}, tmp_path) == ""
