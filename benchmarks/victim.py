"""A supervised run that is killed on purpose, and what it leaves: for `kill_resume.py`."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import tomli_w
from run_record import Difference, events_of

from timellm_ops.cli.runs import state_of
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import read_records
from timellm_ops.process.identity import ProcessIdentity, is_alive, send_signal
from timellm_ops.process.records import EngineRecord, SupervisorRecord, read_record
from timellm_ops.store import RunStore

PATIENCE_S = 180.0
"""How long anything may take before it counts as hanging."""
_LOOK_EVERY_S = 0.001

MOMENTS = ("step", "evaluation", "writing", "starting")
_MOMENT_WEIGHTS = (3, 3, 5, 1)
TARGETS = ("engine", "supervisor", "both")
_TARGET_WEIGHTS = (5, 2, 3)


@dataclass(frozen=True)
class Variant:
    """A config of a few seconds; `changes` are keys such as `train.threads`."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    """`key=value` on top of the config, as the command line takes them."""

    def tables(self) -> dict[str, dict[str, Any]]:
        """The tables of the config file. Every step is reported, whatever its time."""
        tables: dict[str, dict[str, Any]] = {
            "data": {
                "dataset": "synthetic", "seq_len": 32, "pred_len": 8,
                "synthetic_rows": 400, "synthetic_columns": 1,
            },
            "model": {
                "patch_len": 8, "stride": 8, "d_model": 8, "n_heads": 2, "d_ff": 8,
                "num_prototypes": 100,
            },
            "backbone": {"layers": 1},
            "train": {
                "epochs": 4, "batch_size": 8, "eval_batch_size": 8, "learning_rate": 0.01,
                "log_every": 1, "threads": 1,
            },
            "checkpoint": {"every_minutes": 0.05, "every_steps": 5, "keep": 2},
            "gpu": {"probe": "none"},
            "supervisor": {"restarts": 0},
        }  # fmt: skip
        for key, value in self.changes.items():
            section, _, name = key.partition(".")
            tables.setdefault(section, {})[name] = value
        return tables


VARIANTS = (
    Variant("adam, one thread"),
    Variant("two threads", {"train.threads": 2}),
    Variant(
        "sgd, accumulation, clipping",
        {"train.optimiser": "sgd", "train.accumulate": 2, "train.clip_norm": 0.5},
    ),
    Variant(
        "adamw, cosine, warm-up, bf16",
        {
            "train.optimiser": "adamw", "train.weight_decay": 0.01, "train.schedule": "cosine",
            "train.warmup_steps": 20, "train.precision": "bf16",
        },
    ),
    Variant(
        "saved by time alone, drop_last",
        {"checkpoint.every_steps": 1000, "train.drop_last": True},
    ),
    Variant(
        "every other step, mae, test at end",
        {"checkpoint.every_steps": 2, "train.loss": "mae", "train.test": "end"},
    ),
)  # fmt: skip


class Victim:
    """One run in a folder of its own, its processes, and whoever kills them."""

    def __init__(self, folder: Path, variant: Variant) -> None:
        self.folder, self.variant = folder, variant
        self._seen: set[ProcessIdentity] = set()
        self._clients: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True)
        self.config = folder / "run.toml"
        self.config.write_text(tomli_w.dumps(variant.tables()), encoding="utf-8")

    @property
    def layout(self) -> RunLayout:
        """The run's own folder."""
        (layout,) = RunStore(self.folder / "runs").runs()
        return layout

    def live(self, kills: int, random: Random) -> Counter[str]:
        """The whole life of the run: started, killed so many times, and finished.

        Fewer kills where it was finished before. Raises `Difference` where it does not come to a
        natural end.
        """
        done: Counter[str] = Counter()
        overrides = [word for each in self.variant.overrides for word in ("--set", each)]
        self._command("run", str(self.config), *overrides, "--detach")
        while sum(done.values()) < kills:
            target = random.choices(TARGETS, _TARGET_WEIGHTS)[0]
            moment = random.choices(MOMENTS, _MOMENT_WEIGHTS)[0]
            if not self._await(moment, random):
                break
            if self._kill(target, random):
                done[f"{moment} ({target})"] += 1
                self._take_up(target, random)
        self._until(lambda: state_of(self.layout).ended or None, "the run's end")
        state = state_of(self.layout)
        if state.outcome != "finished":
            raise Difference(f"it ended as {state.outcome}: {state.end_reason}")
        self._until(lambda: not self._alive() or None, "the end of its processes")
        return done

    def left_behind(self) -> list[str]:
        """What a run that has ended must not leave."""
        layout = self.layout
        names = [path.name for path in layout.root.rglob("*")]
        found = [f"{name} is left" for name in names if _is_remnant(name)]
        found += [f"process {identity.pid} still runs" for identity in self._alive()]
        written = list(events_of(layout.engine_events))
        journaled = [r for r in read_records(layout.journal) if r.engine_offset is not None]
        if len(written) != len(journaled):
            found.append(f"{len(written)} events of the engine, {len(journaled)} in the journal")
        return found

    def end(self) -> None:
        """Leave no process, whatever happened."""
        for identity in self._alive():
            send_signal(identity, signal.SIGKILL)
        for client in self._clients:
            client.kill()
            client.wait()

    # --- killing ---------------------------------------------------------------------------------

    def _await(self, moment: str, random: Random) -> bool:
        """Wait for a moment of this kind; `False` where the run was over before."""
        if moment == "starting":
            time.sleep(random.uniform(0.0, 6.0))
            return not self._over()
        if moment == "writing":
            for _ in range(random.randint(1, 3)):
                known = _being_written(self.layout)
                if not self._sees(lambda: _being_written(self.layout) - known):  # noqa: B023
                    return False
            time.sleep(random.choice((0.0, random.uniform(0.0, 0.03))))
            return not self._over()
        kind = ev.Progress if moment == "step" else ev.EvaluationProgress
        for _ in range(random.randint(1, 6)):
            size = _size(self.layout.engine_events)
            if not self._sees(lambda: _has(self.layout, size, kind)):  # noqa: B023
                return False
        time.sleep(random.uniform(0.0, 0.05))
        return not self._over()

    def _sees(self, look: Callable[[], object]) -> bool:
        give_up_t = time.monotonic() + PATIENCE_S
        turn = 0
        while not look():
            turn += 1
            if turn % 200 == 0 and self._over():
                return False
            if time.monotonic() > give_up_t:
                raise Difference(f"waited {PATIENCE_S:g} s in vain for something to kill")
            time.sleep(_LOOK_EVERY_S)
        return True

    def _over(self) -> bool:
        """Whether the engine has done its work, or is gone."""
        engine, _ = self._processes()
        gone = engine is not None and not is_alive(engine)
        return gone or state_of(self.layout).ended

    def _kill(self, target: str, random: Random) -> bool:
        """Whether there was anything to kill."""
        engine, supervisor = self._processes()
        victims = {"engine": [engine], "supervisor": [supervisor], "both": [engine, supervisor]}
        chosen = [identity for identity in victims[target] if identity is not None]
        random.shuffle(chosen)
        killed = [identity for identity in chosen if send_signal(identity, signal.SIGKILL)]
        for identity in killed:
            self._until(lambda: not is_alive(identity) or None, "a killed process to end")  # noqa: B023
        return bool(killed)

    def _take_up(self, target: str, random: Random) -> None:
        """Let the run go on, as a person would who finds it like this."""
        if target == "supervisor":
            time.sleep(random.uniform(0.0, 1.0))
            before = self._processes()[1]
            self._client("attach", self.layout.run_id, "--plain")
            self._until(
                lambda: self._processes()[1] != before or state_of(self.layout).ended or None,
                "a new supervisor",
            )
            return
        if target == "engine":
            self._until(lambda: self._supervisor_is_gone() or None, "the supervisor's verdict")
        if state_of(self.layout).outcome != "finished":
            self._command("run", "--resume", self.layout.run_id, "--detach")

    def _supervisor_is_gone(self) -> bool:
        supervisor = self._processes()[1]
        return supervisor is None or not is_alive(supervisor)

    # --- processes -------------------------------------------------------------------------------

    def _processes(self) -> tuple[ProcessIdentity | None, ProcessIdentity | None]:
        engine = read_record(self.layout.engine_process, EngineRecord)
        supervisor = read_record(self.layout.supervisor_process, SupervisorRecord)
        pair = engine and engine.process, supervisor and supervisor.process
        self._seen |= {identity for identity in pair if identity is not None}
        return pair

    def _alive(self) -> list[ProcessIdentity]:
        with contextlib.suppress(ValueError):  # there may be no run yet
            self._processes()
        return [identity for identity in self._seen if is_alive(identity)]

    def _env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIMELLM_")}
        return {
            **kept,
            "TIMELLM_RUNS_DIR": str(self.folder / "runs"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "HF_HUB_OFFLINE": "1",
        }

    def _command(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "timellm_ops.cli", *arguments],
            env=self._env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = " ".join(done.stderr.split())
            raise Difference(f"`{' '.join(arguments)}` ended with {done.returncode}: {said}")

    def _client(self, *arguments: str) -> None:
        with (self.folder / "client.log").open("ab") as log:
            self._clients.append(
                subprocess.Popen(
                    [sys.executable, "-m", "timellm_ops.cli", *arguments],
                    env=self._env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip

    def _until(self, look: Callable[[], object], what: str) -> None:
        give_up_t = time.monotonic() + PATIENCE_S
        while look() is None:
            if time.monotonic() > give_up_t:
                raise Difference(f"waited {PATIENCE_S:g} s in vain for {what}")
            time.sleep(0.05)


def _is_remnant(name: str) -> bool:
    return name.startswith((".tmp-", ".new-", "broken-"))


def _being_written(layout: RunLayout) -> set[str]:
    try:
        with os.scandir(layout.checkpoints) as found:
            return {entry.name for entry in found if entry.name.startswith(".tmp-")}
    except OSError:
        return set()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _has(layout: RunLayout, start: int, kind: type[ev.BaseEvent]) -> bool:
    """Whether the engine has said such a thing since its file had `start` bytes."""
    if _size(layout.engine_events) <= start:
        return False
    return any(isinstance(event, kind) for event in events_of(layout.engine_events, start))
