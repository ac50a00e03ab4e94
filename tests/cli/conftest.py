"""The command line as a user has it: a process of its own, in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.identity import is_alive, send_signal
from timellm_ops.process.records import EngineRecord, SupervisorRecord, read_record
from timellm_ops.process.tree import ProcessTree, kill_tree
from timellm_ops.store import RunStore

PATIENCE_S = 120.0
"""How long a test waits for something that must come. Never how long something takes."""

TINY = """
[data]
dataset = "synthetic"
seq_len = 48
pred_len = 12
synthetic_rows = 600
synthetic_columns = 2

[model]
d_model = 8
n_heads = 2
d_ff = 8
num_prototypes = 20

[train]
epochs = 2
batch_size = 16
learning_rate = 0.01
log_every = 10
threads = 1

[gpu]
probe = "none"
"""
"""A run of our own engine that takes seconds, not counting its imports."""


@dataclass
class Shell:
    """Runs `timellm-ops` in a folder."""

    folder: Path

    @property
    def store(self) -> RunStore:
        return RunStore(self.folder / "runs")

    @property
    def run(self) -> RunLayout:
        """The only run there is."""
        (layout,) = self.store.runs()
        return layout

    @property
    def runtime(self) -> Path:
        """Its own, or a run of another test would have the same GPU."""
        folder = self.folder.with_name(f"{self.folder.name}-runtime")
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIMELLM_")}
        for size in ("COLUMNS", "LINES"):  # they would outvote the terminal's own
            kept.pop(size, None)
        return {
            **kept,
            "TIMELLM_RUNS_DIR": str(self.folder / "runs"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "HF_HUB_OFFLINE": "1",
            "LC_ALL": "C.UTF-8",
        }

    def __call__(
        self, *arguments: str, timeout_s: float = PATIENCE_S, locale: str = "C.UTF-8"
    ) -> "Done":
        done = subprocess.run(
            [sys.executable, "-m", "timellm_ops.cli", *arguments],
            cwd=self.folder,
            env={**self.env(), "LC_ALL": locale},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, output: Path) -> subprocess.Popen[bytes]:
        """The same without waiting for it; both of its streams go to a file."""
        with output.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "timellm_ops.cli", *arguments],
                cwd=self.folder,
                env=self.env(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def state(self) -> RunState:
        state = RunState()
        for record in read_records(self.run.journal):
            state = reduce(state, record.event)
        return state

    def until(self, holds: Callable[[RunState], bool]) -> RunState:
        """Wait until the state of the only run is as wanted."""
        give_up_t = time.monotonic() + PATIENCE_S
        state = RunState()
        while time.monotonic() < give_up_t:
            if self.store.runs():
                state = self.state()
                if holds(state):
                    return state
            time.sleep(0.1)
        log = self.run.engine_log
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
        raise AssertionError(f"waited {PATIENCE_S:g} s in vain; {state}\n{tail}")

    def supervisor(self) -> SupervisorRecord:
        record = read_record(self.run.supervisor_process, SupervisorRecord)
        assert record is not None
        return record

    def engine_cpu_s(self) -> float:
        return ProcessTree(self.engine().process).cpu_seconds()

    def engine(self) -> EngineRecord:
        record = read_record(self.run.engine_process, EngineRecord)
        assert record is not None
        return record


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on standard error; there must be no more than that."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


def until(holds: Callable[[], object], what: str, *, every_s: float = 0.05) -> None:
    """Wait until it holds; of a run's state, see `Shell.until`."""
    give_up_t = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_t, f"{what} did not come"
        time.sleep(every_s)


def moves(state: RunState) -> bool:
    """Whether its engine is at work."""
    return not state.ended and not state.standing and state.iteration > 0


def on_a_hot_card(config: str) -> str:
    """A card that reaches 85 °C within seconds of work and cools as fast, and that nobody paces."""
    return config.replace(
        'probe = "none"',
        """probe = "simulated"
poll_s = 0.1

[gpu.simulated]
time_scale = 60.0
load_power_w = 150.0
resistance_c_per_w = 0.9

[policy.thermal]
min_dwell_s = 0.5

[policy.governor]
enabled = false
""",
    )


def kill_supervisor(shell: Shell) -> None:
    """Kill it, and wait until it is gone."""
    record = shell.supervisor()
    assert send_signal(record.process, signal.SIGKILL)
    until(lambda: not is_alive(record.process), "its end", every_s=0.02)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell whose runs are ended when the test is over, whatever it left behind."""
    made = Shell(tmp_path)
    yield made
    for layout in made.store.runs():
        for path, kind in (
            (layout.supervisor_process, SupervisorRecord),
            (layout.engine_process, EngineRecord),
        ):
            record = read_record(path, kind)
            if record is not None:
                kill_tree(record.process)
                give_up_t = time.monotonic() + PATIENCE_S
                while is_alive(record.process) and time.monotonic() < give_up_t:
                    time.sleep(0.02)
