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
    from timellm_ops.cli.streams import complain, give_up_output, output_problem, prepare_streams

    prepare_streams()
    try:
        code = _command(sys.argv[1:])
        problem = output_problem()
    except OSError as error:  # the commands tell of all others themselves
        code, problem = 0, error
    if problem is not None:
        give_up_output()
        if isinstance(problem, BrokenPipeError):
            return code  # whoever read it has seen enough
        complain(f"the output cannot be written ({problem.strerror})")
        return 3
    return code


def _command(arguments: list[str]) -> int:
    from timellm_ops.cli.overview import ASKS_FOR_IT, overview

    if arguments in ASKS_FOR_IT:
        sys.stdout.write(f"{overview()}\n")
        return 0
    from timellm_ops.cli.commands import run_command

    return run_command(arguments)
