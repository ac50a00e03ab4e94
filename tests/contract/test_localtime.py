"""Local times by zone: what a day and a time mean there, and what is no time at all."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.localtime import moment_of, zone_of


def test_a_local_time_is_a_moment() -> None:
    assert moment_of("2026-02-01 07:00", "Europe/Berlin") == datetime(2026, 2, 1, 6, tzinfo=UTC)
    assert moment_of("2026-07-01 07:00", "Europe/Berlin") == datetime(2026, 7, 1, 5, tzinfo=UTC)
    assert moment_of("2026-02-01T07:00", "") == datetime(2026, 2, 1, 7, tzinfo=UTC)
    told = moment_of("2026-02-01T07:00+08:00", "Europe/Berlin")
    assert told == datetime(2026, 1, 31, 23, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first_one() -> None:
    assert moment_of("2026-10-25 02:30", "Europe/Berlin") == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_of(name) is None
    assert moment_of("2026-02-01 07:00", name) is None


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "0001-01-01T00:00+23:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment_of(text, "Europe/Berlin") is None


@given(text=st.text(max_size=30), zone=st.text(max_size=20))
def test_no_text_breaks_it(text: str, zone: str) -> None:
    moment = moment_of(text, zone)
    assert moment is None or moment.tzinfo is UTC
