"""What the supervisor asks of the engine, as written to `control.json`, and its sign of life."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Desired = Literal["run", "pause", "stop_after_checkpoint", "stop_now"]
"""`stop_now` saves `last` at the next step boundary; the other stop goes on to the next save."""


class Control(Struct, frozen=True, kw_only=True):
    """The whole of `control.json`. The engine acknowledges `sequence` through an event."""

    sequence: int
    desired: Desired = "run"
    duty: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Fraction of the time to compute; the rest is slept between steps."""


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The whole of `heartbeat`: who supervises, and the monotonic second of its last turn."""

    pid: int
    t: float
