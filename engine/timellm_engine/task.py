"""Work that is not training, as a process: a question on standard input, an answer on output.

A module of such work ends with `sys.exit(run_task(work))`.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from timellm_engine.errors import EXIT_CODES, EngineError, InputError, one_line
from timellm_ops.contract.task import TaskAnswer, TaskProgress
from timellm_ops.contract.validation import ConfigError

Tell = Callable[[str, int, int], None]
"""Says how far the work is: what, done, total."""

_Question = TypeVar("_Question")


def run_task(work: Callable[[Tell], Struct]) -> int:
    """Do `work` and print what it gives; the exit code. Why it failed is one line of stderr.

    Whatever libraries print goes to standard error: standard output belongs to the answer.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    answer_fd = os.dup(1)
    os.dup2(2, 1)

    def put(line: Struct) -> None:
        encoded = msgspec.json.encode(line) + b"\n"
        while encoded:
            encoded = encoded[os.write(answer_fd, encoded) :]

    def tell(what: str, done: int, total: int) -> None:
        put(TaskProgress(what=what, done=done, total=total))

    try:
        put(TaskAnswer(value=msgspec.Raw(msgspec.json.encode(work(tell)))))
    except EngineError as error:
        return _complain(EXIT_CODES[error.kind], str(error))
    except ConfigError as error:
        return _complain(EXIT_CODES["input"], str(error))
    except BrokenPipeError:
        return 0  # nobody listens any more
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last word of a process is one line
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return _complain(EXIT_CODES["training"], one_line(error))
    return 0


def read_question(kind: type[_Question]) -> _Question:
    """What is asked. Raises `InputError` for what is no such question."""
    try:
        return msgspec.json.decode(sys.stdin.buffer.read(), type=kind)
    except msgspec.MsgspecError as error:
        raise InputError("the question", f"what is none ({error})", kind.__name__) from None


def _complain(code: int, text: str) -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    return code
