"""Where what somebody types leads in a log, and what is known of its times."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_dashboard.log.goto import (
    ByTime,
    Goal,
    ToClock,
    ToLine,
    ToShare,
    goal_of,
    moment_of,
)
from timellm_dashboard.log.times import LogTimes

CHINA = timezone(timedelta(hours=8))
LATEST = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
"""09:30 in China."""


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("12345", ToLine(12345)),
        (" 1,234,567 ", ToLine(1_234_567)),
        ("50%", ToShare(0.5)),
        ("2.5 %", ToShare(0.025)),
        ("-30m", ByTime(-1800)),
        ("+2h", ByTime(7200)),
        ("- 90 S", ByTime(-90)),
        ("+1d", ByTime(86_400)),
        ("-1h30m", ByTime(-5400)),
        ("2:13", ToClock(2, 13)),
        ("02:13:05", ToClock(2, 13, 5)),
        ("11-24 02:13", ToClock(2, 13, month=11, day=24)),
        ("2026-11-24T02:13:05", ToClock(2, 13, 5, month=11, day=24, year=2026)),
        ("02-29 00:00", ToClock(0, 0, month=2, day=29)),
        ("１１：０５", ToClock(11, 5)),
    ],
)
def test_what_leads_somewhere(text: str, goal: Goal) -> None:
    assert goal_of(text) == goal


@pytest.mark.parametrize(
    "text",
    ["", "x", "-5", "101%", "24:00", "02:60", "02:13:60", "13-01 02:13", "2026-02-29 02:13",
     "00-00 02:13", "30m", "1e9", "٣", "-5x", "9" * 30],
)  # fmt: skip
def test_what_leads_nowhere(text: str) -> None:
    assert goal_of(text) is None


@pytest.mark.parametrize("text", ["-999999d", "+999999d 999999h"])
def test_a_step_of_any_size_leads_to_a_moment(text: str) -> None:
    goal = goal_of(text)
    assert isinstance(goal, ByTime)
    assert abs(LATEST + timedelta(seconds=goal.seconds) - LATEST) > timedelta(days=36_000)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("09:30", "11-25 09:30:00"),
        ("09:31", "11-24 09:31:00"),
        ("23:05:07", "11-24 23:05:07"),
        ("11-20 23:05", "11-20 23:05:00"),
    ],
)
def test_a_time_without_a_day_is_the_last_one(text: str, moment: str) -> None:
    goal = goal_of(text)
    assert isinstance(goal, ToClock)
    assert f"{moment_of(goal, LATEST, CHINA):%m-%d %H:%M:%S}" == moment


def test_a_day_without_a_year_may_lie_in_an_earlier_one() -> None:
    assert moment_of(ToClock(1, 0, month=12, day=31), LATEST, CHINA).year == 2025
    assert moment_of(ToClock(1, 0, month=2, day=29), LATEST, CHINA).year == 2024
    assert moment_of(ToClock(1, 0, month=12, day=31, year=2026), LATEST, CHINA).year == 2026


@given(
    st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001
    st.times(),
)
def test_a_time_of_day_lies_within_the_day_before_the_latest(latest: datetime, clock: time) -> None:
    there = latest.replace(tzinfo=UTC)
    goal = goal_of(f"{clock:%H:%M:%S}")
    assert isinstance(goal, ToClock)
    begins = moment_of(goal, there, CHINA).replace(microsecond=0)
    assert timedelta(0) <= there - begins < timedelta(days=1)
    assert f"{begins:%H:%M:%S}" == f"{clock:%H:%M:%S}"


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), max_size=20))
def test_the_line_that_was_newest_at_a_time_had_been_printed_by_then(
    steps: list[tuple[int, int]],
) -> None:
    ends, at_s = [0], [1_000.0]
    for length, seconds in steps:
        ends.append(ends[-1] + length)
        at_s.append(at_s[-1] + seconds)
    times = LogTimes(ends[1:], at_s[1:])
    assert times.covered == ends[-1]
    for end in range(1, ends[-1] + 1):
        at = times.printed(end)
        assert at is not None
        assert times.byte_at(at) + 1 >= end
        assert times.byte_at(at - timedelta(seconds=0.5)) < end
    assert times.printed(ends[-1] + 1) is None


def test_more_than_a_day_is_told_from_less() -> None:
    assert not LogTimes((1, 2), (0.0, 86_399.0)).over_a_day
    assert LogTimes((1, 2), (0.0, 86_400.0)).over_a_day
    assert not LogTimes().over_a_day
    assert LogTimes().latest is None
