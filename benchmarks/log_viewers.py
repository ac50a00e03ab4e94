"""The log screen beside another viewer of logs, on the same log of a million lines.

    python benchmarks/log_viewers.py [--toolong PATH/TO/tl] [--lines 1000000] [--rounds 3]

Needs tmux. In turn, each viewer is started in a terminal of 80 x 24, and shows the end of the log;
ten lines a second are added for a while; a line at nine tenths of the log is searched for from its
beginning. Seconds are until the text is on the screen, looked at every 30 ms; shares are processor
time of the viewer's process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec import Struct

SETTLE_S, WATCH_S, LIMIT_S = 3.0, 15.0, 120.0
_SOCKET = f"log-viewers-{os.getpid()}"


class Viewer(Struct, frozen=True, kw_only=True):
    """A program that shows a log, and the keys for what is timed."""

    name: str
    command: str
    log: Path
    first_frame: str
    """A text that stands on its first frame."""
    to_log: tuple[str, ...]
    to_begin: tuple[str, ...]
    ask: str
    find: str


def tmux(*arguments: str) -> str:
    """What tmux answers."""
    command = ["tmux", "-L", _SOCKET, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def press(*keys: str) -> None:
    """Keys, by tmux's names, with time for each to be taken."""
    for key in keys:
        tmux("send-keys", key)
        time.sleep(0.5)


def until_shown(text: str, began: float) -> float:
    """Seconds since `began` until the terminal shows `text`; not a number: it never did."""
    while time.monotonic() - began < LIMIT_S:
        if text in tmux("capture-pane", "-p"):
            return time.monotonic() - began
        time.sleep(0.03)
    return float("nan")


def processor_s(pid: int) -> float:
    """Processor seconds that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Its resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def busy(pid: int, log: Path | None) -> float:
    """Its share of a core, in percent, while nothing or something is added to the log."""
    before = processor_s(pid)
    with open(os.devnull if log is None else log, "a") as file:  # noqa: PTH123
        for number in range(int(WATCH_S * 10)):
            file.write(f"\titers: {number}, epoch: 99 | loss: 0.5000000\n")
            file.flush()
            time.sleep(0.1)
    return (processor_s(pid) - before) / WATCH_S * 100


def measure(viewer: Viewer, size: int, last: str, wanted: str) -> str:
    """One round of one viewer, as a line of a table."""
    os.truncate(viewer.log, size)
    began = time.monotonic()
    tmux("new-session", "-d", "-x", "80", "-y", "24", f"exec {viewer.command}")
    try:
        first = until_shown(viewer.first_frame, began)
        tmux("send-keys", *viewer.to_log)
        end = until_shown(last, began)
        pid = int(tmux("list-panes", "-F", "#{pane_pid}"))
        time.sleep(SETTLE_S)
        memory, idle, follows = memory_mb(pid), busy(pid, None), busy(pid, viewer.log)
        press(*viewer.to_begin, viewer.ask)
        tmux("send-keys", "-l", wanted)
        time.sleep(0.5)
        began = time.monotonic()
        tmux("send-keys", viewer.find)
        found = until_shown(f"{wanted} epoch", began)
        after = memory_mb(pid)
    finally:
        tmux("kill-server")
        time.sleep(SETTLE_S)  # the next server must not find this one leaving
    return (
        f"{viewer.name:<12} {first:8.2f} {end:8.2f} {found:8.2f} {memory:8.0f} {after:8.0f}"
        f" {idle:8.1f} {follows:8.1f}"
    )


def written(path: Path, lines: int) -> tuple[str, str]:
    """A log as our engine prints it; its last line, and what is searched for."""
    steps = lines // 2
    with path.open("w") as file:
        for n in range(1, steps + 1):
            file.write(f"\titers: {n}, epoch: 1 | loss: {0.3 + 90 / (n + 200):.7f}\n")
            file.write(f"\tspeed: 0.5000s/iter; left time: {(steps - n) * 0.5:.4f}s\n")
    return "left time: 0.0000s", f"iters: {steps * 9 // 10},"


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toolong", default="", help="the executable of toolong")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIMELLM_RUNS_DIR"] = folder
        other = Path(folder) / "other.log"
        written(other, 200)
        ops = [sys.executable, "-m", "timellm_ops.cli"]
        subprocess.run([*ops, "import", str(other)], check=True, capture_output=True)
        ours = next(Path(folder).glob("*/engine.log"))
        last, wanted = written(ours, options.lines)
        viewers = [
            Viewer(
                name="timellm-ops", command=f"{sys.executable} -m timellm_ops.cli attach",
                log=ours, first_frame="screens", to_log=("3",), to_begin=("Home",), ask="/",
                find="Enter",
            )
        ]  # fmt: skip
        if options.toolong:
            written(other, options.lines)
            viewers.append(
                Viewer(
                    name="toolong", command=f"{options.toolong} {other}", log=other,
                    first_frame="Tail", to_log=("End",), to_begin=("Home",), ask="C-f",
                    find="Down",
                )
            )  # fmt: skip
        size = ours.stat().st_size
        columns = ("frame s", "end s", "find s", "MB", "MB after", "idle %", "follow %")
        print(f"{'':<12} " + " ".join(f"{name:>8}" for name in columns))
        for _ in range(options.rounds):
            for viewer in viewers:
                print(measure(viewer, size, last, wanted), flush=True)


if __name__ == "__main__":
    main()
