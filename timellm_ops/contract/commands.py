"""What a running supervisor may be asked for: one JSON object a line on its socket."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

StopMode = Literal["checkpoint", "after_checkpoint", "now", "kill"]
"""`checkpoint`: save at the next step and stop; `after_checkpoint`: wait for the next save;
`now`: SIGTERM, grace, SIGKILL; `kill`: SIGKILL at once.

At SIGTERM our own engine saves at its next step too, if it comes to one within the grace. A script
cannot save itself: `checkpoint` is SIGINT, grace, SIGTERM, grace, SIGKILL for it."""


STOP_MODES: tuple[StopMode, ...] = ("after_checkpoint", "checkpoint", "now", "kill")
"""Ways to stop, from patient to abrupt. A run's way to stop only ever moves to the right."""


DEFAULT_OVERRIDE_S = 1800.0
"""For how long a rule is overridden where nobody says."""
LONGEST_OVERRIDE_S = 86_400.0


def stronger(mode: StopMode, than: StopMode | None) -> StopMode:
    """The more abrupt of two ways to stop; `None` is no stop at all."""
    return mode if than is None else max(mode, than, key=STOP_MODES.index)


class Request(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A request. `who` names the client for the journal, such as `dashboard` or `cli`."""

    who: str = "cli"


_ASKERS = {
    "cli": "the command line",
    "dashboard": "the dashboard",
    "signal": "a signal",
    "terminal": "the terminal",
}


def asker(who: str) -> str:
    """Who asked, as a sentence names them; whoever is not one of ours, by their own name."""
    return _ASKERS.get(who, who)


class PauseRun(Request, frozen=True, kw_only=True):
    """Hold the engine until `ResumeRun`."""


class ResumeRun(Request, frozen=True, kw_only=True):
    """Lift the user's hold; where only rules hold the run, or with `for_s`, go on against them.

    A rule that is overridden may not hold the run for a while. It may still stop it.
    """

    for_s: Annotated[float, Meta(gt=0.0, le=LONGEST_OVERRIDE_S)] | None = None
    """For how long the rules that hold the run are overridden, in seconds; `None`: as long as
    `DEFAULT_OVERRIDE_S`, and only where the user's own hold is not to be lifted first."""


class StopRun(Request, frozen=True, kw_only=True):
    """End the run."""

    mode: StopMode = "checkpoint"


class SetPolicy(Request, frozen=True, kw_only=True):
    """Change keys of `[policy]` for the rest of the run; all of them, or none."""

    settings: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    """Each `key=value`, the key in full, such as `policy.thermal.pause_above_c=83`."""


class Ping(Request, frozen=True, kw_only=True):
    """Ask for a sign of life."""


AnyRequest: TypeAlias = PauseRun | ResumeRun | StopRun | SetPolicy | Ping


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a request: whether it was taken, and one sentence for who asked."""

    ok: bool
    message: str = ""
