"""The supervisor's side of NVML: asks a child process and never waits for it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.answer import Answer, decode_answer, encode_limit
from timellm_ops.probe.protocol import PowerAnswer, Reading, Unreadable

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_CLOSE_S = 2.0

CHILD = (sys.executable, "-P", "-m", "timellm_ops.probe.nvml_child")


class NvmlProbe:
    """Readings of one GPU, asked for every `gpu.poll_s`, each within `gpu.deadline_s`.

    A child that hangs, crashes or loses the GPU is killed and replaced, later each time it
    happens in a row (1 s, doubled up to 60 s); every failed attempt is told as `Unreadable`.
    `required = False` makes a machine without GPU or driver a permanent answer, given once.
    """

    source = "nvml"

    def __init__(
        self,
        gpu: GpuSection,
        *,
        required: bool = False,
        command: Sequence[str] = CHILD,
        startup_s: float = 10.0,
    ) -> None:
        """`startup_s` is what a new child may take on top of its first deadline."""
        self._gpu = gpu
        self._required = required
        self._command = (*command, "--index", str(gpu.index))
        self._startup_s = startup_s
        self._child: _Child | None = None
        self._condemned: list[_Child] = []
        self._start_at_t: float | None = None
        self._asked_t: float | None = None
        self._due_t = 0.0
        self._allowed_s = 0.0
        self._failures = 0
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
            self._child.send(encode_limit(limit_w))

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
            return self._failed(f"the NVML reader {ended}", now_t)
        if self._asked_t is None:
            if now_t >= self._due_t:
                return self._ask(now_t, self._gpu.deadline_s)
        elif now_t - self._asked_t > self._allowed_s:
            return self._failed(f"NVML has not answered for {self._allowed_s:g} s", now_t)
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
            self._child = _Child(self._command)
        except OSError as error:
            return self._failed(f"the NVML reader could not be started: {error.strerror}", now_t)
        if self._limit_w is not None:
            self._child.send(encode_limit(self._limit_w))
            self._limit_w = None
        return self._ask(now_t, self._startup_s + self._gpu.deadline_s)

    def _ask(self, now_t: float, allowed_s: float) -> Reading | None:
        self._asked_t, self._allowed_s = now_t, allowed_s
        if self._child is not None:
            self._child.send(b"\n")
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
            return self._failed(answer.problem, now_t)
        if self._required:
            return self._failed(f'{answer.problem}, but gpu.probe is "nvml"', now_t)
        self._over = True
        self._drop_child()
        return Unreadable(
            reason=f"no NVIDIA GPU or driver here: {answer.problem}; telemetry is off",
            permanent=True,
        )

    def _failed(self, reason: str, now_t: float) -> Unreadable:
        """Give the child up and plan the next attempt."""
        self._drop_child()
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._start_at_t = now_t + backoff_s
        return Unreadable(reason=reason)

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._condemned.append(self._child)
        self._child = None
        self._asked_t = None


class _Child:
    """The reader's process and its two pipes, none of which is ever waited for."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101  (PIPE was asked for)
        assert self._process.stdout is not None  # noqa: S101
        self._requests = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._received = b""

    def send(self, line: bytes) -> None:
        """Ask for one answer. A child that is gone is found out through `how_it_ended`."""
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._requests, line)

    def read_line(self) -> bytes | None:
        """The next whole line, if it has arrived."""
        with contextlib.suppress(BlockingIOError):
            while received := os.read(self._answers, 65536):
                self._received += received
        line, end, rest = self._received.partition(b"\n")
        if not end:
            return None
        self._received = rest
        return line

    def how_it_ended(self) -> str | None:
        """`None` while it lives, else how it went, as the rest of a sentence."""
        code = self._process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"ended with code {code}"
        try:
            return f"crashed ({signal.Signals(-code).name})"
        except ValueError:
            return f"was ended by signal {-code}"

    def kill(self) -> None:
        """End it now; `reap` tells when it is gone."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def reap(self) -> bool:
        """Whether nothing of it is left."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait until nothing of it is left, or `seconds` have passed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
