"""Which errors are the user's or the machine's, not a defect of ours, and their exit codes."""

from timellm_ops.app import SupervisorFailed
from timellm_ops.cli.errors import BAD_INPUT, NOT_HERE, MissingExtra, OutputRefused, UsageError
from timellm_ops.contract.validation import ConfigError
from timellm_ops.engine_task import EngineTaskFailed
from timellm_ops.importer import ImportRefused
from timellm_ops.preflight import DataUnusable, PreflightError
from timellm_ops.store import RunAmbiguous, RunNotFound


def exit_code_of(error: Exception) -> int | None:
    """The exit code, or `None` for an error that nobody should see without its traceback."""
    match error:
        case ConfigError() | RunNotFound() | RunAmbiguous() | UsageError() | ImportRefused():
            return BAD_INPUT
        case DataUnusable():
            return BAD_INPUT
        case EngineTaskFailed():
            return error.code
        case PreflightError() | SupervisorFailed() | MissingExtra() | OutputRefused() | OSError():
            return NOT_HERE
        case _:
            return None
