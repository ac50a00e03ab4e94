"""Every promise of docs/reliability.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| (\d+) \|(.*)\|$", (ROOT / "docs/reliability.md").read_text(encoding="utf-8"), re.MULTILINE
)
FAULTS = 28


def test_all_faults_are_there_in_their_order() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, FAULTS + 1))


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_the_tests_of_a_promise_exist(number: str, row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
    assert named, f"fault {number} has no test"
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"
