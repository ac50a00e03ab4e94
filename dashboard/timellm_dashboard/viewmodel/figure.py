"""A number together with its text: what every renderer shows and what a program can use."""

from collections.abc import Callable

from msgspec import Struct

from timellm_dashboard.words.text import Words
from timellm_ops.contract.counting import Count


class Figure(Struct, frozen=True):
    """`value` is `None` where it is not known; `text` then says so."""

    value: float | None
    text: str


def figure(value: float | None, write: Callable[[float], str], unknown: str) -> Figure:
    """`value` as `write` puts it, or `unknown`."""
    return Figure(value, unknown if value is None else write(value))


def steps(number: int, words: Words) -> str:
    """`1 step`, `2,136 steps`."""
    return words.steps.format(count=Count(number))
