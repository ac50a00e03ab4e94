"""The supervisor's core with a shell around it that does everything at once and keeps a log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.control import Control
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import HostSample
from timellm_ops.probe.protocol import Reading
from timellm_ops.supervisor import core
from timellm_ops.supervisor.effects import (
    AnyEffect,
    Continue,
    DumpStacks,
    Finish,
    LimitPower,
    Relaunch,
    Rest,
    Signal,
    Suspend,
    Wake,
    WriteControl,
)
from timellm_ops.supervisor.outcome import Evidence
from timellm_ops.supervisor.restart import Patience

BEGAN = datetime(2026, 1, 31, 21, 45, tzinfo=UTC)
GRACE_S = 20.0


def no_rules(*_: object) -> tuple[ev.PolicyDecision, ...]:
    return ()


@dataclass
class DrivenCore:
    """A supervised run. Time passes with `turn`; what was wanted of the world is in `done`."""

    foreign: bool = False
    decide: core.Decide = no_rules
    policy: PolicySection = field(default_factory=PolicySection)
    gpu: GpuSection = field(default_factory=GpuSection)
    patience: Patience = field(default_factory=Patience)
    pace_by_stops: bool = False
    obedient: bool = True
    """Our engine acknowledges, pauses and goes on as it is told, one turn later."""
    t: float = 1000.0
    supervision: core.Supervision = field(default_factory=core.Supervision)
    journal: list[ev.JournalRecord] = field(default_factory=list)
    done: list[tuple[float, AnyEffect]] = field(default_factory=list)
    interrupts: int = 0
    exit_code: int | None = None
    offset: int = 0
    waiting: list[ev.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.note(
            ev.RunStarted(
                run_id="20260131-214500-t-0000",
                name="t",
                engine="foreign" if self.foreign else "timellm",
                gpu="simulated",
            )
        )
        self.note(ev.EngineStarted(pid=7))

    # --- what happens ----------------------------------------------------------------------------

    def turn(
        self,
        seconds: float = 1.0,
        *says: ev.Event,
        ask: AnyRequest | None = None,
        observed: tuple[ev.Event, ...] = (),
        reading: Reading | None = None,
        host: HostSample | None = None,
        exited: ev.EngineExited | None = None,
        evidence: Evidence | None = None,
        room: bool = True,
    ) -> core.Turn:
        """`seconds` later, with what the engine said since."""
        self.t += seconds
        said = [*self.waiting, *says]
        self.waiting = []
        turn = core.advance(
            self.settings,
            self.supervision,
            core.Inputs(
                stream=tuple(self._numbered(said)),
                observed=observed,
                reading=reading,
                host=host,
                requests=() if ask is None else (ask,),
                interrupts=self.interrupts,
                exited=exited,
                evidence=evidence or Evidence(),
                room=room,
            ),
            self.now,
        )
        self._take(turn)
        for effect in turn.effects:
            self._act(effect)
        return turn

    def turns(self, seconds: float, every_s: float = 1.0) -> list[AnyEffect]:
        """Let time pass; returns what was wanted in it."""
        before = len(self.done)
        for _ in range(round(seconds / every_s)):
            self.turn(every_s)
        return [effect for _, effect in self.done[before:]]

    def ask(self, request: AnyRequest) -> Reply:
        (reply,) = self.turn(0.0, ask=request).replies
        return reply

    def interrupt(self) -> core.Turn:
        """Ctrl+C."""
        self.interrupts += 1
        return self.turn(0.0)

    def exits(
        self, code: int | None = None, signal: int | None = None, evidence: Evidence | None = None
    ) -> ev.RunEnded:
        """The engine goes; the verdict."""
        self.turn(1.0, exited=ev.EngineExited(code=code, signal=signal), evidence=evidence)
        verdict = self.journal[-1].event
        assert isinstance(verdict, ev.RunEnded)
        return verdict

    def trains(self) -> None:
        """Our engine is up and does a few steps."""
        self.turn(1.0, training_started())
        self.turn(1.0, ev.EpochStarted(epoch=1, steps=100), progress(5))

    def note(self, event: ev.Event) -> None:
        self._take(core.note(self.supervision, event, self.now))

    # --- what came of it -------------------------------------------------------------------------

    @property
    def now(self) -> core.Moment:
        return core.Moment(at=BEGAN + timedelta(seconds=self.t - 1000.0), t=self.t)

    @property
    def settings(self) -> core.Settings:
        return core.Settings(
            policy=self.policy,
            gpu=self.gpu,
            stop_grace_s=GRACE_S,
            decide=self.decide,
            patience=self.patience,
            pace_by_stops=self.pace_by_stops,
        )

    @property
    def run(self) -> RunState:
        return self.supervision.run

    @property
    def control(self) -> Control | None:
        return self.supervision.control

    @property
    def events(self) -> list[ev.Event]:
        return [record.event for record in self.journal]

    @property
    def signals(self) -> list[tuple[float, int]]:
        """Each signal with its second."""
        return [(t, effect.number) for t, effect in self.done if isinstance(effect, Signal)]

    @property
    def alerts(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, ev.Alert)]

    def state_of_journal(self) -> RunState:
        state = RunState()
        for event in self.events:
            state = reduce(state, event)
        return state

    # --- the shell -------------------------------------------------------------------------------

    def _numbered(self, events: list[ev.Event]) -> list[tuple[ev.Event, int]]:
        numbered = []
        for event in events:
            self.offset += 100
            numbered.append((event, self.offset))
        return numbered

    def _take(self, turn: core.Turn) -> None:
        self.supervision = turn.supervision
        for event, offset in turn.records:
            record = ev.JournalRecord(seq=len(self.journal) + 1, event=event, engine_offset=offset)
            self.journal.append(ev.decode_record(ev.encode_record(record)))

    def _act(self, effect: AnyEffect) -> None:
        self.done.append((self.t, effect))
        match effect:
            case WriteControl():
                self.supervision = core.control_written(self.supervision, effect.control, self.now)
                if self.obedient:
                    self._obey(effect.control)
            case Suspend():
                self.note(ev.Paused(by="signal"))
            case Continue():
                self.note(ev.Resumed())
            case Finish():
                self.exit_code = effect.exit_code
            case Signal() | Relaunch() | Rest() | Wake() | DumpStacks() | LimitPower():
                pass

    def _obey(self, control: Control) -> None:
        self.waiting.append(
            ev.ControlAcknowledged(
                sequence=control.sequence, desired=control.desired, duty=control.duty
            )
        )
        if control.desired == "pause":
            self.waiting.append(ev.Paused())
        elif self.run.standing:
            self.waiting.append(ev.Resumed())


def training_started(epoch: int = 1, iteration: int = 0) -> ev.TrainingStarted:
    return ev.TrainingStarted(
        epochs=3, steps_per_epoch=100, batch_size=4, train_samples=400, vali_samples=10,
        test_samples=10, trainable_parameters=9, frozen_parameters=90, backbone="embedded",
        device="cpu", patience=2, start_epoch=epoch, start_iteration=iteration,
    )  # fmt: skip


def progress(iteration: int, epoch: int = 1, speed_s: float | None = 0.5) -> ev.Progress:
    return ev.Progress(iteration=iteration, epoch=epoch, loss=0.5, seconds_per_iteration=speed_s)


def saved(
    kind: ev.CheckpointKind = "last", epoch: int = 1, iteration: int | None = None
) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(kind=kind, path="p", bytes=9, epoch=epoch, iteration=iteration)


def kinds(effects: list[AnyEffect] | tuple[AnyEffect, ...]) -> list[str]:
    """The effects' names, a control's with what it asks for and a signal's with its number."""
    names = []
    for effect in effects:
        match effect:
            case WriteControl():
                names.append(effect.control.desired)
            case Signal():
                names.append(f"signal {effect.number}")
            case _:
                names.append(type(effect).__name__)
    return names


def last_of(core_: DrivenCore, kind: type[ev.BaseEvent]) -> ev.Event:
    return next(event for event in reversed(core_.events) if isinstance(event, kind))


def with_times_removed(event: ev.Event) -> ev.Event:
    return msgspec.structs.replace(event, at=None, t=None)
