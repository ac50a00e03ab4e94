"""Why the engine cannot go on: one line for the person, and the exit code that goes with it."""

from timellm_ops.contract.events import FailureKind

EXIT_CODES: dict[FailureKind, int] = {"input": 2, "preflight": 3, "training": 4, "memory": 6}
"""Bad input; the input is right but cannot run here; training itself failed; it did not fit into
memory."""
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")


class EngineError(Exception):
    """An end that was foreseen. Its text is one line; `kind` decides the exit code."""

    kind: FailureKind = "training"


class InputError(EngineError):
    """Config, data or checkpoint do not fit. Its text names what, found and expected."""

    kind: FailureKind = "input"

    def __init__(self, where: str, found: str, expected: str) -> None:
        self.where, self.found, self.expected = where, found, expected
        super().__init__(f"{where}: found {found}; expected {expected}")


class BackboneError(InputError):
    """A backbone that cannot be used. Its text is one line: key, found, expected."""

    @property
    def key(self) -> str:
        """The key of the config that is at fault."""
        return self.where


class BackboneUnreachableError(BackboneError):
    """A hub id that could not be had: the input may be right, but not on this machine, not now."""

    kind: FailureKind = "preflight"


class PreflightError(EngineError):
    """The config is right but cannot run on this machine."""

    kind: FailureKind = "preflight"


class TrainingError(EngineError):
    """Training cannot go on: a loss that is no number, a stop whose checkpoint failed."""


def kind_of(error: BaseException) -> FailureKind:
    """What an exception nobody foresaw is: a want of memory, or anything else.

    torch names its exception for a GPU, and for main memory only says so.
    """
    said = str(error).lower()
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return "memory" if named or any(words in said for words in _OUT_OF_MEMORY) else "training"


def one_line(error: BaseException) -> str:
    """An exception nobody foresaw, as one line: what kind it is and the first thing it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    name = type(error).__name__
    return f"{name}: {said[:300]}" if said else name
