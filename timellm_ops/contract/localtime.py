"""Local times by the name of their zone, daylight saving included.

A zone's rules are read from the machine's own time zone data, which Python's `zoneinfo` finds; that
apart, all of it is arithmetic.
"""

from datetime import UTC, datetime, tzinfo


def zone_of(name: str) -> tzinfo | None:
    """The zone with this name; UTC for an empty one, `None` where there is no such zone."""
    if name in ("", "UTC"):
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # of which the first is what an unknown name raises
        return None


def moment_of(text: str, zone: str) -> datetime | None:
    """The moment, in UTC, of a local day and time in ISO form; `None` for anything else.

    A time that comes twice when clocks go back is the first one of the two. One with an offset of
    its own, such as `2026-02-01T07:00+08:00`, needs no zone.
    """
    place = zone_of(zone)
    try:
        local = datetime.fromisoformat(text)
        if local.tzinfo is None:
            local = local.replace(tzinfo=place)
        return None if place is None else local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
