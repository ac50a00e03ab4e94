"""A run whose GPU is read once in a while, with the policies asked after every reading."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GovernorSection, PolicySection, ThermalSection
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, HostSample, PowerLimits, TimedSample
from timellm_policies import decide

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
QUICK = ThermalSection(samples=1, window=1, min_dwell_s=0.0)
"""Acts on every single reading."""

TRAINING_STARTED = ev.TrainingStarted(
    epochs=3, steps_per_epoch=1000, batch_size=4, train_samples=4000, vali_samples=10,
    test_samples=10, trainable_parameters=1_000_000, frozen_parameters=90, backbone="embedded",
    device="cuda", patience=2,
)  # fmt: skip


@dataclass
class WatchedRun:
    """What a supervisor does with readings and decisions, and nothing else."""

    thermal: ThermalSection = field(default_factory=ThermalSection)
    governor: GovernorSection = field(default_factory=lambda: GovernorSection(enabled=False))
    """Off, unless a test is about it: it keeps a card from getting as hot as the others want."""
    gpu: str = "simulated"
    slowdown_c: float | None = None
    shutdown_c: float | None = None
    policy: PolicySection = field(default_factory=PolicySection)
    """Of the other rules."""
    engine: Literal["timellm", "foreign"] = "timellm"
    began: datetime = NOON
    t: float = 1000.0
    state: RunState = field(init=False)
    recent: list[TimedSample] = field(init=False, default_factory=list)
    decisions: list[ev.PolicyDecision] = field(init=False, default_factory=list)
    """All of them so far, with the second in which they were made."""

    def __post_init__(self) -> None:
        self.state = RunState()
        started = ev.RunStarted(run_id="r", name="n", engine=self.engine, gpu=self.gpu)
        self.happens(started, ev.EngineStarted(pid=7), TRAINING_STARTED)

    def happens(self, *events: ev.Event) -> None:
        for event in events:
            timed = type(event)(**{**_fields(event), "t": self.t, "at": self.now_at})
            self.state = reduce(self.state, timed)

    def trains(
        self, losses: Iterable[float], every_s: float = 1.0, iterations: int = 1
    ) -> list[ev.PolicyDecision]:
        """Time passes, and the engine tells of its progress after each `every_s`."""
        made = []
        for loss in losses:
            self.t += every_s
            done = self.state.iteration + iterations
            speed_s = every_s / iterations
            self.happens(
                ev.Progress(iteration=done, epoch=1, loss=loss, seconds_per_iteration=speed_s)
            )
            made += self.decides()
        return made

    def host(self, **fields: object) -> list[ev.PolicyDecision]:
        """The machine is looked at."""
        self.happens(ev.HostTelemetry(sample=HostSample(**fields)))  # type: ignore[arg-type]
        return self.decides()

    def sees(
        self, *temperatures_c: float | None, every_s: float = 1.0, **more: object
    ) -> list[ev.PolicyDecision]:
        """Time passes and the GPU is read, once for each temperature (`None`: it fails)."""
        made: list[ev.PolicyDecision] = []
        for celsius in temperatures_c:
            self.t += every_s
            sample = None if celsius is None else self.sample(celsius, **more)
            self.recent = [*self.recent, TimedSample(self.t, sample)][-600:]
            if sample is not None:
                self.happens(ev.Telemetry(sample=sample))
            elif not self.state.telemetry_problem:
                self.happens(ev.TelemetryLost(reason="the driver did not answer in time"))
            made += self.decides()
        return made

    def waits(self, seconds: float, every_s: float = 1.0) -> list[ev.PolicyDecision]:
        """Time passes and nothing is read at all."""
        made = []
        for _ in range(round(seconds / every_s)):
            self.t += every_s
            made += self.decides()
        return made

    def decides(self) -> list[ev.PolicyDecision]:
        made = []
        for decision in self.asked():
            timed = ev.PolicyDecision(**{**_fields(decision), "t": self.t, "at": self.now_at})
            self.state = reduce(self.state, timed)
            made.append(timed)
        self.decisions += made
        return made

    def asked(self) -> tuple[ev.PolicyDecision, ...]:
        policy = msgspec.structs.replace(self.policy, thermal=self.thermal, governor=self.governor)
        return decide(policy, self.state, self.recent, self.t, self.now_at)

    @property
    def now_at(self) -> datetime:
        return self.began + timedelta(seconds=self.t - 1000.0)

    def sample(self, celsius: float | None, **more: object) -> GpuSample:
        return GpuSample(
            source="simulated",
            temperature_c=celsius,
            slowdown_c=self.slowdown_c,
            shutdown_c=self.shutdown_c,
            **more,  # type: ignore[arg-type]
        )

    @property
    def held_by(self) -> list[str]:
        return [hold.rule for hold in self.state.holds]


def _fields(event: ev.Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def actions(decisions: Iterable[ev.PolicyDecision]) -> list[str]:
    return [f"{decision.rule} {decision.action}" for decision in decisions]


def governed(
    actuator: str = "duty", *, limits: PowerLimits | None = None, **governor: object
) -> WatchedRun:
    run = WatchedRun(
        governor=GovernorSection(actuator=actuator, **governor)  # type: ignore[arg-type]
    )
    if limits is not None:
        run.sees(40.0, power_limits=limits)
    return run


def steady(run: WatchedRun, celsius: float, seconds: int = 60) -> list[ev.PolicyDecision]:
    return run.sees(*[celsius] * seconds)


def ramp(run: WatchedRun, first_c: float, per_s: float, seconds: int) -> list[ev.PolicyDecision]:
    return run.sees(*[first_c + per_s * second for second in range(seconds)])
