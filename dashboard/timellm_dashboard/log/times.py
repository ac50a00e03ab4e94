"""When the lines of a log were printed, as far as that is known. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

_DAY_S = 86_400.0


class LogTimes(Struct, frozen=True):
    """Places of a log with their times, both ever later. The sequences may grow, never change."""

    ends: Sequence[int] = ()
    """Bytes up to each place."""
    at_s: Sequence[float] = ()
    """When the log had that many bytes, in seconds since 1970."""

    @property
    def known(self) -> bool:
        """Whether there is any time at all."""
        return bool(self.at_s)

    @property
    def over_a_day(self) -> bool:
        """Whether an hour and a minute may mean more than one moment."""
        return self.known and self.at_s[-1] - self.at_s[0] >= _DAY_S

    @property
    def latest(self) -> datetime | None:
        """The last time that is known."""
        return _time(self.at_s[-1]) if self.known else None

    @property
    def covered(self) -> int:
        """Bytes of the log whose times are known."""
        return self.ends[-1] if self.known else 0

    def printed(self, end: int) -> datetime | None:
        """When the line that ends at byte `end` had been printed; `None`: not known."""
        at = bisect_left(self.ends, end)
        return _time(self.at_s[at]) if at < len(self.at_s) else None

    def byte_at(self, moment: datetime) -> int:
        """Where the line begins that was the newest one at `moment`, or any byte of it; 0 where
        nothing was known to be printed by then."""
        at = bisect_right(self.at_s, moment.timestamp())
        return self.ends[at - 1] - 1 if at else 0


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
