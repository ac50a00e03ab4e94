"""The supervisor's shell: reads streams, probe and socket, and does what the core says.

One thread and no locks. A turn is: look at everything, advance the core, write the journal, act.
The journal is written before anything is acted on, so that whoever takes over knows of it.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from timellm_ops.adapters.protocol import CheckpointWatch, EngineStream
from timellm_ops.clock import Clock
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import Reply, StopRun
from timellm_ops.contract.control import Control, Heartbeat
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import SavedCheckpoint
from timellm_ops.journal import Journal
from timellm_ops.probe.protocol import GpuProbe, HostProbe
from timellm_ops.process.engine import EngineHandle, ExitStatus
from timellm_ops.process.files import replace_small_json
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
from timellm_ops.supervisor.evidence import look_for_evidence, untold_save
from timellm_ops.supervisor.outcome import Evidence
from timellm_ops.supervisor.power_limit import power_event, power_to_restore
from timellm_ops.supervisor.readings import Readings
from timellm_ops.supervisor.reception import Reception

TURN_S = 0.2
"""The longest wait between two turns; a request ends it at once."""
HEARTBEAT_S = 1.0
QUIET_WITHIN_S = 60.0
"""How long a moment is looked for in which a script that is to end writes no checkpoint."""
GONE_AFTER_S = 3.0
"""How long the journal is missed from its folder until the run is taken to be deleted."""
LAST_WORDS_S = 24 * 3600.0
"""How long a run that has ended waits for a disk that takes nothing."""
_GIVEN_UP = "the engine is gone, and how the run ended stays unwritten: {why}"
FAILED_CODE = 4
LAST_CHECKPOINT_S = 10.0
"""How long an ended script's last checkpoint file is waited for before the verdict."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Everything outside that a supervisor touches. Each can be a fake."""

    layout: RunLayout
    clock: Clock
    journal: Journal
    stream: EngineStream
    watch: CheckpointWatch
    probe: GpuProbe
    host: HostProbe
    reception: Reception
    pid: int
    relaunch: Callable[[int], EngineHandle]
    """Starts our own engine from its last checkpoint, its batches in so many more pieces.
    Raises `OSError`."""


@dataclass
class Supervisor:
    """Keeps one run until its engine is gone. `interrupts` is set by signal handlers."""

    around: Surroundings
    settings: core.Settings
    supervision: core.Supervision
    engine: EngineHandle | None
    """`None`: it is gone, and only the verdict is missing."""
    gone: ExitStatus = field(default=ExitStatus())
    """How an engine ended that is not there any more."""
    interrupts: int = 0
    exit_code: int | None = None
    _beat_t: float | None = None
    _ended: ExitStatus | None = None
    _ended_t: float = 0.0
    _asked_t: float | None = None
    _watched_t: float | None = None
    _seen_t: float | None = None
    """When the journal was last where it belongs; `None`: it has not been there."""
    _room: bool = True
    """Whether the disk has taken the latest heartbeat as a file of its own."""
    _stood_s: float = 0.0
    _finished: bool = False
    _power_tried: bool = False
    _control_problem: str = field(default="", repr=False)
    _journal_problem: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        around = self.around
        self.readings = Readings(around.probe, around.clock, lambda: self.engine)

    def run(self) -> int:
        """Turn until the run is over; returns its exit code.

        However it ends, the card gets back the power limit that it was found with.
        """
        try:
            while self.exit_code is None:
                self.turn()
        finally:
            self.restore_power()
        self._write_last_words()
        return self.exit_code

    def _write_last_words(self) -> None:
        """Stay until a full disk has taken what is still in memory, the end of the run most of all;
        whoever has waited long enough ends this by one more signal, or one more order to stop."""
        journal, before = self.around.journal, self.interrupts
        give_up_t = self.around.clock.monotonic() + LAST_WORDS_S
        while journal.waiting and self.interrupts == before:
            now = self._now()
            if now.t > give_up_t or self._is_deleted(now.t):
                return
            self._beat(now)
            for pending in self.around.reception.wait(TURN_S):
                if isinstance(pending.request, StopRun):
                    pending.reply(Reply(ok=True, message=_GIVEN_UP.format(why=journal.problem)))
                    return
                turn = core.advance(
                    self.settings, self.supervision, core.Inputs(requests=(pending.request,)), now
                )
                pending.reply(turn.replies[0])
            journal.retry()

    def leave(self) -> None:
        """To be called however `run` ends: nobody else would let an engine that rests go on."""
        if self.engine is not None and self.supervision.pacing.resting:
            self.engine.resume()

    def restore_power(self) -> bool:
        """Put the card's power limit back where it was found, if this run has moved it.

        Whether anything was done, and is in the journal.
        """
        supervision = self.supervision
        found_w = power_to_restore(supervision.run, supervision.asked_power)
        if found_w is None or self._power_tried:
            return False
        self._power_tried = True
        answered = self.readings.put_back(found_w)
        if answered is None:
            text = f"the card's power limit was not put back: nvidia-smi -pl {found_w:g} does it"
            self.note(ev.Alert(level="error", message=text))
        else:
            self.supervision = msgspec.structs.replace(self.supervision, asked_power=None)
            self.note(power_event(answered))
        return True

    def note(self, event: ev.Event, offset: int | None = None) -> None:
        """Journal one fact that belongs to no turn."""
        turn = core.note(self.supervision, event, self._now(), offset)
        self.supervision = turn.supervision
        self._write(turn)

    def drain(self) -> None:
        """Journal what an earlier engine has left in its stream, before a new one adds to it."""
        for event, offset in self._stream_events():
            self.note(event, offset)

    def turn(self) -> None:
        """Wait for a request or a fraction of a second, then see to everything once."""
        around = self.around
        requests = around.reception.wait(TURN_S)
        now = self._now()
        if self._is_deleted(now.t):
            self._abandon()
            return
        self._beat(now)
        exited = self._look_at_engine(now.t)
        inputs = core.Inputs(
            stream=self._stream_events(),
            observed=self._watch_checkpoints(now.t),
            reading=self.readings.next(now.t),
            host=around.host.poll(now.t),
            requests=tuple(pending.request for pending in requests),
            interrupts=self.interrupts,
            room=self._room,
        )
        if exited is not None and not self._waits_for_checkpoint(now.t):
            newest = self._newest_last(inputs)
            own = self.supervision.run.engine == "timellm"
            untold = untold_save(around.layout, newest) if own else None
            inputs = msgspec.structs.replace(
                inputs,
                observed=inputs.observed if untold is None else (*inputs.observed, untold),
                exited=ev.EngineExited(code=exited.code, signal=exited.signal),
                evidence=self._evidence(untold or newest),
            )
        elif exited is not None:
            # Nothing is left to steer: only take in what still comes.
            inputs = msgspec.structs.replace(inputs, interrupts=self.supervision.interrupts)
        turn = core.advance(self.settings, self.supervision, inputs, now)
        if turn.supervision.run.ended and self.restore_power():
            # The end is told no earlier than this: the same turn again, with that in the journal.
            # What was read before the limit was put back is not how the card is now.
            inputs = msgspec.structs.replace(inputs, reading=None)
            turn = core.advance(self.settings, self.supervision, inputs, self._now())
        self.supervision = turn.supervision
        self._write(turn)
        for pending, reply in zip(requests, turn.replies, strict=True):
            pending.reply(reply)
        if exited is not None and self._restarting:
            self.engine, self._ended, self._finished = None, None, False
        for effect in turn.effects:
            self._act(effect)

    def write_control(self, control: Control) -> bool:
        """Put `control.json` in place; whether it is there now. Says so once where it is not."""
        try:
            replace_small_json(self.around.layout.control, msgspec.json.encode(control))
        except OSError as error:
            problem = f"control.json cannot be written: {error.strerror or error}"
            if problem != self._control_problem:
                self._control_problem = problem
                text = f"{problem}; the engine cannot be paused or stopped gently until it can"
                self.note(ev.Alert(level="error", message=text))
            return False
        self._control_problem = ""
        self.supervision = core.control_written(self.supervision, control, self._now())
        return True

    def _now(self) -> core.Moment:
        clock = self.around.clock
        return core.Moment(at=clock.wall(), t=clock.monotonic())

    def _beat(self, now: core.Moment) -> None:
        if self._beat_t is not None and 0.0 <= now.t - self._beat_t < HEARTBEAT_S:
            return
        self._beat_t = now.t
        beat = msgspec.json.encode(Heartbeat(pid=self.around.pid, t=now.t))
        try:
            self._room = replace_small_json(self.around.layout.heartbeat, beat)
        except OSError:
            self._room = False

    def _is_deleted(self, now_t: float) -> bool:
        """Whether somebody has deleted or moved the run: nothing of it would be found again."""
        if self._beat_t is not None and 0.0 <= now_t - self._beat_t < HEARTBEAT_S:
            return False
        try:
            self.around.layout.journal.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a share or a drive that is not there for a while is not a deleted run
            self._seen_t = None
        else:
            self._seen_t = now_t
        return self._seen_t is not None and now_t - self._seen_t > GONE_AFTER_S

    def _abandon(self) -> None:
        """End with the run: no command reaches either of us any more.

        Our own engine would save into a folder that it makes anew; it is killed at once.
        """
        self.exit_code = FAILED_CODE
        if self.engine is not None:
            foreign = self.supervision.run.engine == "foreign"
            self.engine.send_signal(signal.SIGTERM if foreign else signal.SIGKILL)
            self.engine.resume()

    def _look_at_engine(self, now_t: float) -> ExitStatus | None:
        """How the engine ended, if it has. Looked at before its stream, which is then complete."""
        if self._ended is not None:
            return self._ended
        if self._restarting:
            return None
        ended = self.gone if self.engine is None else self.engine.exit_status()
        if ended is not None:
            self._ended, self._ended_t = ended, now_t
            if self.engine is not None:
                # What it has left behind, such as loader workers, would hold memory for good.
                self.engine.send_signal(signal.SIGKILL)
        return ended

    def _waits_for_checkpoint(self, now_t: float) -> bool:
        return self.around.watch.pending and now_t - self._ended_t < LAST_CHECKPOINT_S

    def _stream_events(self) -> tuple[tuple[ev.Event, int], ...]:
        found: list[tuple[ev.Event, int]] = []
        while new := self.around.stream.poll():
            found += new
        if self._ended is not None and not self._finished:
            self._finished = True
            found += self.around.stream.finish()
            self.around.watch.engine_left()
        for event, _ in found:
            if isinstance(event, ev.CheckpointWriting):
                self.around.watch.expect(event)
            else:
                self.around.watch.went_on(event)
        return tuple(found)

    def _evidence(self, newest: ev.CheckpointSaved | SavedCheckpoint | None) -> Evidence:
        """What is on disk. An engine whose last words a full disk has refused left none; why it
        did is known here as well."""
        found, problem = look_for_evidence(self.around.layout, newest), self.around.journal.problem
        if found.last_line or not problem:
            return found
        return msgspec.structs.replace(found, last_line=problem)

    def _newest_last(self, inputs: core.Inputs) -> ev.CheckpointSaved | SavedCheckpoint | None:
        """The engine's last save of `last`, which may have come with its end."""
        for event, _ in reversed(inputs.stream):
            if isinstance(event, ev.CheckpointSaved) and event.kind == "last":
                return event
        return self.supervision.run.last

    def _watch_checkpoints(self, now_t: float) -> tuple[ev.Event, ...]:
        """What has been saved. The watch's seconds are those in which the engine moved: that a
        file stays the same says nothing of one who stands."""
        run = self.supervision.run
        passed_s = 0.0 if self._watched_t is None else max(0.0, now_t - self._watched_t)
        self._watched_t = now_t
        if self._ended is None and (run.standing or self.supervision.pacing.resting):
            self._stood_s += passed_s
        return tuple(self.around.watch.poll(now_t - self._stood_s))

    def _write(self, turn: core.Turn) -> None:
        journal = self.around.journal
        for event, offset in turn.records:
            journal.append(event, offset)
        if not turn.records and journal.problem:
            journal.retry()
        if journal.problem and journal.problem != self._journal_problem:
            self._journal_problem = journal.problem
            text = f"{journal.problem}; training goes on, and the record is kept in memory"
            self.note(ev.Alert(level="error", message=text))
        elif not journal.problem:
            self._journal_problem = ""

    def _act(self, effect: AnyEffect) -> None:
        match effect:
            case WriteControl():
                self.write_control(effect.control)
            case Suspend():
                self._suspend()
            case Continue():
                self._continue()
            case Rest():
                if self.engine is not None:
                    self.engine.rest()
            case Wake():
                if self.engine is not None:
                    self.engine.resume()
            case Signal():
                self._signal(effect.number)
            case Relaunch():
                self._relaunch(effect.pieces)
            case DumpStacks():
                if self.engine is not None:
                    self.engine.dump_stacks()
            case LimitPower():
                self.around.probe.limit_power(effect.limit_w)
            case Finish():
                self.exit_code = effect.exit_code
            case _:
                assert_never(effect)

    @property
    def _restarting(self) -> bool:
        """There is no engine, and there is to be one again."""
        return self.supervision.run.activity == "restarting"

    def _relaunch(self, pieces: int) -> None:
        # An engine that is started again must not find what the one before was told.
        if not self.write_control(core.next_control(self.supervision)):
            return
        try:
            self.engine = self.around.relaunch(pieces)
        except OSError as error:
            self._not_launched(f"the engine could not be started again: {error}")
            return
        self.note(ev.EngineStarted(pid=self.engine.identity.pid))

    def _not_launched(self, problem: str) -> None:
        turn = core.not_launched(self.settings, self.supervision, problem, self._now())
        if turn.supervision.run.ended and self.restore_power():
            turn = core.not_launched(self.settings, self.supervision, problem, self._now())
        self.supervision = turn.supervision
        self._write(turn)
        for effect in turn.effects:
            self._act(effect)

    def _signal(self, number: int) -> None:
        """Send it. One that ends a script after its checkpoint must not hit it in the next one,
        which may be written over the last: it is sent while the script stands and writes none."""
        engine, run = self.engine, self.supervision.run
        if engine is None:
            return
        if number != signal.SIGINT or run.stop != "after_checkpoint":
            engine.send_signal(number)
            return
        now_t = self._now().t
        self._asked_t = now_t if self._asked_t is None else self._asked_t
        engine.rest()
        try:
            if self.around.watch.quiet() or now_t - self._asked_t > QUIET_WITHIN_S:
                engine.send_signal(number)
            else:  # not sent, so it is wanted again at the next turn
                self.supervision = msgspec.structs.replace(self.supervision, climb=None)
        finally:
            engine.resume()

    def _suspend(self) -> None:
        if self.engine is not None:
            self.engine.suspend()
            self.note(ev.Paused(by="signal"))

    def _continue(self) -> None:
        if self.engine is not None:
            since_t, now_t = self.supervision.run.paused_since_t, self._now().t
            self.engine.resume()
            self.note(ev.Resumed(paused_seconds=None if since_t is None else now_t - since_t))
