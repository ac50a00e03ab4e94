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


class Signal(Effect, frozen=True, kw_only=True):
    """Send a signal to the engine's whole tree."""

    number: int


class LimitPower(Effect, frozen=True, kw_only=True):
    """Ask for a power limit of the card."""

    limit_w: float


class Finish(Effect, frozen=True, kw_only=True):
    """The run is over: leave, with this exit code."""

    exit_code: int


AnyEffect: TypeAlias = WriteControl | Suspend | Continue | Signal | LimitPower | Finish
