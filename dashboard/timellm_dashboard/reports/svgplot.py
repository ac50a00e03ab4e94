"""A plot as inline SVG, for pages that must not depend on anything. Colours are the page's own
custom properties, by the name of a tone."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Literal

from msgspec import Struct

PlotTone = Literal["course", "good", "held", "bad", "third"]

_WIDTH, _HEIGHT = 900.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 22.0, 34.0
_LINES = 4
_LEGEND_STEP = 150.0
_NAME_STEP, _NAME_HEIGHT = 110.0, 14.0
_OUTLIERS = 0.02


class Curve(Struct, frozen=True):
    """A line through points."""

    points: Sequence[tuple[float, float]]
    tone: PlotTone
    name: str = ""
    dots: bool = False


class Spread(Struct, frozen=True):
    """An area between the lowest and the highest value at each place."""

    points: Sequence[tuple[float, float, float]]
    name: str = ""


class Level(Struct, frozen=True):
    """A horizontal line with a meaning."""

    value: float
    tone: PlotTone
    name: str


class Band(Struct, frozen=True):
    """A stretch of the horizontal axis with a meaning."""

    start: float
    end: float
    name: str


class Plot(Struct, frozen=True, kw_only=True):
    """What is drawn."""

    curves: Sequence[Curve] = ()
    spreads: Sequence[Spread] = ()
    levels: Sequence[Level] = ()
    bands: Sequence[Band] = ()
    ticks: Sequence[tuple[float, str]] = ()
    """Places on the horizontal axis that have a meaning; the words are shown on pointing at one."""
    axis: str
    write: Callable[[float], str]
    write_x: Callable[[float], str]
    trimmed: bool = False
    """Whether a few outliers of a spread may lie beyond the frame."""


def draw_plot(plot: Plot) -> str:
    """The plot as an `svg` element; empty where there is nothing to draw."""
    place = _Place.of(plot)
    if place is None:
        return ""
    label = escape(plot.axis)
    head = f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">'
    return "\n".join((head, *_parts(plot, place), "</svg>"))


class _Place(Struct, frozen=True):
    """From values to points of the drawing."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def of(cls, plot: Plot) -> "_Place | None":
        xs = [x for curve in plot.curves for x, _ in curve.points]
        xs += [x for spread in plot.spreads for x, _, _ in spread.points]
        ys = [y for curve in plot.curves for _, y in curve.points]
        lows = sorted(low for spread in plot.spreads for _, low, _ in spread.points)
        highs = sorted(high for spread in plot.spreads for _, _, high in spread.points)
        if plot.trimmed and highs:
            lows = lows[math.floor((len(lows) - 1) * _OUTLIERS) :]
            highs = highs[: math.ceil((len(highs) - 1) * (1 - _OUTLIERS)) + 1]
        ys += [*lows[:1], *highs[-1:]]
        ys = [y for y in ys if math.isfinite(y)]
        if not xs or not ys:
            return None
        ys += [level.value for level in plot.levels]
        low, high = min(ys), max(ys)
        flat = plot.write(low) == plot.write(high)
        margin = 0.5 * (abs(high) or 1.0) if flat else 0.06 * (high - low)
        return cls(min(xs), max(xs), low - margin, high + margin)

    def x(self, value: float) -> float:
        share = (value - self.left) / (self.right - self.left) if self.right > self.left else 0.5
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - min(1.0, max(0.0, share)) * (_HEIGHT - _TOP - _BOTTOM)

    def point(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"


def _parts(plot: Plot, place: _Place) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for band in plot.bands:
        start, end = place.x(band.start), place.x(band.end)
        yield (
            f'<rect class="pause" x="{start:.1f}" y="{_TOP:g}" width="{max(1.0, end - start):.1f}" '
            f'height="{bottom - _TOP:g}"><title>{escape(band.name)}</title></rect>'
        )
    yield from _grid(plot, place)
    for spread in plot.spreads:
        if len(spread.points) > 1:
            upper = [place.point(x, high) for x, _, high in spread.points]
            lower = [place.point(x, low) for x, low, _ in reversed(spread.points)]
            yield f'<polygon class="spread" points="{" ".join((*upper, *lower))}"/>'
    apart, before = 0.0, math.inf
    for level in sorted(plot.levels, key=lambda level: level.value):
        y = place.y(level.value)
        # A name that would lie over the one below it stands to the left of it.
        apart = apart + _NAME_STEP if before - y < _NAME_HEIGHT else 0.0
        before = y
        yield (
            f'<line class="level" style="stroke: var(--{level.tone})" x1="{_LEFT:g}" '
            f'x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        yield (
            f'<text x="{_WIDTH - _RIGHT - apart:g}" y="{y - 4:.1f}" text-anchor="end">'
            f"{escape(level.name)}</text>"
        )
    for curve in plot.curves:
        yield from _curve(curve, place)
    for at, name in plot.ticks:
        x = place.x(at)
        yield (
            f'<line class="frame" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom - 6:g}" y2="{bottom:g}">'
            f"<title>{escape(name)}</title></line>"
        )
    yield from _legend(plot)


def _curve(curve: Curve, place: _Place) -> Iterator[str]:
    finite = [(x, y) for x, y in curve.points if math.isfinite(y)]
    points = " ".join(place.point(x, y) for x, y in finite)
    yield (f'<polyline class="curve" style="stroke: var(--{curve.tone})" points="{points}"/>')
    if curve.dots or len(finite) == 1:
        for x, y in finite:
            yield (
                f'<circle cx="{place.x(x):.1f}" cy="{place.y(y):.1f}" r="3" '
                f'style="fill: var(--{curve.tone})"/>'
            )


def _grid(plot: Plot, place: _Place) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for number in range(_LINES + 1):
        value = place.low + (place.high - place.low) * number / _LINES
        y = place.y(value)
        yield (
            f'<line class="frame" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/>'
        )
        yield (
            f'<text x="{_LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(plot.write(value))}</text>"
        )
    for value, anchor in ((place.left, "start"), (place.right, "end")):
        yield (
            f'<text x="{place.x(value):.1f}" y="{bottom + 16:g}" text-anchor="{anchor}">'
            f"{escape(plot.write_x(value))}</text>"
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield (
        f'<text x="{middle:g}" y="{bottom + 28:g}" text-anchor="middle">{escape(plot.axis)}</text>'
    )


def _legend(plot: Plot) -> Iterator[str]:
    named = [(curve.name, f"var(--{curve.tone})") for curve in plot.curves if curve.name]
    named += [(spread.name, "var(--spread)") for spread in plot.spreads if spread.name]
    for number, (name, colour) in enumerate(named):
        x = _LEFT + number * _LEGEND_STEP
        yield f'<rect x="{x:g}" y="6" width="14" height="4" style="fill: {colour}"/>'
        yield f'<text x="{x + 20:g}" y="12">{escape(name)}</text>'
