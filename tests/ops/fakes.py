"""Stand-ins at the seams: clock, engine handle, GPU probe, and what is read beside them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.protocol import PowerAnswer, Reading
from timellm_ops.process.engine import ExitStatus
from timellm_ops.process.identity import ProcessIdentity

BEGAN = datetime(2026, 1, 31, 21, 45, 3, tzinfo=UTC)


@dataclass
class FakeClock:
    """Time that passes only when somebody waits."""

    t: float = 1000.0

    def wall(self) -> datetime:
        return BEGAN + timedelta(seconds=self.t - 1000.0)

    def monotonic(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        self.t += seconds


@dataclass
class FakeEngine:
    """An engine that does what the test says, and remembers what was done to it."""

    identity: ProcessIdentity = field(default=ProcessIdentity(4711, 1, "boot"))
    ended: ExitStatus | None = None
    signals: list[int] = field(default_factory=list)
    suspended: bool = False
    log: list[str] = field(default_factory=list)

    def exit_status(self) -> ExitStatus | None:
        return self.ended

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def suspend(self) -> None:
        self.suspended = True
        self.log.append("suspend")

    def resume(self) -> None:
        self.suspended = False
        self.log.append("resume")

    def cpu_seconds(self) -> float:
        return 0.0


@dataclass
class FakeStream:
    """An engine's stream, as the test feeds it."""

    waiting: list[ev.Event] = field(default_factory=list)
    unended: list[ev.Event] = field(default_factory=list)
    """What only `finish` brings out."""
    offset: int = 0

    def say(self, *events: ev.Event) -> None:
        self.waiting += events

    def finish(self) -> list[tuple[ev.Event, int]]:
        self.say(*self.unended)
        self.unended = []
        return self.poll()

    def poll(self) -> list[tuple[ev.Event, int]]:
        found = []
        for event in self.waiting:
            self.offset += 100
            found.append((event, self.offset))
        self.waiting = []
        return found


@dataclass
class FakeWatch:
    """A checkpoint watch that sees what the test has put before it."""

    pending: bool = False
    seen: list[ev.Event] = field(default_factory=list)
    expected: list[ev.CheckpointWriting] = field(default_factory=list)
    told_on: int = 0

    def expect(self, event: ev.CheckpointWriting) -> None:
        self.expected.append(event)

    def went_on(self) -> None:
        self.told_on += 1

    def poll(self, now_t: float) -> list[ev.Event]:
        found, self.seen = self.seen, []
        return found


@dataclass
class FakeProbe:
    """One reading a poll; the last one stays."""

    readings: list[Reading] = field(default_factory=list)
    source: str = "simulated"
    limits_w: list[float] = field(default_factory=list)
    """Every power limit that was asked for."""
    power_problem: str | None = ""
    """Why none is taken; `None`: the driver never answers."""
    answers: list[PowerAnswer] = field(default_factory=list)

    def limit_power(self, limit_w: float) -> None:
        self.limits_w.append(limit_w)
        if self.power_problem is not None:
            self.answers.append(PowerAnswer(limit_w=limit_w, problem=self.power_problem))

    def poll(self, now_t: float) -> Reading | None:
        if self.answers:
            return self.answers.pop(0)
        if not self.readings:
            return None
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]

    def close(self) -> None:
        pass


def samples(temperatures_c: Iterable[float | None]) -> list[Reading]:
    """Readings of a card at these temperatures."""
    return [GpuSample(source="simulated", temperature_c=c) for c in temperatures_c]
