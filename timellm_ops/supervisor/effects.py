"""What a turn of the supervisor wants done to the world, as data."""

from typing import TypeAlias

from msgspec import Struct

from timellm_ops.contract.control import Control


class Effect(Struct, frozen=True, kw_only=True, tag=True):
    """Something to do. The core names it; only the shell does it."""


class WriteControl(Effect, frozen=True, kw_only=True):
    """Replace `control.json` of our own engine."""

    control: Control


class Suspend(Effect, frozen=True, kw_only=True):
    """Stop a foreign engine's whole tree in its tracks (SIGSTOP)."""


class Continue(Effect, frozen=True, kw_only=True):
    """Let a suspended tree move again (SIGCONT)."""


class Rest(Effect, frozen=True, kw_only=True):
    """Stop a foreign engine's whole tree for a moment, to slow it down. It is no pause."""


class Wake(Effect, frozen=True, kw_only=True):
    """Let a tree that rests move again."""


class Signal(Effect, frozen=True, kw_only=True):
    """Send a signal to the engine's whole tree."""

    number: int


class Relaunch(Effect, frozen=True, kw_only=True):
    """Start our own engine again, from its last checkpoint."""

    pieces: int
    """How many times as many pieces as configured a batch is computed in."""


class DumpStacks(Effect, frozen=True, kw_only=True):
    """Have our own engine write the stacks of its threads to its log: where it hangs."""


class LimitPower(Effect, frozen=True, kw_only=True):
    """Ask for a power limit of the card."""

    limit_w: float


class Finish(Effect, frozen=True, kw_only=True):
    """The run is over: leave, with this exit code."""

    exit_code: int


AnyEffect: TypeAlias = (
    WriteControl
    | Suspend
    | Continue
    | Rest
    | Wake
    | LimitPower
    | Signal
    | DumpStacks
    | Relaunch
    | Finish
)
