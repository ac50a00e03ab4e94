"""Kills runs with SIGKILL at random instants, resumes them, and compares them with unkilled ones.

    python benchmarks/kill_resume.py [--runs 10] [--kills 50] [--seed 1] [--jobs 2] [--keep DIR]
                                     [--set KEY=VALUE ...]

Real runs of a few seconds (`timellm-ops run ... --detach`): the engine, its supervisor or both are
killed while steps are done, while windows are evaluated, while a checkpoint is written and while
the engine starts, and the run is taken up again until it is finished. Its weights and the loss of
every step must then be those of a run that nobody disturbed, bit for bit; nothing but the steps
since `last` may have been done again; no half-written file and no process may be left. Prints a
line for each run and exits 1 on any difference.
"""

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from run_record import Difference, Record, compare, record_of
from victim import VARIANTS, Variant, Victim

HEADER = f" run  {'config':<34}{'kills':>5}  again  {'result':<10}  killed while"


@dataclass
class Tally:
    """What came of a run."""

    number: int
    variant: Variant
    kills: Counter[str] = field(default_factory=Counter)
    steps_again: list[int] = field(default_factory=list)
    """For each time that it was taken up again: the steps that were done once more."""
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The run in one line of the table."""
        killed = ", ".join(f"{count} × {what}" for what, count in sorted(self.kills.items()))
        again = max(self.steps_again, default=0)
        verdict = "same bits" if not self.problems else f"DIFFERENT: {self.problems[0]}"
        return (
            f"{self.number:>4}  {self.variant.name:<34}{sum(self.kills.values()):>5}  "
            f"{again:>5}  {verdict:<10}  {killed}"
        )


class Job(NamedTuple):
    """A run to be killed so many times."""

    number: int
    variant: Variant
    kills: int
    seed: int
    folder: Path
    expected: Record


def disturb(job: Job) -> Tally:
    """One run: killed, taken up again, and compared."""
    tally = Tally(job.number, job.variant)
    victim = Victim(job.folder / f"run-{job.number}", job.variant)
    try:
        tally.kills = victim.live(job.kills, Random(f"{job.seed}/{job.number}"))
        found = record_of(victim.layout)
        tally.steps_again = list(found.steps_again)
        tally.problems = [*compare(found, job.expected), *victim.left_behind()]
    except Difference as problem:
        tally.problems = [str(problem)]
    finally:
        victim.end()
    return tally


def main() -> int:
    """Run everything; 1 where anything differed, or too little was killed to say so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10, help="at least so many runs")
    parser.add_argument("--kills", type=int, default=50, help="at least so many kills in all")
    parser.add_argument("--seed", type=int, default=1, help="decides what is killed and when")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="of the configs")
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder")
    parser.add_argument("--set", nargs="+", default=[], help="as of `timellm-ops run`, for all")
    chosen = parser.parse_args()
    variants = tuple(
        replace(variant, overrides=tuple(chosen.set)) for variant in VARIANTS[: chosen.variants]
    )
    with tempfile.TemporaryDirectory(prefix="kill-resume-") as temporary:
        folder = (chosen.keep or Path(temporary)).resolve()
        tallies = run_all(chosen, variants, folder)
    total = sum(sum(tally.kills.values()) for tally in tallies)
    bad = sum(bool(tally.problems) for tally in tallies)
    print(f"{len(tallies)} runs, {total} kills, {bad} that differ")
    if total < chosen.kills:
        print(f"fewer kills than the {chosen.kills} that were asked for: runs end too soon here")
    return 1 if bad or total < chosen.kills else 0


def run_all(chosen: argparse.Namespace, variants: tuple[Variant, ...], folder: Path) -> list[Tally]:
    """As many runs as it takes, each compared with the undisturbed one of its config."""
    used = variants[: chosen.runs]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        records = pool.map(lambda variant: reference(folder, variant), used)
        undisturbed = dict(zip([variant.name for variant in used], records, strict=True))
        print(HEADER, flush=True)
        tallies: list[Tally] = []
        killed = 0
        most = 3 * chosen.runs + 5  # a machine may be too slow to be killed so often
        while len(tallies) < chosen.runs or (killed < chosen.kills and len(tallies) < most):
            missing = max(chosen.runs - len(tallies), 1)
            jobs = [
                Job(
                    number,
                    variants[number % len(variants)],
                    -(-(chosen.kills - killed) // missing),
                    chosen.seed,
                    folder,
                    undisturbed[variants[number % len(variants)].name],
                )
                for number in range(len(tallies), len(tallies) + missing)
            ]
            for tally in pool.map(disturb, jobs):
                print("\n".join((tally.line(), *tally.problems[1:])), flush=True)
                tallies.append(tally)
                killed += sum(tally.kills.values())
            if any(tally.problems for tally in tallies):
                break
    return tallies


def reference(folder: Path, variant: Variant) -> Record:
    """The run that nobody disturbs."""
    victim = Victim(folder / f"whole-{variant.name.replace(' ', '-')}", variant)
    try:
        victim.live(0, Random(0))
        return record_of(victim.layout)
    finally:
        victim.end()


if __name__ == "__main__":
    sys.exit(main())
