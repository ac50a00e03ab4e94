"""What a running supervisor may be asked for: one JSON object a line on its socket."""

from typing import Literal, TypeAlias

from msgspec import Struct

StopMode = Literal["checkpoint", "after_checkpoint", "now", "kill"]
"""`checkpoint`: save at the next step and stop; `after_checkpoint`: wait for the next save;
`now`: SIGTERM, grace, SIGKILL; `kill`: SIGKILL at once."""


STOP_MODES: tuple[StopMode, ...] = ("after_checkpoint", "checkpoint", "now", "kill")
"""Ways to stop, from patient to abrupt. A run's way to stop only ever moves to the right."""


def stronger(mode: StopMode, than: StopMode | None) -> StopMode:
    """The more abrupt of two ways to stop; `None` is no stop at all."""
    return mode if than is None else max(mode, than, key=STOP_MODES.index)


class Request(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A request. `who` names the client for the journal, such as `dashboard` or `cli`."""

    who: str = "cli"


class PauseRun(Request, frozen=True, kw_only=True):
    """Hold the engine until `ResumeRun`."""


class ResumeRun(Request, frozen=True, kw_only=True):
    """Lift the user's hold. A policy's hold stays until the policy lifts it."""


class StopRun(Request, frozen=True, kw_only=True):
    """End the run."""

    mode: StopMode = "checkpoint"


class Ping(Request, frozen=True, kw_only=True):
    """Ask for a sign of life."""


AnyRequest: TypeAlias = PauseRun | ResumeRun | StopRun | Ping


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a request: whether it was taken, and one sentence for who asked."""

    ok: bool
    message: str = ""
