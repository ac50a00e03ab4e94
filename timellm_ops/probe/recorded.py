"""A probe that plays the telemetry of a finished run, at the pace it was recorded."""

from collections import deque
from collections.abc import Iterable

from msgspec.structs import replace

from timellm_ops.contract.events import JournalRecord, Telemetry, TelemetryLost
from timellm_ops.probe.protocol import Reading, Unreadable


class RecordedProbe:
    """Readings of a journal, the first at the first poll, the others as far apart as they were.

    `speed` is recorded seconds per second. A reading is given once and none is left out; where
    the recording's clock runs backwards (it was resumed after a reboot) the next one follows at
    once. After the last one the probe says so, for good.
    """

    source = "recorded"

    def __init__(self, records: Iterable[JournalRecord], speed: float = 1.0) -> None:
        self._due = deque(_timeline(records, speed))
        self._start_t: float | None = None
        self._over = False

    def poll(self, now_t: float) -> Reading | None:
        """The oldest reading that is due and was not yet given."""
        if self._over:
            return None
        if self._start_t is None:
            self._start_t = now_t
        if not self._due:
            self._over = True
            return Unreadable(reason="the recording is over", permanent=True)
        offset_s, reading = self._due[0]
        if now_t - self._start_t < offset_s:
            return None
        self._due.popleft()
        return reading

    def limit_power(self, limit_w: float) -> None:
        """What is recorded cannot be changed any more."""

    def close(self) -> None:
        """Forget what is left."""
        self._over = True


def _timeline(records: Iterable[JournalRecord], speed: float) -> Iterable[tuple[float, Reading]]:
    """Each reading with its distance, in seconds of the replay, from the first."""
    offset_s, previous_t = 0.0, None
    for record in records:
        event = record.event
        if not isinstance(event, Telemetry | TelemetryLost) or event.t is None:
            continue
        if previous_t is not None:
            offset_s += max(0.0, event.t - previous_t) / speed
        previous_t = event.t
        match event:
            case Telemetry():
                yield offset_s, replace(event.sample, source="recorded")
            case TelemetryLost():
                # Permanent was true of that machine; here the recording goes on.
                yield (
                    offset_s,
                    Unreadable(reason=event.reason, asleep=event.asleep, lost=event.lost),
                )
