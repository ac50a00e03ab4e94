"""A number with its noun, one or many, for texts in English. Pure."""

from typing import Self


class Count(str):
    """A number that a text gives its noun, in the braces that hold it.

    `"{steps:step|steps}".format(steps=Count(2136))` is `2,136 steps`, and `1 step` of `Count(1)`.
    Without the two nouns only the number is written, as in languages that have no plural.
    """

    __slots__ = ()

    def __new__(cls, number: float | str) -> Self:
        """`number` with its thousands apart; a text as it is, such as `?` for one not known."""
        if isinstance(number, str):
            return super().__new__(cls, number)
        return super().__new__(
            cls, f"{number:,.12g}" if isinstance(number, float) else f"{number:,}"
        )

    def __format__(self, spec: str) -> str:
        """The number, and behind it the noun that goes with it where `spec` is `one|many`."""
        one, between, many = spec.partition("|")
        if not between:
            return super().__format__(spec)
        return f"{self!s} {one if self == '1' else many}"
