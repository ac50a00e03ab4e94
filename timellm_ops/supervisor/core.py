"""The supervisor's mind: a turn's inputs and the time in; events, effects and replies out. Pure.

Everything it concludes is an event; the state it acts on is `reduce` over exactly those events, so
whoever reads the journal can retrace every action.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import STOP_MODES, AnyRequest, Reply
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.control import Control
from timellm_ops.contract.policy_checks import KEPT_READINGS
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, HostSample, TimedSample
from timellm_ops.probe.protocol import PowerAnswer, Reading
from timellm_ops.supervisor.answers import Terms, answer
from timellm_ops.supervisor.effects import (
    AnyEffect,
    DumpStacks,
    Finish,
    LimitPower,
    Relaunch,
    Signal,
    WriteControl,
)
from timellm_ops.supervisor.foreign_steering import rest_or_wake, stand_or_move
from timellm_ops.supervisor.ladder import Climb, is_stronger, lowest_signal, next_signal
from timellm_ops.supervisor.memory import Memory, remember
from timellm_ops.supervisor.novelty import changes_anything, rests
from timellm_ops.supervisor.outcome import Evidence, before_restart, conclude, not_started
from timellm_ops.supervisor.power_limit import AskedPower, next_power, power_event
from timellm_ops.supervisor.restart import Patience, due, restart, restart_unstarted
from timellm_ops.supervisor.rules_in_force import policy_in_force
from timellm_ops.supervisor.stop_pacing import Account

ACKNOWLEDGE_WITHIN_S = 60.0
ACKNOWLEDGE_WITHIN_STEPS = 5
"""A control must be acknowledged within this many seconds and this many steps, or a person is
told. Longer than the longest stretch in which an engine does not look."""

AHEAD_S = 60.0
"""An engine's time may be so much later than the turn's, which began before its words were read.
One that is further ahead is of another boot."""

SLEPT_S = 30.0
"""So long there is never between two turns: the machine slept, with its clock going on, as it does
under some systems. What was missing meanwhile is not missed."""

RECENT_SAMPLES = KEPT_READINGS

_replace = msgspec.structs.replace

Decide = Callable[
    [PolicySection, RunState, Sequence[TimedSample], float, datetime],
    tuple[ev.PolicyDecision, ...],
]
"""`timellm_policies.decide`, passed in so that a test can put any rule in its place."""


class Moment(Struct, frozen=True):
    """Now, on both clocks: UTC wall time and monotonic seconds."""

    at: datetime
    t: float


class Settings(Struct, frozen=True, kw_only=True):
    """What stays the same for the whole run."""

    policy: PolicySection
    """As the run's config has it; what is changed under the run is part of its state."""
    gpu: GpuSection = GpuSection()
    zone: str = ""
    """Where this machine is, by the name of its time zone; empty: UTC."""
    stop_grace_s: float
    decide: Decide
    patience: Patience = Patience()
    pace_by_stops: bool = False
    """A foreign engine may be slowed down by stopping it for moments."""


class Inputs(Struct, frozen=True, kw_only=True):
    """Everything that reached the supervisor since its last turn."""

    stream: tuple[tuple[ev.Event, int], ...] = ()
    """The engine's events, each with the stream bytes accounted for (`engine_offset`)."""
    observed: tuple[ev.Event, ...] = ()
    """What the shell itself saw happen: a checkpoint on disk, an alert."""
    reading: Reading | None = None
    host: HostSample | None = None
    """What is new of the machine."""
    requests: tuple[AnyRequest, ...] = ()
    interrupts: int = 0
    """How often SIGINT or SIGTERM has reached the supervisor, since it started."""
    room: bool = True
    """Whether the run's disk takes anything: where not, no word of the engine reaches it."""
    exited: ev.EngineExited | None = None
    evidence: Evidence = Evidence()
    """What is on disk; looked at only when `exited` is set."""


class Supervision(Struct, frozen=True, kw_only=True):
    """What the supervisor knows between two turns. `run` and `memory` come from the journal."""

    run: RunState = RunState()
    memory: Memory = Memory()
    control: Control | None = None
    """As it is on disk; `None` for a foreign engine, which has none."""
    control_t: float = 0.0
    control_doubted: bool = False
    """A person was told that `control` is not acknowledged."""
    recent: tuple[TimedSample, ...] = ()
    asked_power: AskedPower | None = None
    """Asked for and not answered yet."""
    interrupts: int = 0
    turn_t: float | None = None
    """Monotonic second of the turn before."""
    woke_t: float | None = None
    """The first turn after the machine last slept."""
    away_t: float | None = None
    """The first turn after this process was last away for longer than a paused engine waits."""
    unheard_t: float | None = None
    """The latest turn in which the disk took nothing, an engine's words among it."""
    climb: Climb | None = None
    pacing: Account = Account()
    """Of a foreign engine that is paced by stops; of any other it stays as it is."""


class Turn(Struct, frozen=True, kw_only=True):
    """What a turn came to. `replies` answer the inputs' requests in their order."""

    supervision: Supervision
    records: tuple[tuple[ev.Event, int | None], ...] = ()
    effects: tuple[AnyEffect, ...] = ()
    replies: tuple[Reply, ...] = ()


def advance(settings: Settings, supervision: Supervision, inputs: Inputs, now: Moment) -> Turn:
    """One turn: take in, reduce, decide, and say what is to be done.

    The events are to be journaled before the effects are acted on.
    """
    draft = _Draft(supervision, now)
    draft.begin(settings, room=inputs.room)
    for event, offset in inputs.stream:
        draft.record(event, offset)
    for event in inputs.observed:
        draft.record(event)
    draft.take_reading(inputs.reading)
    if inputs.host is not None:
        draft.record(ev.HostTelemetry(sample=inputs.host))
    replies = tuple(draft.take_request(settings, request) for request in inputs.requests)
    draft.take_interrupts(inputs.interrupts)
    if inputs.exited is not None:
        draft.record(inputs.exited)
        draft.take_exit(settings, inputs.exited, inputs.evidence)
    elif draft.run.activity == "restarting" and not draft.run.ended:
        draft.start_again()
    elif draft.run.engine_pid is not None and not draft.run.ended:
        draft.apply_policies(settings)
        draft.steer(settings)
    return Turn(
        supervision=draft.supervision(),
        records=tuple(draft.records),
        effects=tuple(draft.effects),
        replies=replies,
    )


def note(supervision: Supervision, event: ev.Event, now: Moment, offset: int | None = None) -> Turn:
    """Take in one fact that belongs to no turn, such as what came of an effect.

    `offset` is the `engine_offset` of an event that the engine has left in its stream.
    """
    draft = _Draft(supervision, now)
    draft.record(event, offset)
    return Turn(supervision=draft.supervision(), records=tuple(draft.records))


def not_launched(settings: Settings, supervision: Supervision, problem: str, now: Moment) -> Turn:
    """The engine could not be started again: another try after a longer wait, or the end."""
    draft = _Draft(supervision, now)
    again = restart_unstarted(settings.patience, draft.run, draft.memory, problem)
    if again is None:
        draft.end(not_started(draft.run, problem))
    else:
        draft.record(again)
    return Turn(
        supervision=draft.supervision(),
        records=tuple(draft.records),
        effects=tuple(draft.effects),
    )


def control_written(supervision: Supervision, control: Control, now: Moment) -> Supervision:
    """`control` is on disk. Until this is said, the core asks for it again each turn."""
    return _replace(supervision, control=control, control_t=now.t, control_doubted=False)


def next_control(supervision: Supervision) -> Control:
    """What the engine is to be told now, under a number that no control has had before."""
    before = supervision.control.sequence if supervision.control is not None else 0
    return Control(
        sequence=max(before, supervision.run.acknowledged) + 1,
        desired=supervision.run.desired,
        duty=supervision.memory.duty,
    )


class _Draft:
    """A turn in the making. Mutable, and never seen outside of this module."""

    def __init__(self, supervision: Supervision, now: Moment) -> None:
        self.before = supervision
        self.now = now
        self.run = supervision.run
        self.memory = supervision.memory
        self.recent = supervision.recent
        self.climb = supervision.climb
        self.pacing = supervision.pacing
        self.woke_t = supervision.woke_t
        self.away_t = supervision.away_t
        self.unheard_t = supervision.unheard_t
        self.turn_t = supervision.turn_t
        self.interrupts = supervision.interrupts
        self.doubted = supervision.control_doubted
        self.asked_power = supervision.asked_power
        self.records: list[tuple[ev.Event, int | None]] = []
        self.effects: list[AnyEffect] = []

    def supervision(self) -> Supervision:
        return _replace(
            self.before,
            run=self.run,
            memory=self.memory,
            recent=self.recent,
            climb=self.climb,
            pacing=self.pacing,
            interrupts=self.interrupts,
            turn_t=self.turn_t,
            woke_t=self.woke_t,
            away_t=self.away_t,
            unheard_t=self.unheard_t,
            control_doubted=self.doubted,
            asked_power=self.asked_power,
        )

    def begin(self, settings: Settings, *, room: bool) -> None:
        """A turn, after however long."""
        passed_s = 0.0 if self.turn_t is None else self.now.t - self.turn_t
        if passed_s > SLEPT_S:
            self.woke_t = self.now.t
        if passed_s > settings.patience.orphan_after_s:
            self.away_t = self.now.t
        if not room:
            self.unheard_t = self.now.t
        self.turn_t = self.now.t

    def record(self, event: ev.Event, offset: int | None = None) -> None:
        stamped = stamp(event, self.run, self.now)
        self.memory = remember(self.memory, self.run, stamped)
        self.run = reduce(self.run, stamped)
        self.records.append((stamped, offset))

    def take_reading(self, reading: Reading | None) -> None:
        if reading is None:
            return
        if isinstance(reading, PowerAnswer):
            self._take_power_answer(reading)
            return
        if isinstance(reading, GpuSample):
            self._keep(reading)
            self.record(ev.Telemetry(sample=reading))
            return
        self._keep(None)
        run = self.run
        known = (run.telemetry_problem, run.telemetry_gone, run.telemetry_asleep)
        if known != (reading.reason, reading.permanent, reading.asleep):
            self.record(
                ev.TelemetryLost(
                    reason=reading.reason,
                    permanent=reading.permanent,
                    asleep=reading.asleep,
                    lost=reading.lost,
                )
            )

    def _take_power_answer(self, answered: PowerAnswer) -> None:
        self.asked_power = None
        self.record(power_event(answered))

    def _keep(self, sample: GpuSample | None) -> None:
        self.recent = (*self.recent, TimedSample(self.now.t, sample))[-RECENT_SAMPLES:]

    def take_request(self, settings: Settings, request: AnyRequest) -> Reply:
        terms = Terms(stop_grace_s=settings.stop_grace_s, policy=settings.policy, gpu=settings.gpu)
        answered = answer(self.run, request, terms)
        for event in answered.events:
            if isinstance(event, ev.RulesOverridden):
                event = _replace(event, until=self.now.at + timedelta(seconds=event.for_s))
            self.record(event)
        return answered.reply

    def take_interrupts(self, count: int) -> None:
        """Once is stop, twice is now, three times is kill; never back to a gentler way."""
        if count <= self.interrupts or self.run.ended:
            return
        self.interrupts = count
        mode = STOP_MODES[min(count, len(STOP_MODES) - 1)]
        if is_stronger(mode, self.run.stop):
            self.record(ev.Command(who="signal", what=f"stop {mode}"))

    def apply_policies(self, settings: Settings) -> None:
        """Only while there is something left to decide: a stop under way outranks every rule."""
        leaving = lowest_signal(self.run, self.memory, self.now.t) is not None
        if leaving or self.run.stop not in (None, "after_checkpoint"):
            return
        policy = policy_in_force(
            settings.policy, settings.gpu, self.run.policy_settings, settings.zone
        )
        seen = self.run
        for since_t in (self.woke_t, self.unheard_t):
            if since_t is not None and since_t > (seen.watched_since_t or 0.0):
                seen = _replace(seen, watched_since_t=since_t)
        for decision in settings.decide(policy, seen, self.recent, self.now.t, self.now.at):
            if not settings.pace_by_stops and rests(decision) and self.run.engine == "foreign":
                continue  # it could not rest between its steps, and may not be stopped for it
            if changes_anything(self.run, self.memory, decision):
                self.record(decision)
                if decision.about in ev.SILENT_ENGINE and self.run.engine == "timellm":
                    self.effects.append(DumpStacks())

    def steer(self, settings: Settings) -> None:
        lowest = lowest_signal(self.run, self.memory, self.now.t)
        if lowest is not None:
            number = next_signal(self.climb, lowest, self.now.t, settings.stop_grace_s)
            if number is not None:
                self.climb = Climb(number, self.now.t)
                self.effects.append(Signal(number=number))
        self._steer_power()
        if self.run.engine == "foreign":
            self._steer_foreign(settings, leaving=lowest is not None)
        else:
            self._steer_own()

    def _steer_own(self) -> None:
        control = self.before.control
        wanted = next_control(self.before_with(self.run, self.memory))
        if control is None or (control.desired, control.duty) != (wanted.desired, wanted.duty):
            self.effects.append(WriteControl(control=wanted))
            return
        if control.sequence <= self.run.acknowledged or self.doubted:
            return
        # An engine that is still loading, or was resumed a moment ago, cannot have looked yet.
        if self.memory.measured_since_t is None:
            return
        listened_t = max(self.memory.measured_since_t, self.unheard_t or -math.inf)
        waited = self.now.t - max(self.before.control_t, listened_t)
        steps = ACKNOWLEDGE_WITHIN_STEPS * (self.run.seconds_per_iteration or 0.0)
        if waited > max(ACKNOWLEDGE_WITHIN_S, steps):
            self.doubted = True
            self.record(
                ev.Alert(
                    level="warning",
                    message=(
                        f"the engine has not acknowledged {control.desired!r} for {waited:.0f} s;"
                        " it may hang; `stop --now` ends it"
                    ),
                )
            )

    def _steer_power(self) -> None:
        asking = next_power(self.run, self.asked_power, self.now.t)
        if asking is not None:
            self.asked_power = asking
            self.effects.append(LimitPower(limit_w=asking.limit_w))

    def before_with(self, run: RunState, memory: Memory) -> Supervision:
        return _replace(self.before, run=run, memory=memory)

    def _steer_foreign(self, settings: Settings, *, leaving: bool) -> None:
        effect = stand_or_move(self.run, leaving=leaving)
        if effect is not None:
            self.effects.append(effect)
        if settings.pace_by_stops:
            self._pace_by_stops(1.0 if leaving else self.memory.duty)

    def _pace_by_stops(self, duty: float) -> None:
        if self.run.standing or self.run.desired == "pause":
            self.pacing = Account()  # a pause outlasts every rest
            return
        if duty != self.run.duty:
            self.record(ev.Paced(duty=duty))
        self.pacing, effect = rest_or_wake(self.pacing, duty, self.now.t)
        if effect is not None:
            self.effects.append(effect)

    def take_exit(self, settings: Settings, exited: ev.EngineExited, evidence: Evidence) -> None:
        again = restart(settings.patience, self.run, self.memory, exited, self.away_t)
        if again is None:
            self.end(conclude(self.run, self.memory, exited, evidence))
        else:
            self.record(again)

    def start_again(self) -> None:
        if self.run.stop is not None:
            self.end(before_restart(self.run))
        elif due(self.memory, self.now.t):
            self.effects.append(Relaunch(pieces=self.run.pieces))

    def end(self, verdict: ev.RunEnded) -> None:
        self.record(verdict)
        self.effects.append(Finish(exit_code=verdict.exit_code))


def stamp(event: ev.Event, run: RunState, now: Moment) -> ev.Event:
    """`event` with both times. An engine's own times are kept; within one boot, time in the
    journal never runs backwards, or the seconds between two events would be counted twice. What an
    engine said before the machine was started anew is as old as its being read."""
    t = now.t if event.t is None else event.t
    if run.t is not None and run.t <= now.t + AHEAD_S:
        t = max(now.t if t > now.t + AHEAD_S else t, run.t)
    return _replace(event, at=now.at if event.at is None else event.at, t=t)
