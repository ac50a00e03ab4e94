"""The supervisor's shell, turn by turn, with fakes at the seams and a real folder and socket."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from fakes import FakeClock, FakeEngine, FakeHost, FakeProbe, FakeStream, FakeWatch, samples
from small_disk import fill, small_disk

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, PauseRun, Reply, ResumeRun, StopRun
from timellm_ops.contract.config import PolicySection, ThermalSection
from timellm_ops.contract.control import Control, Heartbeat
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.telemetry import GpuProcess, GpuSample, HostSample
from timellm_ops.control_socket import send_request
from timellm_ops.journal import Journal, read_records
from timellm_ops.probe.protocol import Unreadable
from timellm_ops.process.engine import ExitStatus
from timellm_ops.process.identity import ProcessIdentity
from timellm_ops.supervisor import core
from timellm_ops.supervisor.loop import GONE_AFTER_S, QUIET_WITHIN_S, Supervisor, Surroundings
from timellm_ops.supervisor.rebuild import recall, take_over
from timellm_ops.supervisor.reception import Reception
from timellm_ops.supervisor.restart import Patience
from timellm_policies import decide


@dataclass
class Bench:
    """A supervisor with everything around it at hand."""

    root: Path
    foreign: bool = False
    readings: list[float | None] = field(default_factory=lambda: [50.0])

    def __post_init__(self) -> None:
        self.layout = RunLayout(self.root)
        self.clock = FakeClock()
        self.stream = FakeStream()
        self.watch = FakeWatch()
        self.engine = FakeEngine()
        self.relaunched: list[FakeEngine | OSError] = []
        """What the next starts come to."""
        self.pieces: list[int] = []
        self.probe = FakeProbe(readings=samples(self.readings))
        self.host = FakeHost()
        self.journal = Journal.open(self.layout.journal)
        self.socket = self.root / "s"
        self.supervisor = self.make(core.Supervision())
        self.supervisor.note(
            ev.RunStarted(
                run_id="20260131-214503-t-0000",
                name="t",
                engine="foreign" if self.foreign else "timellm",
                gpu="simulated",
            )
        )
        self.supervisor.note(ev.EngineStarted(pid=4711))

    def make(self, supervision: core.Supervision) -> Supervisor:
        self.reception = Reception(self.clock, path=lambda: self.socket, announce=lambda _: None)
        self.reception.open()
        return Supervisor(
            around=Surroundings(
                layout=self.layout,
                clock=self.clock,
                journal=self.journal,
                stream=self.stream,
                watch=self.watch,
                probe=self.probe,
                host=self.host,
                reception=self.reception,
                pid=99,
                relaunch=self.relaunch,
            ),
            settings=core.Settings(
                policy=PolicySection(thermal=ThermalSection(samples=1, window=1, min_dwell_s=0.0)),
                stop_grace_s=5.0,
                decide=decide,
                patience=Patience(restarts=1, restart_after_s=5.0),
            ),
            supervision=supervision,
            engine=self.engine,
        )

    def relaunch(self, pieces: int) -> FakeEngine:
        self.pieces.append(pieces)
        made = self.relaunched.pop(0)
        if isinstance(made, OSError):
            raise made
        return made

    def turn(self, seconds: float = 1.0) -> None:
        self.clock.t += seconds
        self.supervisor.turn()

    def ask(self, request: AnyRequest) -> Reply:
        """Send a request over the real socket while a turn is made."""
        replies: list[Reply] = []
        client = threading.Thread(
            target=lambda: replies.append(send_request(self.socket, request, 20.0))
        )
        client.start()
        while client.is_alive():
            self.turn(0.01)
            client.join(0.01)
        return replies[0]

    def control(self) -> Control:
        return msgspec.json.decode(self.layout.control.read_bytes(), type=Control)

    def events(self) -> list[ev.Event]:
        return [record.event for record in read_records(self.layout.journal)]

    def kinds(self) -> list[str]:
        events = [e for e in self.events() if not isinstance(e, ev.Telemetry)]
        return [type(event).__name__ for event in events]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.reception.close()


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, foreign=True)
    yield made
    made.reception.close()


def training() -> ev.TrainingStarted:
    return ev.TrainingStarted(
        epochs=2, steps_per_epoch=10, batch_size=4, train_samples=40, vali_samples=8,
        test_samples=8, trainable_parameters=1, frozen_parameters=1, backbone="b", device="cpu",
        patience=3,
    )  # fmt: skip


def test_what_the_engine_says_is_journaled_with_the_bytes_it_accounts_for(bench: Bench) -> None:
    bench.stream.say(training(), ev.Progress(iteration=1, epoch=1, loss=0.5))
    bench.turn()
    records = [r for r in read_records(bench.layout.journal) if r.engine_offset is not None]
    assert [type(r.event) for r in records] == [ev.TrainingStarted, ev.Progress]
    assert [r.engine_offset for r in records] == [100, 200]
    assert bench.supervisor.supervision.run.iteration == 1


def test_each_turn_leaves_a_sign_of_life(bench: Bench) -> None:
    bench.turn(5.0)
    beat = msgspec.json.decode(bench.layout.heartbeat.read_bytes(), type=Heartbeat)
    assert (beat.pid, beat.t) == (99, bench.clock.t)


def test_heat_pauses_and_cold_resumes_and_both_are_in_the_journal(bench: Bench) -> None:
    bench.probe.readings = samples([50.0, 86.0, 80.0, 74.0])
    bench.turn()
    bench.turn()
    assert bench.control().desired == "pause"
    bench.turn()
    assert bench.control().desired == "pause"  # within the band nothing changes
    bench.turn()
    assert bench.control().desired == "run"
    decisions = [e for e in bench.events() if isinstance(e, ev.PolicyDecision)]
    assert [(d.action, d.value) for d in decisions] == [("pause", 86.0), ("resume", 74.0)]
    assert all(d.reason for d in decisions)


def test_a_request_is_answered_journaled_and_acted_on(bench: Bench) -> None:
    bench.turn()
    assert bench.ask(PauseRun(who="tester")).ok
    assert bench.control().desired == "pause"
    assert bench.ask(ResumeRun(who="tester")).ok
    assert bench.control().desired == "run"
    commands = [(e.who, e.what) for e in bench.events() if isinstance(e, ev.Command)]
    assert commands == [("tester", "pause"), ("tester", "resume")]


def test_a_stop_is_told_to_the_engine_and_its_end_is_the_end_of_the_run(bench: Bench) -> None:
    bench.stream.say(training(), ev.Progress(iteration=3, epoch=1, loss=0.5))
    bench.turn()
    assert bench.ask(StopRun()).ok
    assert bench.control().desired == "stop_now"
    saved = ev.CheckpointSaved(kind="last", path="p", bytes=1, epoch=1, iteration=3)
    bench.stream.say(ev.ControlAcknowledged(sequence=2, desired="stop_now"), saved)
    manifest = bench.layout.checkpoints / "last" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}", encoding="utf-8")
    bench.engine.ended = ExitStatus(code=0)
    bench.turn()
    assert bench.supervisor.exit_code == 0
    last = bench.events()[-1]
    assert isinstance(last, ev.RunEnded)
    assert last.outcome == "stopped"


def test_an_engine_that_is_killed_is_started_again_and_followed_like_the_first(
    bench: Bench,
) -> None:
    second = FakeEngine(identity=ProcessIdentity(4712, 2, "boot"))
    bench.relaunched = [second]
    bench.stream.say(training(), ev.Progress(iteration=3, epoch=1, loss=0.5))
    bench.turn()
    sequence = bench.control().sequence
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    bench.turn()
    assert bench.kinds()[-2:] == ["EngineExited", "EngineRestart"]
    assert bench.engine.signals == [signal.SIGKILL]  # for what it may have left behind
    bench.turn(4.0)
    assert bench.supervisor.engine is None
    bench.turn(1.0)
    assert bench.supervisor.engine is second
    assert bench.pieces == [1]
    assert bench.control().sequence > sequence
    bench.stream.say(training(), ev.Progress(iteration=4, epoch=1, loss=0.5))
    bench.turn()
    assert bench.supervisor.supervision.run.iteration == 4
    second.ended = ExitStatus(code=1)
    bench.turn()
    assert bench.kinds()[-3:] == ["Progress", "EngineExited", "RunEnded"]
    assert bench.supervisor.exit_code == 4


def test_an_engine_that_cannot_be_started_again_ends_the_run(bench: Bench) -> None:
    bench.relaunched = [OSError("no more processes")]
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    bench.turn()
    bench.turn(5.0)
    last = bench.events()[-1]
    assert isinstance(last, ev.RunEnded)
    assert (last.outcome, bench.supervisor.exit_code) == ("failed", 4)
    assert "no more processes" in last.reason


def test_an_engine_that_cannot_be_started_for_a_while_is_started_later(bench: Bench) -> None:
    patience = Patience(restarts=2, restart_after_s=5.0)
    bench.supervisor.settings = msgspec.structs.replace(
        bench.supervisor.settings, patience=patience
    )
    second = FakeEngine()
    bench.relaunched = [OSError("no more processes"), second]
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    bench.turn()
    bench.turn(5.0)
    again = bench.events()[-1]
    assert isinstance(again, ev.EngineRestart)
    assert (again.attempt, again.wait_s) == (2, 10.0)
    assert "no more processes" in again.reason
    bench.turn(9.0)
    assert bench.supervisor.engine is None
    bench.turn(1.0)
    assert bench.supervisor.engine is second
    assert bench.supervisor.exit_code is None


def test_a_supervisor_that_takes_over_during_the_wait_starts_the_engine(bench: Bench) -> None:
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    bench.turn()
    bench.reception.close()
    past = recall(read_records(bench.layout.journal))
    second = FakeEngine()
    bench.relaunched = [second]
    bench.supervisor = bench.make(take_over(past, None, bench.clock.t))
    bench.supervisor.engine = None
    bench.turn(1.0)
    assert bench.pieces == []
    bench.turn(4.0)
    assert bench.supervisor.engine is second


def test_what_the_probe_says_only_once_is_not_lost_by_looking_at_it_first(bench: Bench) -> None:
    gone = Unreadable(reason="no driver", permanent=True)
    bench.probe.readings = [gone]
    assert bench.supervisor.readings.first(5.0) == gone
    bench.probe.readings = []  # it has said so, and is silent from then on
    bench.turn()
    assert bench.supervisor.supervision.run.telemetry_gone
    for _ in range(3):
        bench.turn(40.0)
    assert bench.control().desired == "run"


def test_a_probe_that_says_nothing_is_waited_for_no_longer_than_asked(bench: Bench) -> None:
    bench.probe.readings = []
    began = bench.clock.t
    assert bench.supervisor.readings.first(5.0) is None
    assert 5.0 <= bench.clock.t - began < 6.0


def test_the_last_words_of_an_engine_come_before_its_end(bench: Bench) -> None:
    bench.turn()
    bench.stream.say(ev.EngineFailed(message="the loss is not a number", kind="training"))
    bench.engine.ended = ExitStatus(code=4)
    bench.turn()
    assert bench.kinds()[-3:] == ["EngineFailed", "EngineExited", "RunEnded"]
    assert bench.supervisor.exit_code == 4


def test_a_save_that_a_full_disk_kept_the_engine_from_telling_counts(bench: Bench) -> None:
    bench.stream.say(training(), ev.Progress(iteration=3, epoch=1, loss=0.5))
    bench.turn()
    assert bench.ask(StopRun()).ok
    manifest = bench.layout.checkpoints / "last" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"epoch": 1, "iteration": 7, "files": {"a": {"bytes": 5}}}')
    bench.engine.ended = ExitStatus(code=0)
    bench.turn()
    assert bench.kinds()[-3:] == ["CheckpointSaved", "EngineExited", "RunEnded"]
    run = bench.supervisor.supervision.run
    assert (run.outcome, run.exit_code, run.steps_at_risk) == ("stopped", 0, 0)
    assert run.last is not None
    assert run.last.step == 7
    assert "at step 7 of 20" in run.end_reason


def test_a_last_line_without_its_end_is_read_once_the_engine_is_gone(foreign: Bench) -> None:
    foreign.stream.unended = [ev.Progress(iteration=9, epoch=1, loss=0.5)]
    foreign.turn()
    assert foreign.supervisor.supervision.run.iteration == 0
    foreign.engine.ended = ExitStatus(code=0)
    foreign.turn()
    assert foreign.supervisor.supervision.run.iteration == 9
    assert foreign.kinds()[-3:] == ["Progress", "EngineExited", "RunEnded"]


def test_the_checkpoint_watch_is_told_when_the_engine_goes_on(foreign: Bench) -> None:
    foreign.stream.say(
        ev.CheckpointWriting(kind="best"), ev.Progress(iteration=1, epoch=2, loss=0.5)
    )
    foreign.turn()
    assert (len(foreign.watch.expected), foreign.watch.told_on) == (1, 1)


def test_what_an_engine_leaves_behind_is_killed(bench: Bench) -> None:
    bench.engine.ended = ExitStatus(signal=9)
    bench.turn()
    assert bench.engine.signals == [signal.SIGKILL]


def test_a_foreign_script_is_suspended_and_continued(foreign: Bench) -> None:
    foreign.probe.readings = samples([50.0, 86.0, 74.0])
    foreign.turn()
    foreign.turn()
    assert foreign.engine.suspended
    assert foreign.supervisor.supervision.run.standing
    foreign.turn()
    assert not foreign.engine.suspended
    assert [k for k in foreign.kinds() if k in ("Paused", "Resumed")] == ["Paused", "Resumed"]
    assert not foreign.layout.control.exists()


def test_the_seconds_of_a_pause_do_not_make_a_file_look_done(foreign: Bench) -> None:
    foreign.probe.readings = samples([50.0, 86.0, 86.0, 86.0, 74.0, 74.0, 74.0])
    for seconds in (1.0, 1.0, 500.0, 500.0, 1.0, 1.0, 1.0):
        foreign.turn(seconds)
    assert foreign.kinds().count("Resumed") == 1
    polled_t = foreign.watch.polled_t
    assert polled_t[-1] - polled_t[0] == pytest.approx(3.0)
    assert polled_t == sorted(polled_t)


def pace(foreign: Bench, duty: float) -> None:
    foreign.supervisor.settings = msgspec.structs.replace(
        foreign.supervisor.settings, pace_by_stops=True
    )
    foreign.supervisor.note(
        ev.PolicyDecision(action="pace", rule="governor", reason="warm", value=duty)
    )


def test_a_foreign_script_rests_and_wakes_and_the_watch_waits_meanwhile(foreign: Bench) -> None:
    pace(foreign, 0.5)
    for _ in range(24):
        foreign.turn(0.25)
    log = foreign.engine.log
    assert log[:4] == ["rest", "resume", "rest", "resume"]
    assert "Paused" not in foreign.kinds()
    polled_t = foreign.watch.polled_t
    assert polled_t[-1] - polled_t[0] == pytest.approx(0.5 * 23 * 0.25, abs=0.8)


def test_a_supervisor_that_leaves_lets_go_who_rests(foreign: Bench) -> None:
    pace(foreign, 0.1)
    while not foreign.engine.suspended:
        foreign.turn(0.25)
    foreign.supervisor.leave()
    assert not foreign.engine.suspended


def test_one_that_is_paused_is_left_so(foreign: Bench) -> None:
    foreign.probe.readings = samples([86.0])
    foreign.turn()
    assert foreign.engine.suspended
    foreign.supervisor.leave()
    assert foreign.engine.suspended


def test_the_watch_is_told_that_the_engine_is_gone(foreign: Bench) -> None:
    foreign.turn()
    assert not foreign.watch.left
    foreign.engine.ended = ExitStatus(code=0)
    foreign.turn()
    assert foreign.watch.left


def stopping_after_its_checkpoint(foreign: Bench) -> None:
    foreign.turn()
    foreign.supervisor.note(ev.Command(who="test", what="stop after_checkpoint"))
    foreign.watch.seen = [ev.CheckpointSaved(kind="best", path="p", bytes=3)]
    foreign.turn()


def test_a_script_that_writes_again_already_is_not_interrupted_in_it(foreign: Bench) -> None:
    foreign.watch.writes = True
    stopping_after_its_checkpoint(foreign)
    for _ in range(5):
        foreign.turn()
    assert foreign.engine.signals == []
    assert not foreign.engine.suspended
    assert foreign.engine.log == ["rest", "resume"] * 6
    foreign.watch.writes = False
    foreign.turn()
    assert foreign.engine.signals == [signal.SIGINT]
    assert not foreign.engine.suspended


def test_a_script_that_is_to_stop_without_its_checkpoint_is_interrupted_at_once(
    foreign: Bench,
) -> None:
    foreign.turn()
    foreign.watch.writes = True
    foreign.supervisor.note(ev.Command(who="test", what="stop checkpoint"))
    foreign.turn()
    assert foreign.engine.signals == [signal.SIGINT]


def test_a_script_that_does_not_end_of_it_is_ended_whatever_it_writes(foreign: Bench) -> None:
    stopping_after_its_checkpoint(foreign)
    foreign.turn()
    assert foreign.engine.signals == [signal.SIGINT]
    foreign.watch.writes = True
    foreign.turn(6.0)  # longer than the grace
    assert foreign.engine.signals == [signal.SIGINT, signal.SIGTERM]


def test_ctrl_c_while_an_ended_scripts_checkpoint_is_waited_for_signals_nobody(
    foreign: Bench,
) -> None:
    foreign.turn()
    foreign.watch.pending = True
    foreign.engine.ended = ExitStatus(code=0)
    foreign.turn()
    foreign.supervisor.interrupts = 1
    foreign.turn()
    assert foreign.engine.signals == [signal.SIGKILL]  # for what it may have left behind


def test_a_script_that_writes_without_an_end_is_interrupted_all_the_same(foreign: Bench) -> None:
    foreign.watch.writes = True
    stopping_after_its_checkpoint(foreign)
    foreign.turn(QUIET_WITHIN_S + 1.0)
    assert foreign.engine.signals == [signal.SIGINT]


def test_a_foreign_checkpoint_is_waited_for_after_the_script_has_ended(foreign: Bench) -> None:
    foreign.turn()
    foreign.stream.say(ev.CheckpointWriting(kind="best", vali_mse=0.4))
    foreign.turn()
    assert len(foreign.watch.expected) == 1
    foreign.watch.pending = True
    foreign.engine.ended = ExitStatus(code=0)
    foreign.turn()
    assert foreign.supervisor.exit_code is None
    foreign.watch.seen = [ev.CheckpointSaved(kind="best", path="p", bytes=3)]
    foreign.watch.pending = False
    foreign.turn()
    assert foreign.kinds()[-3:] == ["CheckpointSaved", "EngineExited", "RunEnded"]
    assert foreign.supervisor.exit_code == 0


def test_a_missing_checkpoint_does_not_keep_an_ended_script_from_its_verdict(
    foreign: Bench,
) -> None:
    foreign.watch.pending = True
    foreign.engine.ended = ExitStatus(code=0)
    for _ in range(5):
        foreign.turn(5.0)
    assert foreign.supervisor.exit_code == 0


def test_a_control_file_that_cannot_be_written_is_told_once_and_tried_again(bench: Bench) -> None:
    bench.layout.control.mkdir()  # nothing can be renamed over a folder that is not empty
    (bench.layout.control / "x").touch()
    for _ in range(3):
        bench.turn()
    alerts = [e for e in bench.events() if isinstance(e, ev.Alert)]
    assert len(alerts) == 1
    assert "control.json" in alerts[0].message
    (bench.layout.control / "x").unlink()
    bench.layout.control.rmdir()
    bench.turn()
    assert bench.control().desired == "run"


def test_ctrl_c_climbs_the_ladder(bench: Bench) -> None:
    bench.stream.say(training())
    bench.turn()
    bench.supervisor.interrupts = 1
    bench.turn()
    assert (bench.control().desired, bench.engine.signals) == ("stop_now", [])
    bench.supervisor.interrupts = 2
    bench.turn()
    assert bench.engine.signals == [signal.SIGTERM]
    bench.supervisor.interrupts = 3
    bench.turn()
    assert bench.engine.signals == [signal.SIGTERM, signal.SIGKILL]


def test_a_successor_knows_what_its_predecessor_knew(bench: Bench) -> None:
    bench.probe.readings = samples([86.0])
    bench.stream.say(training(), ev.Progress(iteration=7, epoch=1, loss=0.25))
    for _ in range(3):
        bench.turn()
    before = bench.supervisor.supervision
    past = recall(read_records(bench.layout.journal))
    after = take_over(past, bench.control(), bench.clock.t)
    assert after.run == before.run
    assert after.memory == before.memory
    assert after.control == before.control
    assert after.recent == before.recent
    assert past.engine_offset == bench.stream.offset


def test_a_socket_that_vanishes_is_opened_anew(bench: Bench) -> None:
    bench.turn()
    bench.socket.unlink()
    bench.turn(10.0)
    assert bench.ask(PauseRun()).ok


def test_a_run_without_a_socket_goes_on_and_is_announced(tmp_path: Path) -> None:
    told: list[Path | None] = []
    nowhere = tmp_path / "file"
    nowhere.touch()
    reception = Reception(FakeClock(), path=lambda: nowhere / "s", announce=told.append)
    assert told == []
    reception.open()
    assert reception.wait(0.1) == []
    assert told == [None]
    assert str(nowhere) in reception.problem


def test_what_an_earlier_engine_left_is_journaled_with_its_bytes_before_a_new_start(
    bench: Bench,
) -> None:
    bench.stream.say(training(), ev.Progress(iteration=5, epoch=1, loss=0.5))
    bench.supervisor.drain()
    bench.supervisor.note(ev.RunStarted(run_id="r", name="t", engine="timellm", resumed=True))
    last = list(read_records(bench.layout.journal))[-3:]
    assert [type(r.event) for r in last] == [ev.TrainingStarted, ev.Progress, ev.RunStarted]
    assert [r.engine_offset for r in last] == [100, 200, None]
    assert recall(read_records(bench.layout.journal)).engine_offset == 200


def test_processes_on_the_gpu_are_told_apart_by_whose_they_are(bench: Bench) -> None:
    bench.engine.children = [4712]
    listed = tuple(GpuProcess(pid=pid) for pid in (4711, 4712, 99))
    bench.probe.readings = [
        GpuSample(source="nvml", temperature_c=50.0, processes=listed),
        GpuSample(source="nvml", temperature_c=50.0, processes=None),
    ]
    bench.turn()
    seen = bench.supervisor.supervision.run.sample
    assert seen is not None
    assert [(p.pid, p.of_run) for p in seen.processes or ()] == [
        (4711, True), (4712, True), (99, False),
    ]  # fmt: skip
    bench.turn()
    seen = bench.supervisor.supervision.run.sample
    assert seen is not None
    assert seen.processes is None


def test_the_process_table_is_read_only_when_another_process_turns_up(bench: Bench) -> None:
    walks: list[int] = []
    own = bench.engine.pids
    bench.engine.pids = lambda: (walks.append(1), own())[1]  # type: ignore[method-assign]
    first = GpuSample(source="nvml", processes=(GpuProcess(pid=4711),))
    second = GpuSample(source="nvml", processes=(GpuProcess(pid=4711), GpuProcess(pid=5)))
    bench.probe.readings = [first, first, first, second, second, first]
    for _ in range(6):
        bench.turn()
    assert len(walks) == 3


def test_each_reading_of_the_machine_is_on_record(bench: Bench) -> None:
    first, second = HostSample(disk_free_bytes=9), HostSample(disk_free_bytes=8)
    bench.host.waiting += [first, second]
    for _ in range(4):
        bench.turn()
    told = [event.sample for event in bench.events() if isinstance(event, ev.HostTelemetry)]
    assert told == [first, second]
    assert bench.supervisor.supervision.run.host == second


def test_what_a_full_disk_kept_waiting_is_written_in_a_quiet_turn(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=128) as disk:
        bench = Bench(disk, readings=[])
        bench.turn()
        filler = fill(disk)
        for number in range(100):
            bench.supervisor.note(ev.Alert(level="info", message=f"{number} " + "x" * 100))
        assert bench.journal.problem
        bench.turn()
        filler.unlink()
        quiet = len(bench.supervisor.supervision.run.notices)
        for _ in range(5):
            bench.turn()
        assert len(bench.supervisor.supervision.run.notices) == quiet
        assert not bench.journal.problem
        told = [e.message for e in bench.events() if isinstance(e, ev.Alert)]
        assert f"99 {'x' * 100}" in told
        bench.journal.close()
        bench.reception.close()


def test_a_run_is_deleted_once_its_journal_is_missing_for_a_while(bench: Bench) -> None:
    bench.turn()
    bench.layout.journal.unlink()
    bench.turn(GONE_AFTER_S)
    assert bench.supervisor.exit_code is None
    bench.turn(2.0)
    assert bench.supervisor.exit_code == 4
    assert bench.engine.signals == [signal.SIGKILL]


def test_a_folder_that_cannot_be_looked_at_is_not_a_deleted_run(bench: Bench) -> None:
    bench.turn()
    aside = bench.layout.journal.rename(bench.root / "aside")
    bench.layout.journal.symlink_to(bench.layout.journal)  # whoever follows it gets an error
    for _ in range(5):
        bench.turn(GONE_AFTER_S)
    bench.layout.journal.unlink()
    aside.rename(bench.layout.journal)
    bench.turn(GONE_AFTER_S)
    assert bench.supervisor.exit_code is None
    assert bench.engine.signals == []


@contextmanager
def ended_on_a_full_disk(tmp_path: Path) -> Iterator[tuple[Bench, Path]]:
    """With its engine gone, records that wait, and what fills the disk."""
    with small_disk(tmp_path / "disk") as disk:
        bench, filler = Bench(disk), fill(disk)
        bench.supervisor.note(ev.Alert(level="info", message="more than a page" * 300))
        assert bench.journal.waiting
        bench.engine.ended = ExitStatus(code=0)
        yield bench, filler
        bench.reception.close()


def test_the_end_of_a_run_on_a_full_disk_is_written_once_there_is_room(tmp_path: Path) -> None:
    with ended_on_a_full_disk(tmp_path) as (bench, filler):
        made_room = threading.Timer(0.5, filler.unlink)
        made_room.start()
        assert bench.supervisor.run() == 4
        made_room.join()
        assert bench.kinds()[-2:] == ["EngineExited", "RunEnded"]


def test_an_order_to_stop_ends_the_wait_for_room_too(tmp_path: Path) -> None:
    with ended_on_a_full_disk(tmp_path) as (bench, _):
        replies: list[Reply] = []

        def ask() -> None:
            while bench.supervisor.exit_code is None:
                time.sleep(0.01)
            replies.append(send_request(bench.socket, StopRun(), 20.0))

        client = threading.Thread(target=ask)
        client.start()
        assert bench.supervisor.run() == 4
        client.join()
        (reply,) = replies
        assert reply.ok
        assert reply.message.startswith("the engine is gone, and how the run ended stays unwritten")


def test_nobody_waits_for_room_against_a_persons_will(tmp_path: Path) -> None:
    with ended_on_a_full_disk(tmp_path) as (bench, _):

        def interrupt() -> None:
            bench.supervisor.interrupts += 1

        signalled = threading.Timer(0.5, interrupt)
        signalled.start()
        assert bench.supervisor.run() == 4
        signalled.join()
