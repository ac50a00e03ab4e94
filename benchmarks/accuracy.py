"""Train the same config in several ways and seeds, and put their errors side by side.

    python benchmarks/accuracy.py configs/etth1.toml --seeds 2021 2022 2023 --jobs 2 \\
        --vary model.prototypes=mapping,direct --vary data.pred_len=96,192 --record FILE

Each run is a whole `timellm-ops run` with keys set differently. `--vary` may be repeated: every
combination is trained with every seed. With `--jobs` above one, each run has one thread and they
share the machine. What is finished is in the record, one JSON line each, and is not trained
again, so the script can be stopped and started as one likes.

The table is in the order of the validation error, which is what a choice may be made by: the
weights of a run are those of its best epoch by validation, and the test error is only reported.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from run_record import events_of

from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout

_HEAD = (
    "config", "changed", "seeds", "validation MSE", "validation MAE", "test MSE", "test MAE",
    "minutes",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One run to make."""

    config: str
    changes: tuple[str, ...]
    """As `--set` takes them."""
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What has come of it."""

    config: str
    changes: tuple[str, ...]
    seed: int
    vali_mse: float
    """Of the best epoch, as the MAE is."""
    vali_mae: float
    best_epoch: int
    test_mse: float
    test_mae: float
    minutes: float
    """From the command to its exit."""

    @property
    def trial(self) -> Trial:
        """The run that it was."""
        return Trial(self.config, self.changes, self.seed)


def combinations(varied: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every combination of `key=value,value`."""
    choices = []
    for each in varied:
        key, _, values = each.partition("=")
        choices.append([f"{key}={value}" for value in values.split(",")])
    yield from itertools.product(*choices)


def train(trial: Trial, threads: int | None) -> Outcome:
    """Make the run in a folder of its own, which is gone afterwards. Raises for one that fails."""
    changes = [*trial.changes, f"run.seed={trial.seed}", "train.test=end", "gpu.probe=none"]
    if threads is not None:
        changes.append(f"train.threads={threads}")
    command = [sys.executable, "-m", "timellm_ops.cli", "run", trial.config, "--plain"]
    command += [part for change in changes for part in ("--set", change)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            command,
            env={**os.environ, "TIMELLM_RUNS_DIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            last = made.stdout.strip().splitlines()[-3:]
            raise SystemExit(f"{' '.join(command)} ended with {made.returncode}: {last}")
        minutes = (time.monotonic() - began) / 60
        (run,) = [path for path in Path(folder).iterdir() if path.is_dir()]
        return outcome_of(trial, RunLayout(run), minutes)


def outcome_of(trial: Trial, layout: RunLayout, minutes: float) -> Outcome:
    """The errors that a finished run has on record."""
    validated: dict[int, tuple[float, float]] = {}
    tested = None
    for event in events_of(layout.engine_events):
        if isinstance(event, ev.EpochEnded):
            assert event.vali_mae is not None, "an engine of ours tells it"
            validated[event.epoch] = (event.vali_mse, event.vali_mae)
        elif isinstance(event, ev.TestEvaluated):
            tested = event
    assert tested is not None, f"{layout.root} has finished without a test"
    best = min(validated, key=lambda epoch: validated[epoch])
    return Outcome(
        trial.config, trial.changes, trial.seed,
        *validated[best], best, tested.mse, tested.mae, minutes,
    )  # fmt: skip


def known(record: Path) -> dict[Trial, Outcome]:
    """What the record has."""
    outcomes: dict[Trial, Outcome] = {}
    if record.exists():
        for line in record.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            outcome = Outcome(**{**fields, "changes": tuple(fields["changes"])})
            outcomes[outcome.trial] = outcome
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Means over seeds, with the spread (standard deviation) behind them; best validation first."""
    ways: dict[tuple[str, tuple[str, ...]], list[Outcome]] = {}
    for outcome in outcomes:
        ways.setdefault((outcome.config, outcome.changes), []).append(outcome)
    lines = [
        f"| {' | '.join(_HEAD)} |",
        "|---" * len(_HEAD) + "|",
    ]
    for (config, changes), group in sorted(
        ways.items(),
        key=lambda way: (way[0][0], statistics.mean(o.vali_mse for o in way[1])),
    ):
        lines.append(
            f"| {Path(config).stem} | {' '.join(changes) or '-'} | {len(group)} | "
            f"{_spread([o.vali_mse for o in group])} | {_spread([o.vali_mae for o in group])} | "
            f"{_spread([o.test_mse for o in group])} | "
            f"{_spread([o.test_mae for o in group])} | "
            f"{statistics.mean(o.minutes for o in group):.1f} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


def main() -> None:
    """Train what is not on record yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configs", nargs="+", metavar="CONFIG")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--vary", action="append", default=[], metavar="KEY=VALUE,VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2021, 2022, 2023])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--record", type=Path, default=Path("accuracy.jsonl"))
    asked = parser.parse_args()
    trials = [
        Trial(config, (*asked.set, *varied), seed)
        for seed in asked.seeds
        for config in asked.configs
        for varied in combinations(asked.vary)
    ]
    found = known(asked.record)
    left = [trial for trial in trials if trial not in found]
    with ThreadPoolExecutor(asked.jobs) as pool:
        threads = 1 if asked.jobs > 1 else None
        for made in as_completed([pool.submit(train, trial, threads) for trial in left]):
            outcome = made.result()
            trial = outcome.trial
            found[trial] = outcome
            with asked.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            print(
                f"{trial.config} {' '.join(trial.changes)} seed {trial.seed}: "
                f"validation {outcome.vali_mse:.4f}/{outcome.vali_mae:.4f}, "
                f"test {outcome.test_mse:.4f}/{outcome.test_mae:.4f}, {outcome.minutes:.1f} min",
                file=sys.stderr, flush=True,
            )  # fmt: skip
    print(table([found[trial] for trial in trials]))


if __name__ == "__main__":
    main()
