"""What a person types to go somewhere in a log: a line, a share, a time, a step of time. Pure."""

import re
import unicodedata
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeAlias

from msgspec import Struct

from timellm_ops.contract.timespan import seconds_of

_LINE = re.compile(r"(?P<line>[0-9][0-9,_]{0,18})")
_SHARE = re.compile(r"(?P<share>[0-9]{1,3}(?:\.[0-9]+)?) *%")
_CLOCK = re.compile(
    r"(?:(?:(?P<year>[0-9]{4})-)?(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})[ T]+)?"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
)


class ToLine(Struct, frozen=True):
    """The line of that number, from 1."""

    number: int


class ToShare(Struct, frozen=True):
    """So far into the log, from 0 to 1."""

    share: float


class ToClock(Struct, frozen=True):
    """A time of day, and of which day where that was said."""

    hour: int
    minute: int
    second: int = 0
    month: int = 0
    """From 1; 0: no day was said."""
    day: int = 0
    year: int = 0


class ByTime(Struct, frozen=True):
    """So many seconds later than the line of the cursor, or earlier where they are negative."""

    seconds: float


Goal: TypeAlias = ToLine | ToShare | ToClock | ByTime
_FARTHEST_S = 100 * 366 * 86_400.0
"""A step of time that is larger leads as far, and to no year that there is not."""
_LEAP_YEAR = 2000
_YEARS = 9
"""So many of them hold a 29th of February."""


def goal_of(text: str) -> Goal | None:
    """Where `text` leads; `None`: it says nothing of the kind."""
    # A Chinese keyboard types wide digits and colons.
    text = unicodedata.normalize("NFKC", text).strip()
    if found := _LINE.fullmatch(text):
        return ToLine(int(re.sub("[,_]", "", found["line"])))
    if found := _SHARE.fullmatch(text):
        share = float(found["share"])
        return ToShare(share / 100) if share <= 100 else None
    if text[:1] in ("+", "-") and (seconds := seconds_of(text[1:])) is not None:
        seconds = min(_FARTHEST_S, seconds)
        return ByTime(-seconds if text[0] == "-" else seconds)
    if found := _CLOCK.fullmatch(text):
        goal = ToClock(**{name: int(value or 0) for name, value in found.groupdict().items()})
        if goal.hour > 23 or goal.minute > 59 or goal.second > 59:
            return None
        day_said = found["day"] is not None
        return None if day_said and not _exists(goal.year or _LEAP_YEAR, goal) else goal
    return None


def moment_of(goal: ToClock, latest: datetime, zone: tzinfo | None) -> datetime:
    """The moment that is meant: without a day, or without a year, the last one that is not after
    `latest`. The whole second counts, for that is how times are shown. `zone`: `None` is the
    machine's own."""
    here = latest.astimezone(zone)
    at = here.replace(hour=goal.hour, minute=goal.minute, second=goal.second, microsecond=999_999)
    if not goal.day:
        return at if at.replace(microsecond=0) <= here else at - timedelta(days=1)
    years = [goal.year] if goal.year else range(here.year, here.year - _YEARS, -1)
    found = [at.replace(year=year, month=goal.month, day=goal.day) for year in years
             if _exists(year, goal)]  # fmt: skip
    return next((at for at in found if at.replace(microsecond=0) <= here), found[0])


def _exists(year: int, goal: ToClock) -> bool:
    try:
        date(year, goal.month, goal.day)
    except ValueError:
        return False
    return True
