"""Asking the engine: real processes of small modules that answer, fail, hang up or are killed."""

from pathlib import Path

import pytest
from msgspec import Struct

from timellm_ops.contract.task import TaskProgress
from timellm_ops.engine_task import EngineTaskFailed, ask_engine


class Doubled(Struct):
    twice: int


WORK = """
import sys
from msgspec import Struct
from timellm_engine.errors import InputError, PreflightError
from timellm_engine.task import read_question, run_task

class Doubled(Struct):
    twice: int

def work(tell):
    number = read_question(int)
    {body}
    return Doubled(twice=2 * number)

sys.exit(run_task(work))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a module of the given work that a process can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(body: str) -> str:
        (tmp_path / "small_work.py").write_text(WORK.format(body=body), encoding="utf-8")
        return "small_work"

    return make


def failure(module: str, question: bytes = b"21") -> EngineTaskFailed:
    with pytest.raises(EngineTaskFailed) as caught:
        ask_engine(module, Doubled, question=question)
    return caught.value


def test_the_answer_is_decoded_and_progress_is_told(module) -> None:
    told: list[TaskProgress] = []
    body = "print('a library talks'); tell('numbers', 1, 2); tell('numbers', 2, 2)"
    answer = ask_engine(module(body), Doubled, question=b"21", progress=told.append)
    assert answer == Doubled(twice=42)
    assert [(t.what, t.done, t.total) for t in told] == [("numbers", 1, 2), ("numbers", 2, 2)]


@pytest.mark.parametrize(
    ("body", "words", "code"),
    [
        ("raise InputError('data.path', 'nothing', 'a file')", "data.path: found nothing", 2),
        ("raise PreflightError('no GPU is here')", "no GPU is here", 3),
        ("raise ZeroDivisionError('by\\nzero')", "ZeroDivisionError: by", 4),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9", 4),
        ("import os; os._exit(0)", "gave no answer", 4),
    ],
)
def test_why_there_is_no_answer_is_one_line(module, body: str, words: str, code: int) -> None:
    error = failure(module(body))
    assert words in str(error)
    assert "\n" not in str(error)
    assert error.code == code


def test_a_question_that_is_none_is_refused(module) -> None:
    error = failure(module("pass"), question=b'"text"')
    assert str(error).startswith("the question: found what is none")
    assert error.code == 2
