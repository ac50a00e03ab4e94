"""What reading a series comes upon: findings, and problems that end it."""

from collections.abc import Sequence

from timellm_engine.errors import InputError

_NAMED = 5
"""So many are named where there may be hundreds."""


class Notes:
    """Collects as reading goes on, so that everything can be told at once."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.problems: list[InputError] = []

    def finding(self, sentence: str) -> None:
        """Something noteworthy that stands in nobody's way."""
        self.findings.append(sentence)

    def problem(self, where: str, found: str, expected: str) -> None:
        """Something that the series cannot be trained on with."""
        self.problems.append(InputError(where, found, expected))

    def refuse(self) -> None:
        """Raise the first problem, if there is one."""
        if self.problems:
            raise self.problems[0]


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
