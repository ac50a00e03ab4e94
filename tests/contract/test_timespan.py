"""A length of time as people type it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.timespan import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45m", 2_700),
        ("45 min", 2_700),
        ("2H", 7_200),
        ("1h30m", 5_400),
        (" 1 h 30 m ", 5_400),
        ("1.5 h", 5_400),
        ("90s", 90),
        ("1d", 86_400),
        ("2 days 3 hours", 183_600),
        ("0s", 0),
    ],
)
def test_it_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "45", "-5m", "m", "5m later", "30m 1h", "9" * 9])
def test_what_is_none_is_none(text: str) -> None:
    assert seconds_of(text) is None


@given(st.text(alphabet="0123456789.dhms+- in", max_size=30))
def test_whatever_is_typed_it_is_finite_and_not_negative_or_none(text: str) -> None:
    found = seconds_of(text)
    assert found is None or 0.0 <= found < 1e12
