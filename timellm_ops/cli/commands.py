"""The commands, parsed and run, and what becomes of an error in one.

Commands are named by import path and loaded when given, which is what keeps the start-up short.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

import timellm_ops
from timellm_ops.cli.errors import BAD_INPUT, NOT_HERE
from timellm_ops.cli.help_pages import help_page
from timellm_ops.cli.overview import ABOUT, COMMANDS
from timellm_ops.cli.streams import complain, give_up_output, output_problem

app = App(
    name="timellm-ops",
    help=ABOUT,
    help_format="plaintext",  # rendering Markdown would cost a fifth of the start-up
    version=timellm_ops.__version__,
    result_action="return_value",
    default_parameter=Parameter(show_default=False),
    suppress_keyboard_interrupt=False,  # it would become a `SystemExit`
)
for name, (place, text) in COMMANDS.items():
    app.command(f"timellm_ops.cli.{place}", name=name, help=help_page(name, text))


def run_command(arguments: Sequence[str]) -> int:
    """Parse and run; every error that is the user's or the machine's becomes one line."""
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        from timellm_ops.cli.usage import usage_problem

        return _fail(BAD_INPUT, usage_problem(error))
    except KeyboardInterrupt:
        sys.stderr.write("\n")  # what comes next is not beside the ^C of a terminal
        return 130
    except BrokenPipeError:
        give_up_output()
        return 0  # whoever read the output has seen enough
    except OSError as error:
        if output_problem(error) is not None:
            raise
        return _fail(NOT_HERE, _of_the_system(error))
    except SystemExit:
        # The page of a command's options was not read to its end.
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
    complain("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))
    return code


def _of_the_system(error: OSError) -> str:
    """What the system refused, with the file that it was about."""
    if error.strerror is None:
        return _one_line(error)
    try:
        Path.cwd()
    except OSError:
        return "the working folder is not there any more; change to one that is"
    return f"{os.fsdecode(error.filename)}: {error.strerror}" if error.filename else error.strerror


def _lines(error: Exception) -> list[str]:
    """What is said of an error: a line, and of a file with several faults one for each."""
    from timellm_ops.contract.validation import ConfigError

    every = error.all if isinstance(error, ConfigError) else (error,)
    return list(dict.fromkeys(_one_line(one) for one in every))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
