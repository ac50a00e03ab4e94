"""What a pattern may say: events, the named groups of each, and how a text becomes a number."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

Conversion: TypeAlias = Literal[
    "int", "from_zero", "float", "percent", "seconds", "milliseconds", "minutes", "hours", "clock",
    "text",
]  # fmt: skip
"""`from_zero`: counted from 0, so one is added; `percent`: a hundredth; `clock`: `1:02:03` or
`02:03`."""

EventName: TypeAlias = Literal[
    "training", "bar", "epoch_started", "progress", "speed", "evaluation", "epoch_trained",
    "epoch_ended", "learning_rate", "early_stopping", "checkpoint", "test", "finished", "failed",
    "alert",
]  # fmt: skip

Value: TypeAlias = int | float | str

COUNT: tuple[Conversion, ...] = ("int", "from_zero")
NUMBER: tuple[Conversion, ...] = ("float", "percent")
SECONDS: tuple[Conversion, ...] = ("seconds", "milliseconds", "minutes", "hours", "clock")
TEXT: tuple[Conversion, ...] = ("text",)


class Fields(NamedTuple):
    """The groups of one event. Of each, the conversions that it may have, its usual one first."""

    may: Mapping[str, tuple[Conversion, ...]]
    must: tuple[str, ...] = ()
    """Those without which a line does not say the event."""
    any_of: tuple[str, ...] = ()
    """Where there are such: a line must tell one of them, and the first of them must be readable
    if it shows it."""


_PACE: Mapping[str, tuple[Conversion, ...]] = {
    "seconds_per_iteration": SECONDS,
    "iterations_per_second": NUMBER,
    "left_seconds": SECONDS,
}

FIELDS: Mapping[EventName, Fields] = {
    "training": Fields({"epochs": COUNT, "steps_per_epoch": COUNT, "total_steps": COUNT}),
    "bar": Fields(
        {"step": COUNT, "total": COUNT, **_PACE},
        ("step", "total"),
    ),
    "epoch_started": Fields({"epoch": COUNT, "steps": COUNT, "epochs": COUNT}),
    "progress": Fields(
        {
            "loss": NUMBER,
            "epoch": COUNT,
            "epochs_done": NUMBER,
            "iteration": COUNT,
            "step": COUNT,
            "total": COUNT,
            "lr": NUMBER,
            "grad_norm": NUMBER,
            **_PACE,
        },
        any_of=("loss", "iteration", "step", "epochs_done"),
    ),
    "speed": Fields(_PACE),
    "evaluation": Fields({"done": COUNT, "total": COUNT}, ("done", "total")),
    "epoch_trained": Fields({"epoch": COUNT, "seconds": SECONDS}),
    "epoch_ended": Fields(
        {
            "vali": NUMBER,
            "epoch": COUNT,
            "epochs_done": NUMBER,
            "steps": COUNT,
            "train": NUMBER,
            "test": NUMBER,
            "test_mae": NUMBER,
            "vali_mae": NUMBER,
            "seconds": SECONDS,
            "evaluation_seconds": SECONDS,
        },
        ("vali",),
    ),
    "learning_rate": Fields({"lr": NUMBER}, ("lr",)),
    "early_stopping": Fields({"counter": COUNT, "patience": COUNT}),
    "checkpoint": Fields(
        {"path": TEXT, "epoch": COUNT, "vali": NUMBER, "previous_vali": NUMBER, "step": COUNT}
    ),
    "test": Fields({"mse": NUMBER, "mae": NUMBER, "windows": COUNT}),
    "finished": Fields({}),
    "failed": Fields({"message": TEXT}),
    "alert": Fields({"message": TEXT}),
}

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{0,6})?)\Z")
_SEPARATORS = str.maketrans("", "", ",_ ")
_MOST = 10**15
"""No count in a log is larger; what is, was something else."""


def convert(text: str, how: Conversion) -> Value | None:
    """What `text` says; `None` where it is not such a thing."""
    try:
        return _HOW[how](text.strip())
    except (ValueError, OverflowError):
        return None


def _count(text: str) -> int | None:
    found = int(text[:40].translate(_SEPARATORS))
    return found if 0 <= found < _MOST else None


def _from_zero(text: str) -> int | None:
    found = _count(text)
    return None if found is None else found + 1


def _times(factor: float) -> Callable[[str], float]:
    return lambda text: float(text) * factor


def _clock(text: str) -> float | None:
    found = _CLOCK.match(text)
    if found is None:
        return None
    hours, minutes, seconds = found.groups(default="0")
    return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)


_HOW: Mapping[Conversion, Callable[[str], Value | None]] = {
    "int": _count,
    "from_zero": _from_zero,
    "float": _times(1.0),
    "percent": _times(0.01),
    "seconds": _times(1.0),
    "milliseconds": _times(0.001),
    "minutes": _times(60.0),
    "hours": _times(3600.0),
    "clock": _clock,
    "text": lambda text: text or None,
}
