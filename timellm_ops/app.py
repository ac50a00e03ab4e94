"""Composition root: puts a supervisor together and lets it run in a process of its own.

`start_supervisor` is what the command line calls; `main` is what runs in the new process, as
`python -m timellm_ops.app`. The new process leads a session of its own, so that it outlives the
terminal, and takes its orders from standard input, one JSON object.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Literal, assert_never

import msgspec
from msgspec import Struct

from timellm_ops.adapters import open_stream, open_watch
from timellm_ops.clock import SystemClock, machine_zone
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config
from timellm_ops.contract.control import Control
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.control_socket import socket_path
from timellm_ops.journal import Journal, JournalFollower, read_records
from timellm_ops.probe import Unreadable, open_probe
from timellm_ops.probe.host import BackgroundHostProbe, HostReader
from timellm_ops.process.engine import (
    EngineHandle,
    ExitStatus,
    adopt,
    launch,
    mark_of,
    recorded_exit,
)
from timellm_ops.process.files import read_json
from timellm_ops.process.identity import identify, is_alive
from timellm_ops.process.lock import FileLock
from timellm_ops.process.marks import environment_of
from timellm_ops.process.records import (
    EngineRecord,
    SupervisorRecord,
    read_record,
    write_record,
)
from timellm_ops.process.tree import kill_tree
from timellm_ops.store import load_config
from timellm_ops.supervisor.claim import elsewhere, full
from timellm_ops.supervisor.core import Settings, next_control
from timellm_ops.supervisor.gpu_claim import GpuClaim
from timellm_ops.supervisor.loop import Supervisor, Surroundings
from timellm_ops.supervisor.rebuild import Past, recall, start_anew, take_over
from timellm_ops.supervisor.reception import Reception
from timellm_ops.supervisor.restart import Patience

_START_WITHIN_S = 30.0
_ENDS_WITHIN_S = 2.0
"""How long a supervisor whose start was given up is waited for: most are gone at once."""
_LOCK_WITHIN_S = 15.0
"""How long a start waits for the supervisor before it to let go of the run."""
_ENGINE_LOOKS_S = 1.0
"""How long whoever takes over a run tries for the lock, which the engine may hold for an instant as
it looks whether anybody has it."""
_LOOK_EVERY_S = 0.02
_TAKEN = 9
"""The exit code of a supervisor that found another one in charge."""

Mode = Literal["start", "resume", "adopt"]
"""`start`: a run that has never run; `resume`: one that has ended, from its last checkpoint;
`adopt`: one whose supervisor is gone."""


class Order(Struct, frozen=True, kw_only=True):
    """What the new process is told."""

    root: str
    mode: Mode
    findings: tuple[str, ...] = ()
    """Of the checks before the start."""
    command: str = ""
    """The command line that asked for the run."""
    journal_bytes: int | None = None
    """What was read of the journal as the run was found ready to start or to be resumed; `None`:
    nobody looked. A start that is on record after it is somebody else's, who was faster."""


class SupervisorFailed(RuntimeError):  # noqa: N818 - it says what happened
    """No supervisor came up. The text is one line."""


def start_supervisor(order: Order, within_s: float = _START_WITHIN_S) -> None:
    """Start a supervisor process and wait until it is in charge. Raises `SupervisorFailed`.

    Whoever does not wait for a start to its end (Ctrl+C) has it end; one that has begun its run by
    then stops it as after any such signal.
    """
    layout = RunLayout(Path(order.root))
    log = os.open(layout.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "timellm_ops.app"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise SupervisorFailed(f"no supervisor could be started: {error}") from error
    finally:
        os.close(log)
    assert child.stdin is not None  # noqa: S101 - for the type checker
    try:
        with contextlib.suppress(BrokenPipeError), child.stdin as orders:
            orders.write(msgspec.json.encode(order))
        _wait_until_in_charge(layout, child, within_s, adopting=order.mode == "adopt")
    except BaseException:
        if order.mode != "adopt":  # no run is to begin behind the back of who gave it up
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_ENDS_WITHIN_S)  # whatever it has begun by then is on record
        raise


def _wait_until_in_charge(
    layout: RunLayout, child: subprocess.Popen[bytes], within_s: float, *, adopting: bool
) -> None:
    give_up_t = time.monotonic() + within_s
    while time.monotonic() < give_up_t:
        code = child.poll()
        record = read_record(layout.supervisor_process, SupervisorRecord)
        if record is not None and record.process.pid == child.pid:
            return
        if adopting and (code == 0 or (record is not None and is_alive(record.process))):
            return  # somebody else was faster, and one is enough
        if code == _TAKEN:
            raise SupervisorFailed(
                f"another supervisor has this run already: timellm-ops attach {layout.run_id}"
            )
        if code is not None:
            raise SupervisorFailed(
                f"the supervisor ended with code {code} as it began: see {layout.supervisor_log}"
            )
        time.sleep(_LOOK_EVERY_S)
    raise SupervisorFailed(
        f"the supervisor is not up after {within_s:g} s: see {layout.supervisor_log}"
    )


def main() -> int:
    """The supervisor process: take charge of the run that standard input names, until it ends."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    layout = RunLayout(Path(order.root))
    lock = FileLock.acquire(layout.supervisor_lock)
    patience_s = _ENGINE_LOOKS_S if order.mode == "adopt" else _LOCK_WITHIN_S
    give_up_t = time.monotonic() + patience_s
    others = _StartsOfOthers(layout, order)
    while lock is None and not others.seen() and time.monotonic() < give_up_t:
        time.sleep(_LOOK_EVERY_S)
        lock = FileLock.acquire(layout.supervisor_lock)
    if lock is None:
        sys.stderr.write("another supervisor has this run\n")
        return 0 if order.mode == "adopt" else _TAKEN
    with lock:
        if others.seen():
            # Whatever has become of it since, a stop of it included, is not to be undone.
            sys.stderr.write("another supervisor has had this run since\n")
            return _TAKEN
        return _supervise(layout, load_config(layout), order)


class _StartsOfOthers:
    """Whether somebody else has started the run after it was found that it may be."""

    def __init__(self, layout: RunLayout, order: Order) -> None:
        looked = order.journal_bytes
        self._journal = None if looked is None else JournalFollower(layout.journal, looked)
        self._seen = False

    def seen(self) -> bool:
        """Whether one is on record by now. Raises `OSError`."""
        while self._journal is not None and not self._seen and (new := self._journal.poll()):
            self._seen = any(isinstance(record.event, ev.RunStarted) for record in new)
        return self._seen


def _supervise(layout: RunLayout, config: Config, order: Order) -> int:
    past = recall(read_records(layout.journal))
    if order.mode == "adopt" and past.run.ended:
        return 0  # somebody else was faster, and there is nothing left to adopt
    engine: list[EngineHandle] = []
    living = adopt(layout)
    if living is not None:
        engine.append(living)
    elif (before := read_record(layout.engine_process, EngineRecord)) is not None:
        kill_tree(before.process, mark_of(layout))  # what an engine that is gone has left behind
    with (
        GpuClaim(layout.run_id, share=config.gpu.share) as claim,
        _surroundings(layout, config, past, engine, claim) as around,
    ):
        supervisor = _prepared(around, config, past, living)
        _listen_to_signals(supervisor)
        match order.mode:
            case "adopt":
                pid = None if living is None else living.identity.pid
                supervisor.note(ev.Adopted(supervisor_pid=around.pid, engine_pid=pid))
                # An engine is there already, whoever else is; one that is yet to be started again
                # finds out then. Nobody waits for the driver meanwhile.
                claim.take(past.run.sample)
                around.reception.open()
                if living is not None and config.foreign.command:
                    # The one before may have been killed between a signal and its record.
                    if past.run.standing:
                        living.suspend()
                    else:
                        living.resume()
            case "start" | "resume":
                supervisor.drain()
                if living is None and supervisor.supervision.memory.all_done:
                    # Its last engine has done everything, and nobody was there to write it down.
                    supervisor.note(ev.Adopted(supervisor_pid=around.pid, engine_pid=None))
                    around.reception.open()
                elif living is None and not _launch(supervisor, config, order, engine, claim):
                    return 3
            case _:
                assert_never(order.mode)
        if around.reception.problem:
            supervisor.note(ev.Alert(level="error", message=around.reception.problem))
        try:
            return supervisor.run()
        finally:
            supervisor.leave()


@contextlib.contextmanager
def _surroundings(
    layout: RunLayout,
    config: Config,
    past: Past,
    engine: list[EngineHandle],
    claim: GpuClaim,
) -> Iterator[Surroundings]:
    """Open everything a supervisor needs, and close it however the supervisor ends."""
    clock = SystemClock()
    own = identify(os.getpid())
    assert own is not None  # noqa: S101 - this process is there
    with contextlib.ExitStack() as stack:
        journal = Journal.open(
            layout.journal, environment_of(engine[-1].identity) if engine else None
        )
        stack.callback(journal.close)
        probe = open_probe(config.gpu, activity=lambda: engine[-1].cpu_seconds() if engine else 0.0)
        stack.callback(probe.close)
        host = BackgroundHostProbe(config.host, HostReader(layout.root))
        stack.callback(host.close)
        reception = Reception(
            clock,
            path=lambda: socket_path(layout.root),
            announce=lambda path: write_record(
                layout.supervisor_process,
                SupervisorRecord(process=own, socket="" if path is None else str(path)),
            ),
        )
        stack.callback(reception.close)
        yield Surroundings(
            layout=layout,
            clock=clock,
            journal=journal,
            stream=open_stream(layout, config, past.engine_offset),
            watch=open_watch(
                layout,
                config,
                past.run,
                being_written=lambda wanted: (
                    engine[-1].open_for_writing(wanted) if engine else frozenset()
                ),
            ),
            probe=probe,
            host=host,
            reception=reception,
            pid=own.pid,
            relaunch=lambda pieces: _started_again(
                layout, config, pieces, engine, claim.take(past.run.sample)
            ),
        )


def _prepared(
    around: Surroundings,
    config: Config,
    past: Past,
    living: EngineHandle | None,
) -> Supervisor:
    from timellm_policies import decide

    control = read_json(around.layout.control, Control)
    supervision = (
        take_over(past, control, around.clock.monotonic())
        if living is not None
        else start_anew(past, control)
    )
    return Supervisor(
        around=around,
        settings=Settings(
            policy=config.policy,
            gpu=config.gpu,
            zone=machine_zone(),
            stop_grace_s=config.supervisor.stop_grace_s,
            decide=decide,
            patience=Patience(
                restarts=config.supervisor.restarts,
                restart_after_s=config.supervisor.restart_after_s,
                orphan_after_s=config.supervisor.orphan_after_s,
            ),
            pace_by_stops=bool(config.foreign.command) and config.foreign.pace_by_stops,
        ),
        supervision=supervision,
        engine=living,
        gone=recorded_exit(around.layout) or ExitStatus(),
    )


def _launch(
    supervisor: Supervisor,
    config: Config,
    order: Order,
    engine: list[EngineHandle],
    claim: GpuClaim,
) -> bool:
    """Begin or resume the run with a new engine; whether there is one now."""
    around, foreign = supervisor.around, bool(config.foreign.command)
    supervisor.note(
        ev.RunStarted(
            run_id=around.layout.run_id,
            name=config.run.name,
            engine="foreign" if foreign else "timellm",
            command=order.command,
            gpu=around.probe.source,
            supervisor_pid=around.pid,
            resumed=order.mode == "resume",
        )
    )
    # No earlier: whoever is told that a supervisor is in charge looks at the journal next.
    around.reception.open()
    supervisor.note(ev.PreflightDone(findings=order.findings))
    if not foreign:
        # An engine that is resumed must not find the stop that ended it the last time.
        supervisor.write_control(next_control(supervisor.supervision))
    refusal = _claim_gpu(supervisor, config, claim)
    if refusal:
        supervisor.note(ev.EngineFailed(message=refusal, kind="preflight"))
        supervisor.note(ev.RunEnded(outcome="refused", exit_code=3, reason=refusal))
        return False
    try:
        started = launch(
            around.layout,
            config,
            resume=order.mode == "resume",
            pieces=supervisor.supervision.run.pieces,
        )
    except OSError as error:
        text = f"the engine could not be started: {error}"
        supervisor.note(ev.EngineFailed(message=text, kind="preflight"))
        supervisor.note(ev.RunEnded(outcome="refused", exit_code=3, reason=text))
        return False
    engine.append(started)
    supervisor.engine = started
    supervisor.note(ev.EngineStarted(pid=started.identity.pid))
    return True


def _claim_gpu(supervisor: Supervisor, config: Config, claim: GpuClaim) -> str:
    """Take the GPU for this run; why it cannot be had, if so: it is not here, another run has it,
    or it has no memory left.

    Only a first reading tells which one it is.
    """
    if supervisor.around.probe.source != "nvml":
        return ""
    sample = supervisor.readings.first(config.gpu.deadline_s)
    if isinstance(sample, Unreadable):
        return elsewhere(config.gpu, sample.others)
    if config.gpu.share or not isinstance(sample, GpuSample) or sample.uuid is None:
        return ""
    return claim.take(sample) or full(sample)


def _started_again(
    layout: RunLayout, config: Config, pieces: int, engine: list[EngineHandle], refusal: str
) -> EngineHandle:
    """Raises `OSError` where there can be no engine, or `refusal` says why there may be none."""
    if refusal:
        raise OSError(refusal)
    started = launch(layout, config, resume=True, pieces=pieces)
    engine.append(started)
    return started


def _listen_to_signals(supervisor: Supervisor) -> None:
    def interrupted(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        supervisor.interrupts += 1

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)


if __name__ == "__main__":
    sys.exit(main())
