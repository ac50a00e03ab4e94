"""What whoever starts a supervisor is told when none comes up."""

import subprocess
import sys
from pathlib import Path

import pytest

from timellm_ops.app import _TAKEN, SupervisorFailed, _wait_until_in_charge
from timellm_ops.contract.layout import RunLayout


def waited_for(root: Path, code: int, *, adopting: bool = False) -> None:
    """Wait for a supervisor that ends with this exit code as it begins."""
    child = subprocess.Popen([sys.executable, "-S", "-c", f"raise SystemExit({code})"])
    _wait_until_in_charge(RunLayout(root), child, 60.0, adopting=adopting)


def test_who_starts_a_run_that_another_supervisor_has_is_told_how_to_watch_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(SupervisorFailed, match=f"timellm-ops attach {tmp_path.name}$"):
        waited_for(tmp_path, _TAKEN)


def test_who_starts_one_that_fails_is_told_where_it_says_why(tmp_path: Path) -> None:
    for adopting in (False, True):
        with pytest.raises(SupervisorFailed, match=r"code 4 as it began: see .*supervisor\.log"):
            waited_for(tmp_path, 4, adopting=adopting)


def test_who_adopts_one_that_somebody_else_has_adopted_is_told_of_no_fault(tmp_path: Path) -> None:
    waited_for(tmp_path, 0, adopting=True)
