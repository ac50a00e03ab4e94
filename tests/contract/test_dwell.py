"""The shortest length of a pause is said while it is what keeps the run standing, and only then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.dwell import until_told
from timellm_ops.contract.state import Hold

UNTIL = "resumes below 75 °C"


@pytest.mark.parametrize(
    ("least_s", "expected_s", "passed_s", "told"),
    [
        (30.0, None, 0.0, f"{UNTIL}, in 30 s at the earliest"),
        (30.0, None, 29.5, f"{UNTIL}, in 1 s at the earliest"),
        (30.0, 30.0, 4.2, f"{UNTIL}, in 26 s at the earliest"),
        (30.0, 200.0, 4.2, UNTIL),
        (30.0, None, 30.0, UNTIL),
        (None, None, 4.2, UNTIL),
        (30.0, None, None, UNTIL),
        (30.0, None, -900.0, UNTIL),
    ],
)
def test_it_is_told_while_nothing_else_decides(
    least_s: float | None, expected_s: float | None, passed_s: float | None, told: str
) -> None:
    assert until_told(UNTIL, least_s=least_s, expected_s=expected_s, passed_s=passed_s) == told


def test_it_is_told_where_nothing_else_is_known() -> None:
    assert until_told("", least_s=5.0, expected_s=None, passed_s=0.0) == "in 5 s at the earliest"


@given(least_s=st.floats(0.1, 1e5), passed_s=st.floats(0.0, 1e5))
def test_a_hold_tells_no_longer_than_it_can_last(least_s: float, passed_s: float) -> None:
    hold = Hold(rule="thermal", reason="hot", until=UNTIL, least_s=least_s, since_t=1_000.0)
    said = hold.until_at(1_000.0 + passed_s)
    assert (said != UNTIL) == (1_000.0 + passed_s - 1_000.0 < least_s)
    assert hold.until_at(None) == UNTIL
