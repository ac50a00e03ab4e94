"""Quiet hours by the clock on the wall, through changes of that clock, and a deadline."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_run import WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import ScheduleSection
from timellm_policies.schedule import _worked_until, quiet_hours

BERLIN = "Europe/Berlin"


def quiet(begin: str, end: str, zone: str = "UTC") -> ScheduleSection:
    return ScheduleSection(quiet_from=begin, quiet_until=end, timezone=zone)


def watched(section: ScheduleSection, began: datetime) -> WatchedRun:
    return WatchedRun(gpu="none", policy=PolicySection(schedule=section), began=began)


def test_a_run_stands_still_in_quiet_hours_and_goes_on_after_them() -> None:
    run = watched(quiet("22:30", "07:00", BERLIN), datetime(2026, 1, 31, 20, 0, tzinfo=UTC))
    moves = run.waits(86_400.0, every_s=60.0)
    assert actions(moves) == ["schedule pause", "schedule resume"]
    pause, resume = moves
    assert pause.at == datetime(2026, 1, 31, 21, 30, tzinfo=UTC)
    assert pause.until == "resumes at 07:00"
    assert pause.expected_s == 8.5 * 3600.0
    assert resume.at == datetime(2026, 2, 1, 6, 0, tzinfo=UTC)


def test_without_a_clock_on_the_wall_nothing_is_decided() -> None:
    run = watched(quiet("00:00", "23:59"), datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    from timellm_policies import decide

    assert decide(run.policy, run.state, run.recent, run.t) == ()
    assert actions(run.decides()) == ["schedule pause"]


@pytest.mark.parametrize(
    ("begin", "end", "day", "expected_utc"),
    [
        ("22:30", "07:00", "2026-03-28", ("2026-03-28T21:30", "2026-03-29T05:00")),  # an hour less
        ("22:30", "07:00", "2026-10-24", ("2026-10-24T20:30", "2026-10-25T06:00")),  # an hour more
        ("02:30", "05:00", "2026-03-29", ("2026-03-29T01:00", "2026-03-29T03:00")),  # begin skipped
        ("01:00", "02:30", "2026-03-29", ("2026-03-29T00:00", "2026-03-29T01:00")),  # end skipped
        ("02:30", "05:00", "2026-10-25", ("2026-10-25T00:30", "2026-10-25T04:00")),  # begin twice
        ("01:00", "02:30", "2026-10-25", ("2026-10-24T23:00", "2026-10-25T01:30")),  # end twice
    ],
)
def test_when_the_clocks_change_quiet_hours_are_one_stretch(
    begin: str, end: str, day: str, expected_utc: tuple[str, str]
) -> None:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in expected_utc)
    section, second = quiet(begin, end, BERLIN), timedelta(seconds=1)
    assert quiet_hours(section, first) == (first, last)
    assert quiet_hours(section, last - second) == (first, last)
    assert quiet_hours(section, last) is None
    assert quiet_hours(section, first - second) is None
    assert first.astimezone(ZoneInfo(BERLIN)).date().isoformat() == day


ZONES = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Asia/Shanghai", "Asia/Kathmandu", "Australia/Lord_Howe",
     "Pacific/Apia", "America/St_Johns"]
)  # fmt: skip
CLOCKS = st.times().map(lambda clock: f"{clock:%H:%M}")
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=38 * 365)).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since
)


@given(zone=ZONES, begin=CLOCKS, end=CLOCKS, at=MOMENTS)
def test_quiet_hours_are_where_they_are_said_to_be_and_end_when_they_are_said_to(
    zone: str, begin: str, end: str, at: datetime
) -> None:
    section = quiet(begin, end, zone)
    found = quiet_hours(section, at)
    if found is None:
        return
    first, last = found
    assert first <= at < last
    assert last - first <= timedelta(hours=26)
    assert quiet_hours(section, first) == found
    assert quiet_hours(section, last - timedelta(milliseconds=1)) == found


@given(zone=ZONES, begin=CLOCKS, end=CLOCKS, at=MOMENTS)
def test_away_from_changes_of_the_clock_it_is_quiet_by_the_time_of_day(
    zone: str, begin: str, end: str, at: datetime
) -> None:
    place = ZoneInfo(zone)
    day = timedelta(days=1)
    offsets = {(at + k * day).astimezone(place).utcoffset() for k in (-2, -1, 0, 1, 2)}
    if len(offsets) > 1:
        return
    clock = f"{at.astimezone(place):%H:%M}"
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    assert (quiet_hours(quiet(begin, end, zone), at) is not None) == (inside and begin != end) or (
        begin == end
    )


# --- the deadline --------------------------------------------------------------------------------


def to_end_by(
    deadline: str, left_s: float, records: int = 12, quiet_from: str = "", quiet_until: str = ""
) -> WatchedRun:
    section = ScheduleSection(
        deadline=deadline, timezone=BERLIN, quiet_from=quiet_from, quiet_until=quiet_until
    )
    run = watched(section, datetime(2026, 1, 31, 20, 0, tzinfo=UTC))
    for i in range(records):
        run.t += 10.0
        run.happens(
            ev.Progress(
                iteration=i + 1, epoch=1, loss=0.5, seconds_per_iteration=1.0, left_seconds=left_s
            )
        )
        run.decides()
    return run


def test_a_run_that_will_be_late_is_told_of_once() -> None:
    run = to_end_by("2026-02-01 07:00", left_s=12 * 3600.0)
    (alert,) = run.decisions
    assert (alert.rule, alert.action, alert.unit) == ("schedule", "alert", "min late")
    assert alert.value == pytest.approx(120.0, abs=5.0)
    assert "2026-02-01 09:0" in alert.reason
    assert "after the deadline, 2026-02-01 07:00" in alert.reason


def test_a_run_that_will_be_in_time_is_not() -> None:
    assert to_end_by("2026-02-01 07:00", left_s=9 * 3600.0).decisions == []
    assert to_end_by("2026-02-01T07:00+00:00", left_s=10.8 * 3600.0).decisions == []


def test_the_first_estimates_are_not_believed() -> None:
    assert to_end_by("2026-02-01 07:00", left_s=90 * 3600.0, records=9).decisions == []


def test_the_time_that_a_run_has_stood_still_is_counted_as_to_come() -> None:
    run = to_end_by("2026-02-01 07:00", left_s=9 * 3600.0)
    run.happens(ev.Command(who="me", what="pause"), ev.Paused())
    run.t += 600.0
    run.happens(ev.Command(who="me", what="resume"), ev.Resumed())
    assert actions(run.decides()) == ["schedule alert"]


def test_quiet_hours_to_come_are_counted() -> None:
    """Nine hours of work, begun at 21:00: half an hour today, the rest from 07:00 on."""
    quiet_night = {"quiet_from": "21:30", "quiet_until": "07:00"}
    late = to_end_by("2026-02-01 15:00", 9 * 3600.0, **quiet_night)
    assert actions(late.decisions) == ["schedule alert"]
    assert "2026-02-01 15:3" in late.decisions[0].reason
    assert to_end_by("2026-02-01 15:40", 9 * 3600.0, **quiet_night).decisions == []


QUARTER = timedelta(minutes=15)
QUARTERS = st.integers(0, 95).map(lambda n: f"{n // 4:02d}:{n % 4 * 15:02d}")


@given(
    begin=QUARTERS,
    end=QUARTERS,
    began=st.integers(0, 1_000_000).map(lambda n: datetime(2005, 1, 1, tzinfo=UTC) + n * QUARTER),
    zone=ZONES,
    work_h=st.floats(0.0, 30.0),
)
@settings(max_examples=40)
def test_the_work_before_an_estimated_end_is_all_of_it(
    begin: str, end: str, began: datetime, zone: str, work_h: float
) -> None:
    """Clocks change on quarters of an hour too, so that each of them is quiet or is not."""
    section, work = quiet(begin, end, zone), timedelta(hours=work_h)
    ends = _worked_until(section, began, work)
    if ends is None or ends - began > timedelta(days=8):
        return  # nearly no time is left between quiet hours
    worked, moment = timedelta(0), began
    while moment < ends:
        if quiet_hours(section, moment) is None:
            worked += min(QUARTER, ends - moment)
        moment += QUARTER
    assert worked.total_seconds() == pytest.approx(work.total_seconds(), abs=5.0)


def test_no_estimate_is_too_large_to_be_told() -> None:
    assert to_end_by("2026-02-01 07:00", left_s=1e300).decisions == []
