"""Clock times along an axis of supervised time."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from msgspec import Struct

_STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800,
)  # fmt: skip
_APART = 3
"""Cells between two labels, at least."""


class Tick(Struct, frozen=True):
    """A label whose place is `column`."""

    column: int
    text: str


def clock_ticks(
    stretches: Sequence[tuple[float, float]],
    start: float,
    end: float,
    cells: int,
    zone: tzinfo | None,
) -> tuple[Tick, ...]:
    """Round clock times from `start` to `end`, which is `cells` wide.

    `stretches`: where the clock runs along, each as its beginning and what makes seconds since
    1970 of a place in it.
    """
    if not stretches or cells < 1 or end <= start:
        return ()
    step_s = _step(lambda s: 8 if s < 60 else 5, start, end, cells)
    ends = [*(begin for begin, _ in stretches[1:]), end]
    ticks: list[Tick] = []
    free = 0
    for (begin, epoch_s), until in zip(stretches, ends, strict=True):
        offset_s = _utc_offset_s(begin + epoch_s, zone)
        at_s = -(-(begin + epoch_s + offset_s) // step_s) * step_s - offset_s
        while at_s - epoch_s <= until:
            column = min(cells - 1, int((at_s - epoch_s - start) / (end - start) * cells))
            text = f"{_local(at_s, zone):{'%H:%M:%S' if step_s < 60 else '%H:%M'}}"
            if column >= free and column + 1 + len(text) <= cells:
                ticks.append(Tick(column, text))
                free = column + 1 + len(text) + 1
            at_s += step_s
    return tuple(ticks)


def run_ticks(
    start: float, end: float, cells: int, write: Callable[[float], str]
) -> tuple[Tick, ...]:
    """Round run times, for a run of which no clock time is known."""
    if cells < 1 or end <= start:
        return ()
    step_s = _step(lambda _: 7, start, end, cells)
    ticks, at_s = [], -(-start // step_s) * step_s
    while at_s <= end:
        column = min(cells - 1, int((at_s - start) / (end - start) * cells))
        text = write(at_s)
        if column + 1 + len(text) <= cells:
            ticks.append(Tick(column, text))
        at_s += step_s
    return tuple(ticks)


def _step(label_cells: Callable[[int], int], start: float, end: float, cells: int) -> int:
    """The smallest step at which labels do not touch."""
    for step_s in _STEPS_S:
        if step_s / (end - start) * cells >= label_cells(step_s) + _APART:
            return step_s
    return _STEPS_S[-1]


def _local(at_s: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_s, zone) if zone else datetime.fromtimestamp(at_s).astimezone()


def _utc_offset_s(at_s: float, zone: tzinfo | None) -> float:
    offset = _local(at_s, zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
