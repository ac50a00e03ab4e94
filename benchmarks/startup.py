"""How long the command line takes to answer, and what it loads.

    python benchmarks/startup.py [--runs 11] [--compare]

Times whole processes in turn: an empty interpreter, `timellm-ops --help` and `run --help`; prints
medians and spread, and whether torch or textual were loaded. `--compare` also times the same
nine-command skeleton in cyclopts and in typer (which must be installed), side by side.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAVY = ("torch", "transformers", "textual", "pandas", "numpy")

_BODY = """
def command(run: str = "latest", *, json: bool = False, plain: bool = False) -> None:
    "Do one thing with a run."

for name in "run attach pause resume stop list show import doctor".split():
    {register}
app()
"""
_SKELETONS = {
    "cyclopts, Markdown help": (
        'from cyclopts import App\napp = App(name="x", help="Train.")'
        + _BODY.format(register="app.command(command, name=name)")
    ),
    "cyclopts, plain help": (
        'from cyclopts import App\napp = App(name="x", help="Train.", help_format="plaintext")'
        + _BODY.format(register="app.command(command, name=name)")
    ),
    "typer": (
        'import typer\napp = typer.Typer(help="Train.")'
        + _BODY.format(register="app.command(name=name)(command)")
    ),
}


def seconds(command: list[str]) -> float:
    """The wall time of one process, from its start to its end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def time_in_turn(commands: dict[str, list[str]], runs: int) -> None:
    """Run the commands one after the other, `runs` times over after a warm-up; print medians."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            spent = seconds(command)
            if turn:
                taken[name].append(spent)
    print(f"{'whole process, wall seconds':<34} {'min':>7} {'median':>7} {'max':>7}   n={runs}")
    for name, spent in taken.items():
        middle = statistics.median(spent)
        print(f"{name:<34} {min(spent):7.3f} {middle:7.3f} {max(spent):7.3f}")


def loaded() -> list[str]:
    """Which heavy packages `timellm-ops --help` loads."""
    code = (
        "import sys, contextlib, io\n"
        "sys.argv = ['timellm-ops', '--help']\n"
        "from timellm_ops.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def main() -> None:
    """Time what was asked for."""
    parser = argparse.ArgumentParser(description="Time the start-up of the command line.")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--compare", action="store_true", help="also cyclopts against typer")
    chosen = parser.parse_args()
    ours = [sys.executable, "-m", "timellm_ops.cli"]
    time_in_turn(
        {
            "python -c pass": [sys.executable, "-c", "pass"],
            "timellm-ops --help": [*ours, "--help"],
            "timellm-ops run --help": [*ours, "run", "--help"],
        },
        chosen.runs,
    )
    print(f"heavy packages loaded by --help: {', '.join(loaded()) or 'none'}")
    if not chosen.compare:
        return
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for number, (name, text) in enumerate(_SKELETONS.items()):
            script = Path(folder) / f"skeleton{number}.py"
            script.write_text(text, encoding="utf-8")
            commands[f"{name}: --help"] = [sys.executable, str(script), "--help"]
            commands[f"{name}: run --help"] = [sys.executable, str(script), "run", "--help"]
        time_in_turn(commands, chosen.runs)


if __name__ == "__main__":
    main()
