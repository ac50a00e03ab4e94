"""Stand-ins at the seams: clock, engine handle, GPU probe, and what is read beside them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import GpuSample, HostSample
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
    written: list[Path] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    children: list[int] = field(default_factory=list)

    def exit_status(self) -> ExitStatus | None:
        return self.ended

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def suspend(self) -> None:
        self.suspended = True
        self.log.append("suspend")

    def rest(self) -> None:
        self.suspended = True
        self.log.append("rest")

    def resume(self) -> None:
        self.suspended = False
        self.log.append("resume")

    def open_for_writing(self, wanted: Callable[[Path], bool]) -> frozenset[Path]:
        return frozenset(filter(wanted, self.written))

    def cpu_seconds(self) -> float:
        return 0.0

    def dump_stacks(self) -> None:
        self.log.append("dump stacks")

    def pids(self) -> frozenset[int]:
        return frozenset({self.identity.pid, *self.children})


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
    left: bool = False
    writes: bool = False
    polled_t: list[float] = field(default_factory=list)

    def expect(self, event: ev.CheckpointWriting) -> None:
        self.expected.append(event)

    def went_on(self, event: ev.Event) -> None:
        self.told_on += 1

    def quiet(self) -> bool:
        return not self.writes

    def engine_left(self) -> None:
        self.left = True

    def poll(self, now_t: float) -> list[ev.Event]:
        self.polled_t.append(now_t)
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


@dataclass
class FakeHost:
    """Gives each of its readings once."""

    waiting: list[HostSample] = field(default_factory=list)

    def poll(self, now_t: float) -> HostSample | None:
        return self.waiting.pop(0) if self.waiting else None

    def close(self) -> None:
        pass


def samples(temperatures_c: Iterable[float | None]) -> list[Reading]:
    """Readings of a card at these temperatures."""
    return [GpuSample(source="simulated", temperature_c=c) for c in temperatures_c]
