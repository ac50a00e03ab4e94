"""The names of checkpoints in a run's `checkpoints` folder: `best`, `last`, `step-N`. Pure."""

from collections.abc import Iterable

from timellm_ops.contract.events import CheckpointKind

STEP = "step-"
PREVIOUS = ".previous-"
"""Before the name of one that was replaced and is kept until the next is begun."""

BROKEN = "broken-"
"""Before the name of one that was found to be damaged and set aside."""


def in_place(names: Iterable[str]) -> list[str]:
    """The names of checkpoints that can be used, in order: neither hidden nor set aside."""
    return sorted(name for name in names if name[0] != "." and not name.startswith(BROKEN))


def step_name(step: int) -> str:
    """The name of the checkpoint that is kept of this step of the whole run."""
    return f"{STEP}{step}"


def step_of(name: str) -> int | None:
    """Of which step `step-N` is; `None` for every other name."""
    number = name.removeprefix(STEP)
    return int(number) if number != name and number.isdecimal() else None


def previous_name(name: str) -> str:
    """The name of the one before."""
    return f"{PREVIOUS}{name}"


def kind_of(name: str) -> CheckpointKind:
    """What kind of checkpoint has this name. Raises `ValueError` for a name that none has."""
    if name in ("best", "last"):
        return "best" if name == "best" else "last"
    if step_of(name) is not None:
        return "step"
    raise ValueError(f"{name!r} is no checkpoint's name")
