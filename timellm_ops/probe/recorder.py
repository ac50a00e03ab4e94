"""Asks a card every query there is, one by one, whatever becomes of the process that asks."""

import platform
import time
from collections.abc import Iterator, Sequence

import msgspec

import timellm_ops
from timellm_ops.manifest import installed_version
from timellm_ops.probe import queries
from timellm_ops.probe.answer import QueryAnswer, decode_query_answer
from timellm_ops.probe.fault import fault_of
from timellm_ops.probe.gpu_recording import GpuRecording, QueryRecord
from timellm_ops.probe.queries import Query
from timellm_ops.probe.reader_process import COMMAND, ReaderProcess
from timellm_ops.probe.wsl import is_wsl

_OPENING = Query("nvmlInitWithFlags")
_MOST_LOST = 5
"""After so many queries in which the reader was lost the rest is not asked: nobody waits longer."""
_CLOSE_S = 2.0


def record_gpu(
    index: int = 0,
    uuid: str = "",
    *,
    command: Sequence[str] = COMMAND,
    startup_s: float = 10.0,
    deadline_s: float = 5.0,
) -> GpuRecording:
    """What the GPU of this index or UUID answers to every query, with its ids.

    A query in which NVML hangs for `deadline_s` or crashes is noted as such, and the next one is
    asked by a fresh process. Raises `OSError` where no process can be started.
    """
    asker = _Asker((*command, "--index", str(index), f"--uuid={uuid}", "--queries"), startup_s)
    try:
        opening = asker.open()
        answers = tuple(asker.ask_all(deadline_s)) if opening.answered else ()
    finally:
        asker.close()
    return GpuRecording(
        made_with={
            "timellm-ops": timellm_ops.__version__,
            "nvidia-ml-py": installed_version("nvidia-ml-py"),
        },
        kernel=platform.release(),
        wsl=is_wsl(),
        which=f"UUID {uuid}" if uuid else f"index {index}",
        opening=opening,
        answers=answers,
    )


class _Asker:
    """A reader's process, replaced by another when it is lost."""

    def __init__(self, command: Sequence[str], startup_s: float) -> None:
        self._command = command
        self._startup_s = startup_s
        self._process: ReaderProcess | None = None

    def open(self) -> QueryRecord:
        """Start a process; what came of opening the GPU."""
        self._process = ReaderProcess(self._command)
        return self._answer(_OPENING, self._startup_s)

    def ask_all(self, deadline_s: float) -> Iterator[QueryRecord]:
        lost = 0
        for number, query in enumerate(queries.EVERYTHING):
            if lost >= _MOST_LOST:
                yield _record(query, problem="not asked: too many others took the reader down")
                continue
            if self._process is None and not (again := self.open()).answered:
                yield _record(query, problem=f"not asked: {again.problem}")
                lost += 1
                self.close()
                continue
            assert self._process is not None  # noqa: S101 - it was opened
            self._process.request(number)
            yield self._answer(query, deadline_s)
            lost += self._process is None

    def _answer(self, query: Query, within_s: float) -> QueryRecord:
        process, begun_t = self._process, time.perf_counter()
        assert process is not None  # noqa: S101 - whoever calls has opened it
        line = process.wait_for_line(within_s)
        if line is not None:
            try:
                return _record(query, decode_query_answer(line))
            except msgspec.MsgspecError:
                problem = "the reader answered with something unreadable"
        elif (ended := process.how_it_ended()) is not None:
            problem = f"the reader {ended}"
        else:
            problem = f"no answer within {within_s:g} s"
        self.close()
        return _record(query, QueryAnswer(took_s=time.perf_counter() - begun_t), problem)

    def close(self) -> None:
        """End the process, if there is one. The kernel may hold it in a call for longer."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_CLOSE_S)
        self._process = None


def _record(query: Query, answer: QueryAnswer | None = None, problem: str = "") -> QueryRecord:
    answer = answer or QueryAnswer()
    return QueryRecord(
        call=query.call,
        arguments=query.arguments,
        value=answer.value,
        code=answer.code,
        error="" if answer.code is None else fault_of(answer.code).name,
        problem=problem or answer.problem,
        took_s=round(answer.took_s, 6),
    )
