"""How right the time left was, over whole runs, beside the published code's formula.

    python benchmarks/time_left.py RUN_FOLDER...

Reads the journals of finished runs and asks at every step that the published code would have
printed, from `--from` (3 %) of a run's time on: how long still, by the dashboard's own estimate,
and by the published formula (the seconds of a step since its last line, times the steps left; at an
epoch's start an evaluation is counted into those seconds, and no evaluation to come is). The error
is the difference from what it really was, as a share of that. Time in which nobody supervised a
run counts as none. A run that stopped early is asked about its whole plan, like any other.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeleft import time_left
from timellm_ops.cli.thermal import limits_of
from timellm_ops.configfile import read_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records

FROM = 0.03
"""Share of a run's time from which on it is judged."""


@dataclass(frozen=True)
class Asked:
    """What was told at one moment of a run; seconds."""

    passed_s: float
    ours_s: float | None
    published_s: float


@dataclass(frozen=True)
class Judged:
    """A run's estimates against what came of them."""

    name: str
    minutes: float
    paused_share: float
    ours: tuple[float, ...]
    """Absolute error over the true time left, at every moment that had an estimate."""
    published: tuple[float, ...]
    silent: int
    """Moments without an estimate of ours."""


class PublishedFormula:
    """`speed * ((epochs - epoch) * steps - i)`, its clock and counter as in the published loop.

    Its `epoch` counts from 0, and the counter begins anew with an epoch though the clock does not.
    """

    def __init__(self) -> None:
        self._line_t: float | None = None
        self._line_iteration = 0
        self._epoch = 0

    def line(self, event: ev.Progress, epochs: int, steps: int) -> float | None:
        """What its line at this progress would say; `None` for the first, which starts its clock.

        `event.t` is the journal's second.
        """
        before_t, before = self._line_t, self._line_iteration
        if event.epoch != self._epoch:
            self._epoch, before = event.epoch, 0
        self._line_t, self._line_iteration = event.t, event.iteration
        made = event.iteration - before
        if before_t is None or event.t is None or made <= 0:
            return None
        speed_s = (event.t - before_t) / made
        return speed_s * ((epochs - (event.epoch - 1)) * steps - (event.iteration - 1))


def asked_of(layout: RunLayout) -> tuple[RunState, list[Asked]]:
    """Where the run ended, and all that was told on its way there.

    Raises `SystemExit` for what is no run, or one whose length nobody has told.
    """
    if not layout.journal.is_file() or not layout.config.is_file():
        raise SystemExit(f"{layout.root} is no run: found no journal and config in it")
    log_every = read_config(layout.config).train.log_every
    state, history, formula = RunState(), History(), PublishedFormula()
    look = Look(limits=limits_of(layout))
    told = []
    for record in read_records(layout.journal):
        event, before = record.event, state
        state = reduce(state, event)
        history.fold(record.seq, before, event, state)
        if not isinstance(event, ev.Progress) or event.t is None or event.at is None:
            continue
        if state.epochs is None or state.steps_per_epoch is None:
            continue  # a script that has not said yet how long it will train
        if event.iteration % log_every and event.iteration != state.steps_per_epoch:
            continue
        published_s = formula.line(event, state.epochs, state.steps_per_epoch)
        if published_s is not None:
            ours = time_left(state, history, Moment(t=event.t, wall=event.at), look)
            told.append(Asked(state.active_s, ours.seconds, published_s))
    return state, told


def judged(layout: RunLayout, after: float) -> Judged:
    """The run's estimates. Raises `SystemExit` for a run that has not finished."""
    state, told = asked_of(layout)
    if state.outcome != "finished":
        raise SystemExit(f"{layout.root} has not finished")
    if not told:
        raise SystemExit(f"{layout.root} has told nobody how many steps it makes")
    whole_s = state.active_s
    counted = [one for one in told if after * whole_s <= one.passed_s < whole_s]
    return Judged(
        name=layout.root.name,
        minutes=whole_s / 60,
        paused_share=state.paused_s / whole_s,
        ours=tuple(_errors((one.ours_s, whole_s - one.passed_s) for one in counted)),
        published=tuple(_errors((one.published_s, whole_s - one.passed_s) for one in counted)),
        silent=sum(one.ours_s is None for one in counted),
    )


def _errors(pairs: Iterator[tuple[float | None, float]]) -> Iterator[float]:
    for told_s, true_s in pairs:
        if told_s is not None:
            yield abs(told_s - true_s) / true_s


def table(runs: Sequence[Judged]) -> str:
    """A row a run, and one over every moment of all of them."""
    head = (
        "run", "minutes", "paused", "moments", "without an estimate", "median error",
        "nine of ten within", "published: median error", "nine of ten within",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [
        f"| {run.name} | {run.minutes:.1f} | {run.paused_share:.0%} | "
        f"{len(run.published)} | {run.silent} | {_pair(run.ours)} | {_pair(run.published)} |"
        for run in runs
    ]
    ours = [error for run in runs for error in run.ours]
    published = [error for run in runs for error in run.published]
    lines.append(f"| all | | | {len(published)} | | {_pair(ours)} | {_pair(published)} |")
    return "\n".join(lines)


def _pair(errors: Sequence[float]) -> str:
    if not errors:
        return "- | -"
    ordered = sorted(errors)
    ninth = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return f"{statistics.median(ordered):.1%} | {ninth:.1%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--from", dest="after", type=float, default=FROM, help="share of the run")
    asked = parser.parse_args(arguments)
    print(table([judged(RunLayout(folder), asked.after) for folder in asked.runs]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
