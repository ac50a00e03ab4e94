"""The commands, parsed and run, and what becomes of an error in one.

Commands are named by import path and loaded when given, which is what keeps the start-up short.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

import timellm_ops
from timellm_ops.cli.overview import ABOUT, COMMANDS

app = App(
    name="timellm-ops",
    help=ABOUT,
    help_format="plaintext",  # rendering Markdown would cost a fifth of the start-up
    version=timellm_ops.__version__,
    result_action="return_value",
    default_parameter=Parameter(show_default=False),
)
for name, (place, text) in COMMANDS.items():
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
        for text in _lines(error):
            _fail(known, text)
        return known
    return code if isinstance(code, int) else 0


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"timellm-ops: {text}\n")
    return code


def _lines(error: Exception) -> list[str]:
    """What is said of an error: a line, and of a file with several faults one for each."""
    from timellm_ops.contract.validation import ConfigError

    every = error.all if isinstance(error, ConfigError) else (error,)
    return list(dict.fromkeys(_one_line(one) for one in every))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
