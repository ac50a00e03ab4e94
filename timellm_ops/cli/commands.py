"""Which commands there are, and what becomes of an error in one.

Commands are named by import path and loaded when given, which is what keeps the start-up short.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import timellm_ops

_COMMANDS = {
    "run": ("running:run", "Start a run, or resume one, and watch it."),
    "attach": ("running:attach", "Watch a run again; replaces a supervisor that is gone."),
    "pause": ("control:pause", "Hold the engine between two steps."),
    "resume": ("control:resume", "Let a paused run go on."),
    "stop": ("control:stop", "End a run: save at the next step, verify it on disk, stop."),
    "list": ("listing:list_runs", "All runs, newest last."),
    "show": ("listing:show", "One run on one page."),
    "import": ("importing:import_log", "Make a run record of a log of the published script."),
    "doctor": ("doctor:doctor", "What is here: GPU, data, backbone, disk."),
}

app = App(
    name="timellm-ops",
    help="Train Time-LLM under supervision: thermal policies, exact run records, a dashboard.",
    help_format="plaintext",  # rendering Markdown would cost a fifth of the start-up
    version=timellm_ops.__version__,
    result_action="return_value",
)
for name, (place, text) in _COMMANDS.items():
    app.command(f"timellm_ops.cli.{place}", name=name, help=text)


def run_command(arguments: Sequence[str]) -> int:
    """Parse and run; every error that is the user's or the machine's becomes one line."""
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _fail(2, f"{_one_line(error)} (timellm-ops --help lists what there is)")
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from timellm_ops.cli.exits import exit_code_of

        known = exit_code_of(error)
        if known is None:
            raise
        return _fail(known, _one_line(error))
    return code if isinstance(code, int) else 0


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"timellm-ops: {text}\n")
    return code


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
