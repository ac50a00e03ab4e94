"""Processes that take turns: each does one piece of work when it is told to, and says how long.

A contender in a process of its own has a start-up and a peak of memory of its own, and may live
in another environment. Turns are taken one at a time, so that a machine's moods meet all alike.
Needs the standard library alone, and torch where a GPU is asked.

What goes to a contender is a line, `step NUMBER`, `prepare`, `evaluate`, `forecast`, `peak`,
`sizes` or `remark`; what comes back is a line of JSON. It ends when its input does.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO


class Contender(NamedTuple):
    """What a process has to offer, once it is built."""

    step: Callable[[int], float]
    """One step of training, by its number; its loss."""
    prepare: Callable[[], None]
    """What an evaluation does once, however many windows it has; before `evaluate`."""
    evaluate: Callable[[], int]
    """Forecasts some windows; how many."""
    forecast: Callable[[], list[float]]
    """Of one window, by itself, with the weights as they are."""
    sizes: Callable[[], dict[str, int]]
    """Bytes of what it would save."""
    remark: Callable[[], str] = str
    """What keeps it from being as fast as it could be, in a few words; empty if nothing does."""


class ContenderFailed(Exception):  # noqa: N818 - it says what has happened
    """A process ended before it was told to. The text is one line."""


def contender_parser(description: str) -> argparse.ArgumentParser:
    """What every contender is told at its start."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("material", type=Path)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int)
    return parser


def answer_stream() -> TextIO:
    """Standard output for answers alone: whatever else prints from here on goes to the errors."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="utf-8")


def serve(contender: Contender, answers: TextIO, device: str) -> None:
    """Do what standard input asks for until it ends."""
    _say(answers, {"device": device_name(device)})
    for line in sys.stdin:
        what, _, number = line.strip().partition(" ")
        began = time.perf_counter()
        match what:
            case "step":
                answer: dict[str, Any] = {"loss": contender.step(int(number))}
            case "prepare":
                contender.prepare()
                answer = {}
            case "evaluate":
                answer = {"windows": contender.evaluate()}
            case "forecast":
                answer = {"values": contender.forecast()}
            case "peak":
                answer = {"bytes": peak_bytes(device)}
            case "sizes":
                answer = {"bytes": contender.sizes()}
            case "remark":
                answer = {"text": contender.remark()}
            case _:
                raise ValueError(f"asked for {line!r}")
        if device == "cuda":
            import torch

            torch.cuda.synchronize()
        _say(answers, {**answer, "seconds": time.perf_counter() - began})


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def device_name(device: str) -> str:
    """The device for people: the card's own name, or the CPU with its threads."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"


def peak_bytes(device: str) -> int:
    """The largest that the process has been: on the card, or in main memory (Linux)."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - no path of ours
        return 1024 * int(status.read().split("VmHWM:")[1].split()[0])


class Process:
    """A contender's process, from the outside."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        self.name = name
        self._began = time.perf_counter()
        self._child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.device = ""
        self.started_s = 0.0
        """From its launch, imports included, until it could make a step."""

    def wait_for_start(self) -> None:
        """Until it could make a step. Raises `ContenderFailed`."""
        self.device = str(self._answer()["device"])
        self.started_s = time.perf_counter() - self._began

    def ask(self, what: str) -> dict[str, Any]:
        """One turn. Raises `ContenderFailed`."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(what + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise ContenderFailed(f"{self.name} ended before `{what}`") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            code = self._child.wait()
            raise ContenderFailed(f"{self.name} ended with exit code {code}; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._child.communicate()
