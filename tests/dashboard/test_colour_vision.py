"""The tones of the themes: readable on their grounds, and apart for every kind of eye.

Vision without one kind of cone after Machado, Oliveira and Fernandes, "A Physiologically-based
Model for Simulation of Color Vision Deficiency" (2009), severity 1.0; distances in CIELAB.
"""

import math
from itertools import combinations

import pytest
from textual.theme import Theme

from timellm_dashboard.themes import DARK, LIGHT

Vector = tuple[float, float, float]

TONES = ("good", "busy", "held", "bad", "done", "muted")
EYES: dict[str, tuple[Vector, Vector, Vector]] = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
APART = 12.0
"""In CIELAB, where about 2 can just be told from each other side by side."""
READABLE = 4.5
"""Contrast of text with its ground, after WCAG 2.1, AA."""


def linear(colour: str) -> Vector:
    def channel(at: int) -> float:
        value = int(colour[at : at + 2], 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return channel(1), channel(3), channel(5)


def dot(row: Vector, of: Vector) -> float:
    return sum(a * b for a, b in zip(row, of, strict=True))


def lab(colour: Vector) -> Vector:
    seen: Vector = tuple(min(1.0, max(0.0, value)) for value in colour)  # type: ignore[assignment]

    def root(value: float) -> float:
        return math.cbrt(value) if value > 0.008856 else 7.787 * value + 16 / 116

    x = root(dot((0.4124, 0.3576, 0.1805), seen) / 0.9505)
    y = root(dot((0.2126, 0.7152, 0.0722), seen))
    z = root(dot((0.0193, 0.1192, 0.9505), seen) / 1.089)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(first: str, second: str) -> float:
    low, high = sorted(dot((0.2126, 0.7152, 0.0722), linear(c)) for c in (first, second))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", EYES)
def test_no_two_tones_look_alike(theme: Theme, eyes: str) -> None:
    def seen(tone: str) -> Vector:
        colour = linear(theme.variables[f"tone-{tone}"])
        red, green, blue = EYES[eyes]
        return lab((dot(red, colour), dot(green, colour), dot(blue, colour)))

    for one, other in combinations(TONES, 2):
        assert math.dist(seen(one), seen(other)) > APART, (one, other)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_tone_can_be_read_on_every_ground(theme: Theme) -> None:
    for tone in TONES:
        for ground in (theme.background, theme.surface, theme.panel):
            assert ground is not None
            colour = theme.variables[f"tone-{tone}"]
            assert contrast(colour, ground) > READABLE, (tone, ground)
