"""Real runs for `time_left.py`, planned before they are made: all of them count, however they went.

    python benchmarks/time_left_runs.py FOLDER

Makes the runs of `PLAN` one after the other, each by `timellm-ops run`, and prints how right the
time left was over them, with a row for each. On two quick cores that took 39 minutes. To be run
alone on the machine: what is judged is the estimate, and not what other work does to a run on its
way. Where it is interrupted, the same command goes on with the run that was under way. A card is
the simulated one, warmed by the load that the engine really is; pauses and pace are real.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backbone_shapes import DEFAULT_LAYERS, write_backbone
from time_left import FROM, judged, table

from timellm_ops.cli.runs import state_of
from timellm_ops.contract.layout import RunLayout
from timellm_ops.store import RunStore

_CONFIGS = Path(__file__).parent.parent / "configs"
_SHAPE = "gpt2-small"
_WARM_ROOM = (
    "gpu.probe=simulated", "gpu.simulated.ambient_c=30", "gpu.simulated.resistance_c_per_w=0.6",
)  # fmt: skip
_NO_CARD = ("gpu.probe=none",)


class Planned(NamedTuple):
    """One run of the plan: its name, its config, and what is changed in that."""

    name: str
    config: str
    changes: tuple[str, ...]


PLAN = (
    Planned("alone", "etth1.toml", (*_NO_CARD, "train.epochs=18")),
    Planned("etth2", "etth2.toml", (*_NO_CARD, "train.epochs=6")),
    Planned("governed", "etth1.toml", (*_WARM_ROOM, "train.epochs=14")),
    Planned(
        "paused", "etth1.toml", (*_WARM_ROOM, "train.epochs=10", "policy.governor.enabled=false")
    ),
    Planned(
        _SHAPE,
        "etth1.toml",
        (
            *_NO_CARD, "data.features=S", "data.percent=50", "train.epochs=2", "train.batch_size=4",
            "train.precision=bf16", "model.head_start=drawn", f"backbone.layers={DEFAULT_LAYERS}",
        ),
    ),
    Planned("longer-quickstart", "quickstart.toml", (*_NO_CARD, "train.epochs=60")),
    *(Planned(f"quickstart-{one}", "quickstart.toml", _NO_CARD) for one in (1, 2, 3)),
)  # fmt: skip
"""Without and with a card, governed and paused by heat, small and large steps, long and short."""


def made(planned: Planned, folder: Path) -> RunLayout:
    """The run, made in a folder of its own unless it is there and finished.

    Raises `SystemExit` where it fails.
    """
    runs = folder / planned.name
    run = _run_in(runs)
    if run is not None and state_of(run).outcome == "finished":
        return run
    if run is not None:
        what = ["--resume", "latest"]
    else:
        changes = [*planned.changes, *_backbone_of(planned, folder)]
        what = [str(_CONFIGS / planned.config), *(w for one in changes for w in ("--set", one))]
    command = [sys.executable, "-P", "-m", "timellm_ops.cli", "run", *what, "--plain"]
    env = {**os.environ, "TIMELLM_RUNS_DIR": str(runs)}
    if subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"{planned.name} failed: see {runs}")
    run = _run_in(runs)
    assert run is not None
    return run


def _backbone_of(planned: Planned, folder: Path) -> list[str]:
    if planned.name != _SHAPE:
        return []
    backbone = folder / "backbone"
    if not backbone.is_dir():
        write_backbone(_SHAPE, DEFAULT_LAYERS, backbone)
    return [f"backbone.source={backbone.resolve()}"]


def _run_in(runs: Path) -> RunLayout | None:
    found = RunStore(runs).runs()
    return found[-1] if found else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is planned, and judge it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the runs go")
    folder: Path = parser.parse_args(arguments).folder
    runs = []
    for number, planned in enumerate(PLAN, start=1):
        print(f"{number} of {len(PLAN)}: {planned.name}", file=sys.stderr, flush=True)
        runs.append(made(planned, folder))
    print(table([judged(run, FROM) for run in runs]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
