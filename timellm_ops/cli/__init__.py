"""The command line: arguments, exit codes, and the only place that prints errors.

Nothing heavy is imported here: a command's module is loaded when that command is given.
"""

import sys

WINDOWS = "native Windows is not supported: run timellm-ops inside WSL2, where it sees the GPU"


def main() -> int:
    """Run one command; returns its exit code."""
    if sys.platform in ("win32", "cygwin"):
        sys.stderr.write(f"timellm-ops: {WINDOWS}\n")
        return 3
    arguments = sys.argv[1:]
    from timellm_ops.cli.overview import ASKS_FOR_IT, overview

    if arguments in ASKS_FOR_IT:
        print(overview())  # noqa: T201
        return 0
    from timellm_ops.cli.commands import run_command

    return run_command(arguments)
