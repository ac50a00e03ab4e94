"""The stress script, shortened: kills at random instants leave no trace in the result."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_resume.py"


@pytest.mark.slow
def test_killed_and_resumed_a_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    options = ["--runs", "1", "--kills", "2", "--seed", "3", "--variants", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "--keep", str(tmp_path)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "same bits" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("0 that differ")
