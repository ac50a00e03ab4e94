"""Bars, gauges and sparklines: one row each."""

from collections.abc import Sequence

from timellm_dashboard.lines import Line, Span, Tone

_SPARKS = "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.,-=+*#"


def bar(share: float | None, width: int, tone: Tone, *, ascii_only: bool) -> Line:
    """A bar that is filled by `share`; one whose share is not known is empty."""
    full, rest = ("#", ".") if ascii_only else ("━", "─")
    halves = 0 if share is None else int(min(1.0, max(0.0, share)) * width * 2)
    filled = full * (halves // 2)
    if halves % 2 and not ascii_only:
        filled += "╸"
    return Span(filled, tone), Span(rest * (width - len(filled)), "muted")


def gauge(
    value: float | None,
    low: float,
    high: float,
    limits: Sequence[tuple[float, Tone]],
    width: int,
    tone: Tone,
    *,
    ascii_only: bool,
) -> Line:
    """A bar from `low` to `high` with a mark at each limit."""
    full, rest, mark = ("#", ".", "|") if ascii_only else ("━", "─", "┃")

    def place(number: float) -> int:
        share = (min(high, max(low, number)) - low) / (high - low)
        return min(width - 1, int(share * width))

    cells = [Span(rest, "muted")] * width
    if value is not None:
        cells[: place(value) + 1] = [Span(full, tone)] * (place(value) + 1)
    for limit, limit_tone in limits:
        cells[place(limit)] = Span(mark, limit_tone)
    spans: list[Span] = []
    for cell in cells:
        if spans and spans[-1].tone == cell.tone:
            spans[-1] = Span(spans[-1].text + cell.text, cell.tone)
        else:
            spans.append(cell)
    return tuple(spans)


_GAP = 3
"""A value stands for so many stretches after its own that have none."""


def _carried_on(columns: Sequence[float | None]) -> list[float | None]:
    carried: list[float | None] = []
    gap, before = 0, None
    for value in columns:
        gap = 0 if value is not None else gap + 1
        before = value if value is not None else before
        carried.append(before if gap <= _GAP else None)
    return carried


def sparkline(
    points: Sequence[tuple[float, float]],
    start: float,
    end: float,
    smallest_span: float,
    width: int,
    *,
    ascii_only: bool,
) -> str:
    """The highest value in each of `width` stretches from `start` to `end`, as small columns.

    A long stretch without a value is blank. The columns' range is at least `smallest_span`, so
    that a steady value looks steady.
    """
    if not points or width < 1 or end <= start:
        return ""
    columns: list[float | None] = [None] * width
    for x, value in points:
        column = min(width - 1, int((x - start) / (end - start) * width))
        if column >= 0:
            known = columns[column]
            columns[column] = value if known is None else max(known, value)
    columns = _carried_on(columns)
    known_values = [value for value in columns if value is not None]
    if not known_values:
        return ""
    low, high = min(known_values), max(known_values)
    if high - low < smallest_span:
        middle = (low + high) / 2
        low, high = middle - smallest_span / 2, middle + smallest_span / 2
    sparks = _ASCII_SPARKS if ascii_only else _SPARKS
    return "".join(
        " " if value is None else sparks[min(7, int((value - low) / (high - low) * 8))]
        for value in columns
    )
