"""How long it is from a command to the first step of training, beside what it cannot go below.

    python benchmarks/first_step.py [--runs 7] [CONFIG ...]

In turn: `import torch` by itself, torch with GPT-2 of transformers, and a whole
`timellm-ops run CONFIG --plain` (`configs/quickstart.toml` unless others are given) up to its
first step, after which it is stopped and its folder is deleted. The moments are those of the run's
own record: the engine is launched; it begins its first step; it has done that. Wall seconds,
medians; a turn before them warms the disk's cache and compiles all modules, as an installation has
them. To be run alone: on a busy machine everything takes longer.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records

IMPORTS = {
    "import torch": "import torch",
    "import torch, and GPT-2 of transformers": "import torch; from transformers import GPT2Model",
}
MOMENTS: dict[str, type[ev.BaseEvent]] = {
    "engine launched": ev.EngineStarted,
    "first step begun": ev.EpochStarted,
    "first step done": ev.Progress,
}
_GIVE_UP_S = 300.0
_LOOK_EVERY_S = 0.02
_COMMAND = (sys.executable, "-P", "-m", "timellm_ops.cli")


def seconds_of(code: str, env: Mapping[str, str]) -> float:
    """Wall seconds of a process that only runs `code`."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=env)
    return time.monotonic() - began


def moments_of(config: Path, env: Mapping[str, str]) -> dict[str, float]:
    """Seconds from the command to each of `MOMENTS`, of one run that is then stopped."""
    with tempfile.TemporaryDirectory() as runs:
        env = {**env, "TIMELLM_RUNS_DIR": runs}
        began = time.monotonic()
        command = subprocess.Popen(
            [*_COMMAND, "run", str(config), "--plain"], env=env, stdout=subprocess.DEVNULL
        )
        try:
            return {name: at - began for name, at in _recorded(Path(runs), command, began).items()}
        finally:
            stop = [*_COMMAND, "stop", "latest", "--now", "--wait"]
            subprocess.run(stop, env=env, check=False, capture_output=True)
            command.wait()


def _recorded(runs: Path, command: subprocess.Popen[bytes], began: float) -> dict[str, float]:
    """When each moment was, by the clock that all processes of the machine have in common."""
    while time.monotonic() - began < _GIVE_UP_S:
        found: dict[str, float] = {}
        for journal in runs.glob("*/journal.jsonl"):
            for name, event in _moments_in(journal):
                found.setdefault(name, event)
        if len(found) == len(MOMENTS):
            return found
        if command.poll() is not None:
            raise SystemExit(f"the run ended before its first step, with code {command.returncode}")
        time.sleep(_LOOK_EVERY_S)
    raise SystemExit(f"no step of training within {_GIVE_UP_S:g} s")


def _moments_in(journal: Path) -> Iterator[tuple[str, float]]:
    for record in read_records(journal):
        for name, kind in MOMENTS.items():
            if isinstance(record.event, kind) and record.event.t is not None:
                yield name, record.event.t


def measure(configs: Sequence[Path], runs: int) -> dict[str, list[float]]:
    """Seconds by row of the table, each taken in turn, without the first turn."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as compiled:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(runs + 1):
            spent = {name: seconds_of(code, env) for name, code in IMPORTS.items()}
            for config in configs:
                moments = moments_of(config, env)
                spent |= {f"{config.name}: {name}": after for name, after in moments.items()}
            if turn:
                for name, seconds in spent.items():
                    taken.setdefault(name, []).append(seconds)
    return taken


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Time the way from a command to training.")
    parser.add_argument("configs", nargs="*", type=Path, metavar="CONFIG")
    parser.add_argument("--runs", type=int, default=7)
    chosen = parser.parse_args(arguments)
    configs = chosen.configs or [Path(__file__).parents[1] / "configs" / "quickstart.toml"]
    with contextlib.suppress(KeyboardInterrupt):
        taken = measure(configs, chosen.runs)
        print(f"| from the command, n = {chosen.runs} | lowest | median | highest |")
        print("|---|---|---|---|")
        for name, spent in taken.items():
            middle = statistics.median(spent)
            print(f"| {name} | {min(spent):.2f} | {middle:.2f} | {max(spent):.2f} |")


if __name__ == "__main__":
    main()
