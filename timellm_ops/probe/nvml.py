"""The supervisor's side of NVML: asks a child process and never waits for it."""

from collections.abc import Sequence

import msgspec

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import queries
from timellm_ops.probe.answer import Answer, decode_answer
from timellm_ops.probe.protocol import PowerAnswer, Reading, Unreadable
from timellm_ops.probe.reader_process import COMMAND, ReaderProcess

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_CLOSE_S = 2.0


class NvmlProbe:
    """Readings of one GPU, asked for every `gpu.poll_s`, each within `gpu.deadline_s`.

    A child that hangs, crashes or loses the GPU is killed and replaced, later each time it
    happens in a row (1 s, doubled up to 60 s); every failed attempt is told as `Unreadable`.
    A query in which it hangs or crashes for the second time is left out from then on, so that
    one broken metric does not cost the others; the last way to the temperature never is.
    `required = False` makes a machine without GPU or driver a permanent answer, given once.
    """

    source = "nvml"

    def __init__(
        self,
        gpu: GpuSection,
        *,
        required: bool = False,
        command: Sequence[str] = COMMAND,
        startup_s: float = 10.0,
    ) -> None:
        """`startup_s` is what a new child may take on top of its first deadline."""
        self._gpu = gpu
        self._required = required
        self._command = (*command, "--index", str(gpu.index), f"--uuid={gpu.uuid}")
        self._startup_s = startup_s
        self._child: ReaderProcess | None = None
        self._condemned: list[ReaderProcess] = []
        self._start_at_t: float | None = None
        self._asked_t: float | None = None
        self._due_t = 0.0
        self._allowed_s = 0.0
        self._failures = 0
        self._suspects: frozenset[int] = frozenset()
        self._left_out: tuple[int, ...] = ()
        self._ever_read = False
        self._over = False
        self._limit_w: float | None = None

    def limit_power(self, limit_w: float) -> None:
        """Ask for a power limit; while there is no child, the next one is asked.

        One that is lost with its child is not repeated: whoever asked sees no answer.
        """
        if self._child is None:
            self._limit_w = limit_w
        else:
            self._child.limit_power(limit_w)

    def poll(self, now_t: float) -> Reading | None:
        """The answer that has come since the last call, or what went wrong since then."""
        self._condemned = [child for child in self._condemned if not child.reap()]
        if self._over:
            return None
        if self._child is None:
            if self._start_at_t is not None and now_t < self._start_at_t:
                return None
            return self._start(now_t)
        # In this order: a child may answer and end between the two looks.
        ended = self._child.how_it_ended()
        line = self._child.read_line()
        if line is not None:
            return self._answered(line, now_t)
        if ended is not None:
            return self._lost(f"the NVML reader {ended}", now_t)
        if self._asked_t is None:
            if now_t >= self._due_t:
                return self._ask(now_t, self._gpu.deadline_s)
        elif now_t - self._asked_t > self._allowed_s:
            return self._lost(f"NVML has not answered for {self._allowed_s:g} s", now_t)
        return None

    def close(self) -> None:
        """End the child. Waits for it up to 2 s: the kernel may hold a process in a driver call."""
        self._over = True
        self._drop_child()
        for child in self._condemned:
            child.wait(_CLOSE_S)
        self._condemned = []

    def _start(self, now_t: float) -> Reading | None:
        try:
            self._child = ReaderProcess(self._command, self._left_out)
        except OSError as error:
            return self._failed(f"the NVML reader could not be started: {error.strerror}", now_t)
        if self._limit_w is not None:
            self._child.limit_power(self._limit_w)
            self._limit_w = None
        return self._ask(now_t, self._startup_s + self._gpu.deadline_s)

    def _ask(self, now_t: float, allowed_s: float) -> Reading | None:
        self._asked_t, self._allowed_s = now_t, allowed_s
        if self._child is not None:
            self._child.request()
        return None

    def _answered(self, line: bytes, now_t: float) -> Reading:
        try:
            answer = decode_answer(line)
        except msgspec.MsgspecError:
            return self._failed("the NVML reader answered with something unreadable", now_t)
        if answer.limit_w is not None:
            return PowerAnswer(limit_w=answer.limit_w, problem=answer.problem)
        asked_t = now_t if self._asked_t is None else self._asked_t
        self._asked_t, self._due_t = None, asked_t + self._gpu.poll_s
        if answer.sample is not None:
            return self._known(answer.sample)
        if answer.asleep:
            return Unreadable(reason=answer.problem, asleep=True)
        return self._problem(answer, now_t)

    def _known(self, sample: GpuSample) -> GpuSample:
        self._failures = 0
        self._ever_read = True
        return sample

    def _problem(self, answer: Answer, now_t: float) -> Unreadable:
        if not answer.absent or self._ever_read:
            return self._failed(answer.problem, now_t, lost=answer.lost)
        if self._required or answer.others:
            because = "" if answer.others else ', but gpu.probe is "nvml"'
            failed = self._failed(f"{answer.problem}{because}", now_t)
            return msgspec.structs.replace(failed, others=answer.others)
        self._over = True
        self._drop_child()
        return Unreadable(
            reason=f"no NVIDIA GPU or driver here: {answer.problem}; telemetry is off",
            permanent=True,
        )

    def _lost(self, reason: str, now_t: float) -> Unreadable:
        """The child hung or died, perhaps in a query that it left a note of."""
        number = None if self._child is None else self._child.query_under_way()
        if number is None:
            return self._failed(reason, now_t)
        query = queries.USED[number]
        reason = f"{reason}, in {query.call}"
        again, self._suspects = number in self._suspects, self._suspects | {number}
        if again and query != queries.TEMPERATURE[-1]:
            self._left_out = (*self._left_out, number)
            reason = f"{reason}; it is left out from here on"
        return self._failed(reason, now_t)

    def _failed(self, reason: str, now_t: float, *, lost: bool = False) -> Unreadable:
        """Give the child up and plan the next attempt."""
        self._drop_child()
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._start_at_t = now_t + backoff_s
        return Unreadable(reason=reason, lost=lost)

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._condemned.append(self._child)
        self._child = None
        self._asked_t = None
