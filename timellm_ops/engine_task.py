"""Ask the engine for something other than training, and wait for the answer."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from timellm_ops.contract.task import TaskAnswer, TaskLine, TaskProgress
from timellm_ops.contract.validation import one_line

_Answer = TypeVar("_Answer")
_TAIL_BYTES = 4096


class EngineTaskFailed(Exception):  # noqa: N818 - it says what happened
    """The engine has no answer. The text is one line; `code` is the exit code."""

    def __init__(self, text: str, code: int) -> None:
        self.code = code
        super().__init__(one_line(text))


def ask_engine(
    module: str,
    answer: type[_Answer],
    *,
    arguments: Sequence[str] = (),
    question: bytes = b"",
    progress: Callable[[TaskProgress], None] | None = None,
) -> _Answer:
    """Run `python -m MODULE` of the engine on `question` and decode what it answers.

    `progress` is called with what is told on the way. Raises `EngineTaskFailed`.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(question)
        given.seek(0)
        child = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=said)
        try:
            found = _listen(child, answer, progress)
            code = child.wait()
        finally:
            with contextlib.suppress(OSError):
                child.kill()
            child.wait()
        if code == 0 and found is not None:
            return found
        raise EngineTaskFailed(_last_line(said.fileno()) or _how_it_ended(code), _exit_code(code))


def _listen(
    child: subprocess.Popen[bytes],
    answer: type[_Answer],
    progress: Callable[[TaskProgress], None] | None,
) -> _Answer | None:
    found: _Answer | None = None
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    with child.stdout:
        for line in child.stdout:
            match msgspec.json.decode(line, type=TaskLine):
                case TaskProgress() as told:
                    if progress is not None:
                        progress(told)
                case TaskAnswer() as final:
                    found = msgspec.json.decode(final.value, type=answer)
    return found


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    lines = [line.strip() for line in tail.decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"the engine was killed by signal {-code} (out of memory?)"
    return f"the engine gave no answer (exit code {code})"


def _exit_code(code: int) -> int:
    """Ours for the engine's: bad input 2, not here 3, anything else 4."""
    return code if code in (2, 3) else 4
