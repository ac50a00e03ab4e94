"""Supervised runs, one after the other for an hour, and random faults into each of them.

    python benchmarks/soak.py [--minutes 60] [--faults 4] [--seed 1] [--jobs 2] [--keep DIR]

Each run is of a few seconds of work and is let live until it has finished: whatever strikes it, it
goes on by itself, or is taken up again as a person would who finds it like that. Then its weights,
every loss and every error must be those of a run that nothing has struck, bit for bit; its journal
must hold every event of its engine; and no process, no lock and no half-written file may be left.
Prints a line for each run and a table of what struck; exits 1 on any difference.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from kill_resume import reference
from run_record import Difference, Record, compare, record_of
from victim import VARIANTS, Variant, Victim

from timellm_ops.cli.runs import state_of
from timellm_ops.process.identity import send_signal
from timellm_ops.process.lock import FileLock

STANDING_S = (0.2, 3.0)
"""How long an engine is held or left without a supervisor."""


class Struck(NamedTuple):
    """What came of a run."""

    number: int
    variant: str
    faults: Counter[str]
    seconds: float
    problems: list[str]


class Sufferer(Victim):
    """A run that is struck by more than kills. Its supervisor starts a killed engine again."""

    def suffer(self, count: int, random: Random) -> Counter[str]:
        """Its whole life, with so many faults at most; it may be over before."""
        faults: dict[str, Callable[[Random], None]] = {
            "engine killed": self._engine_killed,
            "engine killed twice in a row": self._engine_killed_twice,
            "supervisor killed": self._supervisor_killed,
            "both killed": self._both_killed,
            "stopped for a while by a signal": self._stood,
            "paused and resumed by a person": self._paused,
            "stopped and resumed by a person": self._stopped,
            "terminal gone": self._terminal_gone,
        }
        done: Counter[str] = Counter()
        self._command("run", str(self.config), "--detach")
        for _ in range(count):
            moment = random.choice(("step", "evaluation", "writing", "starting"))
            if not self._await(moment, random):
                break
            name = random.choice(sorted(faults))
            faults[name](random)
            done[name] += 1
        self._until(lambda: state_of(self.layout).ended or None, "the run's end")
        state = state_of(self.layout)
        if state.outcome != "finished":
            raise Difference(f"it ended as {state.outcome}: {state.end_reason}")
        self._until(lambda: not self._alive() or None, "the end of its processes")
        return done

    def _over(self) -> bool:
        """An engine that is gone is about to be started again."""
        return state_of(self.layout).ended

    def left_behind(self) -> list[str]:
        """Also no lock that anybody holds."""
        lock = FileLock.acquire(self.layout.supervisor_lock)
        if lock is None:
            return [*super().left_behind(), "the supervisor's lock is held"]
        lock.release()
        return super().left_behind()

    # --- faults ----------------------------------------------------------------------------------

    def _engine_killed(self, random: Random) -> None:
        self._kill("engine", random)

    def _engine_killed_twice(self, random: Random) -> None:
        before, _ = self._processes()
        self._kill("engine", random)
        self._until(
            lambda: self._processes()[0] != before or state_of(self.layout).ended or None,
            "an engine that is started again",
        )
        time.sleep(random.uniform(0.0, 5.0))
        self._kill("engine", random)

    def _supervisor_killed(self, random: Random) -> None:
        if self._kill("supervisor", random):
            self._take_up("supervisor", random)

    def _both_killed(self, random: Random) -> None:
        if self._kill("both", random):
            self._take_up("both", random)

    def _stood(self, random: Random) -> None:
        engine, _ = self._processes()
        if engine is not None and send_signal(engine, signal.SIGSTOP):
            time.sleep(random.uniform(*STANDING_S))
            send_signal(engine, signal.SIGCONT)

    def _paused(self, random: Random) -> None:
        self._ask("pause")
        time.sleep(random.uniform(*STANDING_S))
        self._ask("resume")

    def _stopped(self, random: Random) -> None:
        if not self._ask("stop", "--wait") or state_of(self.layout).outcome == "finished":
            return
        time.sleep(random.uniform(0.0, 1.0))
        self._command("run", "--resume", self.layout.run_id, "--detach")

    def _terminal_gone(self, random: Random) -> None:
        self._client("attach", self.layout.run_id, "--plain")
        time.sleep(random.uniform(*STANDING_S))
        self._clients[-1].send_signal(signal.SIGHUP)

    def _ask(self, *arguments: str) -> bool:
        """A request that may come too late: the run can be over by then."""
        try:
            self._command(*arguments[:1], self.layout.run_id, *arguments[1:])
        except Difference:
            if not state_of(self.layout).ended:
                raise
            return False
        return True


def restarting(variant: Variant) -> Variant:
    """The same config under a supervisor that does not give up."""
    changes = {"supervisor.restarts": 20, "supervisor.restart_after_s": 0.1}
    return replace(variant, changes={**variant.changes, **changes})


def strike(
    number: int, variant: Variant, expected: Record, folder: Path, asked: argparse.Namespace
) -> Struck:
    """One run to its end."""
    began = time.monotonic()
    sufferer = Sufferer(folder / f"run-{number}", variant)
    faults: Counter[str] = Counter()
    try:
        faults = sufferer.suffer(asked.faults, Random(f"{asked.seed}/{number}"))
        problems = [*compare(record_of(sufferer.layout), expected), *sufferer.left_behind()]
    except Difference as problem:
        problems = [str(problem)]
    finally:
        sufferer.end()
    return Struck(number, variant.name, faults, time.monotonic() - began, problems)


def soak(asked: argparse.Namespace, folder: Path) -> list[Struck]:
    """Runs until the time is over; the one that is under way then is brought to its end."""
    variants = [restarting(variant) for variant in VARIANTS[: asked.variants]]
    with ThreadPoolExecutor(asked.jobs) as pool:
        wholes = list(pool.map(lambda variant: reference(folder, variant), variants))
        over = time.monotonic() + 60.0 * asked.minutes
        struck: list[Struck] = []

        def one_after_the_other(job: int) -> None:
            number = job
            while time.monotonic() < over and not any(run.problems for run in struck):
                kind = number % len(variants)
                run = strike(number, variants[kind], wholes[kind], folder, asked)
                struck.append(run)
                verdict = "; ".join(run.problems) or "same bits"
                said = ", ".join(f"{n} × {what}" for what, n in sorted(run.faults.items()))
                print(
                    f"{run.number:>4}  {run.variant:<34}{run.seconds:>6.0f} s  {verdict}  {said}",
                    flush=True,
                )
                number += asked.jobs

        list(pool.map(one_after_the_other, range(asked.jobs)))
    return struck


def main() -> int:
    """Soak; 1 where anything differed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--faults", type=int, default=4, help="at most, in each run")
    parser.add_argument("--seed", type=int, default=1, help="decides what strikes and when")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="of the configs")
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        struck = soak(asked, (asked.keep or Path(temporary)).resolve())
    faults = sum((run.faults for run in struck), Counter[str]())
    bad = sum(bool(run.problems) for run in struck)
    print("\n| fault | times |\n|---|---|")
    print("\n".join(f"| {what} | {count} |" for what, count in sorted(faults.items())))
    print(f"\n{len(struck)} runs, {faults.total()} faults, {bad} that differ")
    return 1 if bad or not struck else 0


if __name__ == "__main__":
    sys.exit(main())
