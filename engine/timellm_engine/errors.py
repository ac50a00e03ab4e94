"""Why the engine cannot go on: one line for the person, and the exit code that goes with it."""

from typing import Literal

Kind = Literal["input", "preflight", "training"]

EXIT_CODES: dict[Kind, int] = {"input": 2, "preflight": 3, "training": 4}
"""Bad input; the input is right but cannot run here; training itself failed."""


class EngineError(Exception):
    """An end that was foreseen. Its text is one line; `kind` decides the exit code."""

    kind: Kind = "training"


class InputError(EngineError):
    """Config, data or checkpoint do not fit. Its text names what, found and expected."""

    kind: Kind = "input"

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

    kind: Kind = "preflight"


class PreflightError(EngineError):
    """The config is right but cannot run on this machine."""

    kind: Kind = "preflight"


class TrainingError(EngineError):
    """Training cannot go on: a loss that is no number, a stop whose checkpoint failed."""


def one_line(error: BaseException) -> str:
    """An exception nobody foresaw, as one line: what kind it is and the first thing it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    name = type(error).__name__
    return f"{name}: {said[:300]}" if said else name
