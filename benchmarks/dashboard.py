"""What the dashboard costs, and how soon it is there.

    python benchmarks/dashboard.py [--seconds 60] [--only PART]

Parts, each a table:
- `cost`: attached on a terminal of 120x40 to a real run on a simulated GPU, read once a second: its
  share of a core, its memory, and the bytes that it sends to the terminal.
- `first`: `attach` to the journal of 14 hours (`long_journal.py`): seconds from the command to the
  first frame, and to the one that knows the whole run.
- `draw`: milliseconds to draw a view, the loss chart and the timeline of that night, at 200x50.
- `log`: an engine's output of a million lines: finding its line ends, reading the lines of a screen
  anywhere in it, going through all of it for a text, and the memory that it takes.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import long_journal
import psutil
from supervision import MIB, TRAINING, attached, cpu_s, created, progress_after, supervised

from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.search import finder
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.loss import draw_loss
from timellm_dashboard.panels.timeline import draw_timeline
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import JournalFollower

PARTS = ("cost", "first", "draw", "log")
LINES = 1_000_000
_WARM_UP_STEPS = 10
_PATIENCE_S = 180.0


def cost_table(folder: Path, seconds: float) -> str:
    """Beside a real run."""
    with (
        supervised(folder, TRAINING, "data.synthetic_rows=40000") as layout,
        attached(folder, layout) as screen,
    ):
        progress_after(layout, _WARM_UP_STEPS, _PATIENCE_S)
        time.sleep(3.0)
        process = psutil.Process(screen.pid)
        cpu, sent = cpu_s(process), screen.sent_bytes
        time.sleep(seconds)
        share = (cpu_s(process) - cpu) / seconds
        rate = (screen.sent_bytes - sent) / seconds
        memory = process.memory_info().rss / MIB
    return (
        "| share of a core | memory, MiB | to the terminal, bytes/s |\n" + "|---" * 3 + "|\n"
        f"| {share:.2%} | {memory:.0f} | {rate:,.0f} |"
    )


def first_table(folder: Path, repeats: int = 5) -> str:
    """From the command on, medians."""
    layout = night_run(folder)
    frames, wholes = [], []
    for _ in range(repeats):
        began = time.monotonic()
        with attached(folder, layout) as screen:
            frames.append(screen.until(lambda text: "1-6" in text, _PATIENCE_S) - began)
            wholes.append(screen.until(lambda text: "FINISHED" in text, _PATIENCE_S) - began)
    rows = ["| seconds from the command to | median | slowest |", "|---" * 3 + "|"]
    for name, found in (("the first frame", frames), ("the whole run", wholes)):
        rows.append(f"| {name} | {statistics.median(found):.2f} | {max(found):.2f} |")
    return "\n".join(rows)


def night_run(folder: Path) -> RunLayout:
    """A run of 14 hours that has ended, as far as a dashboard reads it."""
    layout = created(folder, TRAINING)
    records = long_journal.write(layout.journal)
    at_s = long_journal.HOURS * 3600 + 60.0
    ended = ev.RunEnded(
        outcome="finished", exit_code=0, reason="training finished",
        at=long_journal.BEGAN, t=long_journal.BEGAN_T + at_s,
    )  # fmt: skip
    with layout.journal.open("ab") as file:
        file.write(ev.encode_record(ev.JournalRecord(seq=records + 1, event=ended)))
    return layout


def draw_table(folder: Path) -> str:
    """Medians of many."""
    journal = folder / "night.jsonl"
    long_journal.write(journal)
    recorder, follower = Recorder(), JournalFollower(journal)
    while records := follower.poll():
        recorder.take(records)
    moment = Moment(
        t=long_journal.BEGAN_T + long_journal.HOURS * 3600, wall=datetime.now(UTC), supervised=True
    )
    view = recorder.view(moment, Look())
    drawn: dict[str, Callable[[], object]] = {
        "a view": lambda: recorder.view(moment, Look()),
        "the loss chart, 130x30": lambda: draw_loss(view, 130, 30),
        "the timeline, 196x30": lambda: draw_timeline(
            view, recorder.history, Look(), Focus(), 196, 30
        ),
    }
    rows = ["| what | ms, median | slowest |", "|---" * 3 + "|"]
    for name, draw in drawn.items():
        taken = [_timed(draw) for _ in range(50)]
        rows.append(f"| {name} | {1e3 * statistics.median(taken):.1f} | {1e3 * max(taken):.1f} |")
    return "\n".join(rows)


def log_table(folder: Path) -> str:
    """Of a million lines, in this process."""
    path = folder / "engine.log"
    with path.open("w", encoding="utf-8") as file:
        for step in range(1, LINES + 1):
            file.write(f"\titers: {step}, epoch: 1 | loss: {1 / step:.7f}\n")
    process = psutil.Process()
    before = process.memory_info().rss
    log = LogFile(path)

    def index() -> None:
        while log.take(log.scan()):
            pass

    def search() -> None:
        wanted, line = finder("nowhere in it"), 0
        while (piece := log.piece(line, forward=True)) is not None:
            if any(map(wanted.matches, log.read(piece))):
                raise SystemExit("found what is not there")
            line = piece.last

    index_s = _timed(index)
    far = itertools.count(7, LINES // 60)  # nowhere twice
    screens = [_timed(lambda: log.texts(range(start := next(far), start + 50))) for _ in range(50)]
    search_s = _timed(search)
    screen_ms = 1e3 * statistics.median(screens)
    grown = (process.memory_info().rss - before) / MIB
    return (
        f"{log.index.lines:,} lines, {path.stat().st_size / 1e6:.0f} MB\n\n"
        "| what | measured |\n|---|---|\n"
        f"| finding its line ends | {index_s:.2f} s |\n"
        f"| the 50 lines of a screen, anywhere, median | {screen_ms:.2f} ms |\n"
        f"| going through all of it for a text | {search_s:.2f} s |\n"
        f"| memory | {grown:.0f} MiB |"
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        for part in asked.only:
            folder = Path(made) / part
            folder.mkdir()
            match part:
                case "cost":
                    table = cost_table(folder, asked.seconds)
                case "first":
                    table = first_table(folder)
                case "draw":
                    table = draw_table(folder)
                case _:
                    table = log_table(folder)
            print(f"\n{part}\n\n{table}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
