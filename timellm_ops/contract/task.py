"""How the engine is asked for something other than training: one question, one answer.

The question is JSON on standard input, or nothing. Every line of standard output is a
`TaskProgress` or, at the end, the `TaskAnswer`; why there is none is one line on standard error,
with an exit code like the engine's own.
"""

from typing import TypeAlias

import msgspec
from msgspec import Struct


class TaskProgress(Struct, frozen=True, kw_only=True, tag="progress"):
    """How far the work is: `done` of `total` pieces of `what`."""

    what: str
    done: int
    total: int


class TaskAnswer(Struct, frozen=True, kw_only=True, tag="answer"):
    """The end of the work; `value` is of the type that the asker expects."""

    value: msgspec.Raw


TaskLine: TypeAlias = TaskProgress | TaskAnswer
