"""What being watched costs, and how fast heat is answered.

    python benchmarks/supervision.py [--pairs 6] [--seconds 5] [--pauses 100] [--only PART]

Four parts, each a table:
- `engine`: an engine under a supervisor that reads a simulated GPU once a second, with a dashboard
  attached on a terminal of 120x40 that nobody touches, and while both are stopped, in turn: steps a
  second, and how long its threads waited for a processor (`queueing.py`). It begins after two
  minutes, when the dashboard has seen that it is left alone.
- `cost`: of one such run, share of a core and memory of supervisor and dashboard, at first and when
  that is left alone.
- `reaction`: from the reading above the threshold to the standing engine, over many pauses on a
  simulated GPU that heats and cools within seconds.
- `night`: reading the journal of 14 hours (`long_journal.py`), as a supervisor that takes over and
  as a dashboard, each in a process of its own, and their memory after a tenth and after all of it.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import long_journal
import psutil
from queueing import share_waited, threads_of
from run_record import events_of

from timellm_dashboard.attention import ATTENDED_S
from timellm_ops.configfile import read_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import read_records
from timellm_ops.manifest import collect_manifest
from timellm_ops.process.records import EngineRecord, SupervisorRecord, read_record
from timellm_ops.store import RunStore

PARTS = ("engine", "cost", "reaction", "night")
POLL_S = 1.0
MIB = 1 << 20
_LEFT_ALONE_S = ATTENDED_S + 10.0
_WARM_UP_STEPS = 10
_PATIENCE_S = 180.0
_KEPT_TEXT = 1 << 20
_LEAVES_WITHIN_S = 20.0

TRAINING = """
data.dataset = "synthetic"
model.attention_dropout = 0.0
train.epochs = 100
train.patience = 100
train.log_every = 20
gpu.probe = "simulated"
gpu.simulated.load_power_w = 60.0
"""
"""A GPU that never gets hot enough for anything to happen."""

HOT = """
data.dataset = "synthetic"
data.synthetic_rows = 4000
model.d_model = 8
model.n_heads = 2
model.d_ff = 8
model.num_prototypes = 20
train.epochs = 10000
train.patience = 10000
train.threads = 1
gpu.probe = "simulated"
gpu.poll_s = 0.25
gpu.simulated.time_scale = 60.0
gpu.simulated.load_power_w = 150.0
policy.thermal.samples = 1
policy.thermal.window = 1
policy.thermal.min_dwell_s = 0.0
policy.thermal.resume_below_c = 84.0
"""


class Night(NamedTuple):
    """How a journal was read."""

    seconds: float
    rss_bytes: int


def created(folder: Path, text: str, *overrides: str) -> RunLayout:
    """A run that is yet to be started."""
    path = folder / "benchmark.toml"
    path.write_text(text, encoding="utf-8")
    config = read_config(path, overrides)
    now = datetime.now(UTC)
    manifest = collect_manifest(
        now=now, command_line=["benchmark"], workdir=folder, gpu=config.gpu.probe, data=None
    )
    return RunStore(folder / "runs").create("benchmark", now, config, manifest)


# --- the engine, alone and watched ---------------------------------------------------------------


def _latest(layout: RunLayout) -> ev.Progress:
    progress = [e for e in events_of(layout.engine_events) if isinstance(e, ev.Progress)]
    return progress[-1]


def progress_after(layout: RunLayout, step: int, patience_s: float) -> ev.Progress:
    """The first progress from that step on. Ends the script where there is none in time."""
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        with contextlib.suppress(FileNotFoundError, IndexError):
            found = _latest(layout)
            if found.iteration >= step:
                return found
        time.sleep(0.2)
    raise SystemExit(f"{layout.root}: no step {step} within {patience_s:g} s")


@contextlib.contextmanager
def supervised(folder: Path, text: str, *overrides: str) -> Iterator[RunLayout]:
    """A run with its supervisor; ended at the end."""
    from timellm_ops.app import Order, start_supervisor

    layout = created(folder, text, *overrides)
    start_supervisor(Order(root=str(layout.root), mode="start"))
    try:
        yield layout
    finally:
        argv = [sys.executable, "-m", "timellm_ops.cli", "stop", layout.run_id, "--now", "--wait"]
        subprocess.run(argv, env=_env(folder), stdout=subprocess.DEVNULL, check=False)


class Screen:
    """A dashboard on a terminal of 120x40, all of whose output is read."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid, self._terminal = pid, terminal
        self.sent_bytes = 0
        self._text = ""
        threading.Thread(target=self._drain, daemon=True).start()

    def until(self, seen: Callable[[str], bool], patience_s: float) -> float:
        """The monotonic second in which that was on the screen, by what was sent to it."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            if seen(self._text):
                return time.monotonic()
            time.sleep(0.005)
        raise SystemExit("the dashboard did not show what was waited for")

    def leave(self) -> None:
        """Press q and wait for its end, which is brought about where it does not come."""
        with contextlib.suppress(OSError):
            os.write(self._terminal, b"q")
        give_up = time.monotonic() + _LEAVES_WITHIN_S
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > give_up:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    break
                time.sleep(0.05)
        os.close(self._terminal)

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while new := os.read(self._terminal, 1 << 16):
                self.sent_bytes += len(new)
                self._text = (self._text + new.decode("utf-8", "replace"))[-_KEPT_TEXT:]


@contextlib.contextmanager
def attached(folder: Path, layout: RunLayout) -> Iterator[Screen]:
    """A dashboard of the run; left at the end."""
    pid, terminal = pty.fork()
    if pid == 0:
        argv = [sys.executable, "-m", "timellm_ops.cli", "attach", layout.run_id]
        env = {**_env(folder), "TERM": "xterm-256color"}
        os.execve(sys.executable, argv, env)  # noqa: S606 - this interpreter
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    screen = Screen(pid, terminal)
    try:
        yield screen
    finally:
        screen.leave()


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "TIMELLM_RUNS_DIR": str(folder / "runs")}


def engine_table(folder: Path, pairs: int, seconds: float) -> str:
    """Windows of so many seconds in one run, watched and not in turn, and the median of ratios.

    A window may reach over the end of an epoch: of it, the time from step to step counts. Raises
    `SystemExit` where one is too short for two words of progress, or where the run ends before.

    Not watched: supervisor and dashboard are stopped by SIGSTOP, so that the same engine goes on as
    if they were not there. Two engines one after the other differ by more than is looked for.
    """
    windows: list[tuple[float, float]] = []
    waited: list[float] = []
    with (
        supervised(folder, TRAINING, "data.synthetic_rows=40000", "train.log_every=2") as layout,
        attached(folder, layout) as screen,
    ):
        progress_after(layout, _WARM_UP_STEPS, _PATIENCE_S)
        record = read_record(layout.supervisor_process, SupervisorRecord)
        assert record is not None, "it is in charge"
        watchers = [psutil.Process(record.process.pid), psutil.Process(screen.pid)]
        trains = read_record(layout.engine_process, EngineRecord)
        assert trains is not None, "it has made steps"
        engine = trains.process.pid
        time.sleep(_LEFT_ALONE_S)
        for pair in range(pairs):
            if not all(process.is_running() for process in watchers):
                raise SystemExit(f"the run was over after {pair} of {pairs} pairs of {seconds:g} s")
            for hidden in ([], watchers):
                with _stopped(hidden):
                    before = threads_of(engine)
                    windows.append(_window(seconds))
                    waited.append(share_waited(before, threads_of(engine), seconds))
        told = [e for e in events_of(layout.engine_events) if isinstance(e, ev.Progress)]
    rows = [
        "| pair | watched, steps/s | alone, steps/s | watched / alone | waited, watched | alone |",
        "|---" * 6 + "|",
    ]
    ratios = []
    for pair in range(pairs):
        watched, alone = (steps_a_second(told, *w) for w in windows[2 * pair : 2 * pair + 2])
        ratios.append(watched / alone)
        shares = " | ".join(f"{share:.2%}" for share in waited[2 * pair : 2 * pair + 2])
        rows.append(f"| {pair + 1} | {watched:.3f} | {alone:.3f} | {ratios[-1]:.1%} | {shares} |")
    shares = " | ".join(f"{statistics.median(waited[of::2]):.2%}" for of in (0, 1))
    rows.append(f"| median | | | {statistics.median(ratios):.1%} | {shares} |")
    return "\n".join(rows)


def _window(seconds: float) -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


@contextlib.contextmanager
def _stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    try:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def steps_a_second(told: Sequence[ev.Progress], began: float, ended: float) -> float:
    """The speed from step to step in a window of monotonic seconds: what lies between the last
    word of one epoch and the first of the next, such as an evaluation, is left out.

    Raises `SystemExit` where no two words of one epoch lie in it.
    """
    inside = [(e, e.t) for e in told if e.t is not None and began <= e.t <= ended]
    steps, seconds = 0, 0.0
    for (before, before_t), (after, after_t) in pairwise(inside):
        if before.epoch == after.epoch:
            steps += after.iteration - before.iteration
            seconds += after_t - before_t
    if steps <= 0 or seconds <= 0.0:
        raise SystemExit(
            f"a window of {ended - began:.1f} s has too few words of progress; give more --seconds"
        )
    return steps / seconds


# --- what watching costs -------------------------------------------------------------------------


def cost_table(folder: Path, seconds: float) -> str:
    """CPU and memory while a run is under way."""
    with (
        supervised(folder, TRAINING, "data.synthetic_rows=40000") as layout,
        attached(folder, layout) as screen,
    ):
        progress_after(layout, _WARM_UP_STEPS, _PATIENCE_S)
        record = read_record(layout.supervisor_process, SupervisorRecord)
        assert record is not None, "it is in charge"
        processes = {
            "supervisor": psutil.Process(record.process.pid),
            "dashboard": psutil.Process(screen.pid),
        }
        rows = ["| process | share of a core | memory, MiB |", "|---" * 3 + "|"]
        for kind, wait_s in (("", 0.0), (", left alone", _LEFT_ALONE_S)):
            time.sleep(wait_s)
            before = {name: cpu_s(process) for name, process in processes.items()}
            time.sleep(seconds)
            for name, process in processes.items():
                share = (cpu_s(process) - before[name]) / seconds
                memory = process.memory_info().rss / MIB
                rows.append(f"| {name}{kind} | {share:.2%} | {memory:.0f} |")
    return "\n".join(rows)


def cpu_s(process: psutil.Process) -> float:
    """Seconds of itself and its children: the probe's child is part of the supervisor."""
    family = [process, *process.children()]
    times = [one.cpu_times() for one in family if "timellm_engine" not in " ".join(one.cmdline())]
    return sum(each.user + each.system for each in times)


# --- from the reading to the standing engine -----------------------------------------------------


def reaction_table(folder: Path, pauses: int) -> str:
    """Over so many pauses."""
    with supervised(folder, HOT) as layout:
        give_up = time.monotonic() + _PATIENCE_S + 5.0 * pauses
        while time.monotonic() < give_up:
            reactions, step_s = _reactions(layout)
            if len(reactions) >= pauses:
                break
            time.sleep(1.0)
        else:
            raise SystemExit(f"only {len(reactions)} pauses")
    ordered = sorted(reactions)
    ninety_nine = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    bound_s = 0.25 + step_s + 0.2
    row = (
        f"| {len(ordered)} | 0.25 s | {step_s:.3f} s | {statistics.median(ordered):.3f} s | "
        f"{ninety_nine:.3f} s | {bound_s:.3f} s |"
    )
    head = "| pauses | poll | step | median | 99 of 100 within | one poll + one step + 0.2 s |"
    return "\n".join((head, "|---" * 6 + "|", row))


def _reactions(layout: RunLayout) -> tuple[list[float], float]:
    """Seconds from each reading that led to a pause to the engine's `Paused`; a step's seconds.

    The reading is at most one poll older than the moment in which the card got so hot.
    """
    found, hot_t, read_t, step_s = [], None, 0.0, 0.0
    with contextlib.suppress(FileNotFoundError):
        for record in read_records(layout.journal):
            match record.event:
                case ev.Telemetry(t=float(t)):
                    read_t = t
                case ev.Progress(seconds_per_iteration=float(seconds)):
                    step_s = max(step_s, seconds)
                case ev.PolicyDecision(action="pause"):
                    hot_t = read_t
                case ev.Paused(t=float(t)) if hot_t is not None:
                    found.append(t - hot_t)
                    hot_t = None
                case _:
                    pass
    return found, step_s


# --- a night's journal ---------------------------------------------------------------------------

_READ = {
    "a supervisor that takes over": """
from timellm_ops.journal import read_records
from timellm_ops.supervisor.rebuild import recall
def load(path):
    return recall(read_records(path))
""",
    "a dashboard, to its first view": """
from datetime import UTC, datetime
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.journal import JournalFollower
def load(path):
    recorder, follower = Recorder(), JournalFollower(path)
    while records := follower.poll():
        recorder.take(records)
    moment = Moment(t=1000.0 + 14 * 3600, wall=datetime.now(UTC), supervised=True)
    return recorder, recorder.view(moment, Look())
""",
}
_MEASURE = """
import gc, os, sys, time
from pathlib import Path
began = time.perf_counter()
kept = load(Path(sys.argv[1]))
took = time.perf_counter() - began
gc.collect()
import psutil
print(took, psutil.Process().memory_info().rss)
"""


def read_by(reader: str, journal: Path) -> Night:
    """In a process of its own."""
    script = _READ[reader] + _MEASURE
    argv = [sys.executable, "-c", script, str(journal)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    took, rss = done.stdout.split()
    return Night(float(took), int(rss))


def night_table(folder: Path, repeats: int = 5) -> str:
    """Seconds to read it, and memory after a tenth and after the whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tenth, whole = folder / "tenth.jsonl", folder / "whole.jsonl"
    long_journal.write(tenth, 0.1)
    records = long_journal.write(whole)
    size = whole.stat().st_size
    rows = [
        f"{records:,} records, {size / 1e6:.0f} MB", "",
        "| read by | seconds, median | slowest | memory after a tenth, MiB | after all, MiB |",
        "|---" * 5 + "|",
    ]  # fmt: skip
    for reader in _READ:
        nights = [read_by(reader, whole) for _ in range(repeats)]
        before = read_by(reader, tenth)
        taken = [night.seconds for night in nights]
        rows.append(
            f"| {reader} | {statistics.median(taken):.2f} | {max(taken):.2f} | "
            f"{before.rss_bytes / MIB:.0f} | {nights[-1].rss_bytes / MIB:.0f} |"
        )
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pauses", type=int, default=100)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in asked.only:
            (folder / part).mkdir()
            match part:
                case "engine":
                    table = engine_table(folder / part, asked.pairs, asked.seconds)
                case "cost":
                    table = cost_table(folder / part, 10 * asked.seconds)
                case "reaction":
                    table = reaction_table(folder / part, asked.pauses)
                case _:
                    table = night_table(folder / part)
            print(f"\n{part}\n\n{table}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
