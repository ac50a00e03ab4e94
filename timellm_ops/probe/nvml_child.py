"""The process that talks to NVML, so that a hang or a crash in there stays in there.

`python -m timellm_ops.probe.nvml_child --index N` answers every line on its standard input, which
asks for a reading or a power limit, with one `Answer` on its standard output, and ends when its
input does, even in the middle of a hung call. `--queries` turns it into one that answers the
numbers of single queries instead.
"""

import argparse
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from timellm_ops.probe import queries
from timellm_ops.probe.answer import Answer, QueryAnswer, decode_limit, encode_answer
from timellm_ops.probe.fault import Scope, fault_of, is_elsewhere, opening_fault
from timellm_ops.probe.gpu_reader import DeviceUnusableError, GpuReader
from timellm_ops.probe.nvml_driver import NvmlDriver, Which, uuids
from timellm_ops.probe.queries import Driver, DriverError, Plain, Query
from timellm_ops.probe.sleep import PCI_DEVICES, is_asleep, power_notes
from timellm_ops.probe.wsl import OS_RELEASE, is_wsl

_LEFT_OUT = 3
"""`NVML_ERROR_NOT_SUPPORTED`: what is not asked any more is like what cannot be answered."""


class _NotedDriver:
    """Leaves a note of the query under way, for whoever finds this process hung or dead."""

    def __init__(self, driver: Driver, note: Callable[[int], None], left_out: frozenset[int]):
        self._driver, self._note, self._left_out = driver, note, left_out

    def ask(self, query: Query) -> Plain:
        """The answer of the driver, unless the query is one of those left out."""
        number = queries.USED.index(query)
        if number in self._left_out:
            raise DriverError(_LEFT_OUT)
        self._note(number)
        try:
            return self._driver.ask(query)
        finally:
            self._note(queries.NONE_UNDER_WAY)


class _Options(argparse.Namespace):
    index: int
    uuid: str
    pci_devices: Path
    os_release: Path
    note: int | None
    left_out: list[int]
    queries: bool

    @property
    def which(self) -> Which:
        return Which(index=self.index, uuid=self.uuid)

    @property
    def words(self) -> str:
        return f"UUID {self.uuid}" if self.uuid else f"index {self.index}"


def serve(options: _Options) -> None:
    """Answer requests until the input ends or the GPU can no longer be read.

    After a problem with the GPU or the driver the process ends: only a fresh one can load a
    fresh library and open the GPU anew.
    """
    requests = _requests()
    power = power_notes(options.pci_devices)
    opened: tuple[NvmlDriver, GpuReader] | None = None
    while True:
        limit_w = decode_limit(requests.get())
        # A card whose limit is to be set may be woken for it: it is put back but once.
        if limit_w is None and is_asleep(power, None if options.uuid else options.index):
            _send(Answer(problem="the GPU sleeps; not woken", asleep=True))
            continue
        try:
            if opened is None:
                opened = _open(options)
            driver, reader = opened
            if limit_w is None:
                _send(Answer(sample=reader.read()))
            else:
                _send(Answer(limit_w=limit_w, problem=_limit_power(driver, limit_w)))
        except DeviceUnusableError as error:
            absent = error.fault.scope is Scope.ABSENT
            fault = error.fault
            _send(
                Answer(problem=fault.message, absent=absent, lost=fault.lost, others=error.others)
            )
            return


def _open(options: _Options) -> tuple[NvmlDriver, GpuReader]:
    """Raises `DeviceUnusableError`."""
    try:
        driver = NvmlDriver(options.which)
    except DriverError as error:
        others = uuids() if is_elsewhere(error.code) else ()
        raise DeviceUnusableError(opening_fault(error.code, options.words), others) from None
    reader = GpuReader(
        _NotedDriver(driver, _note_in(options.note), frozenset(options.left_out)),
        index=options.index,
        paravirtual=is_wsl(options.os_release),
        process_name=_process_name,
    )
    return driver, reader


def _limit_power(driver: NvmlDriver, limit_w: float) -> str:
    """Why the card's power limit could not be set; empty: it is.

    Raises `DeviceUnusableError`.
    """
    try:
        driver.limit_power(limit_w)
    except DriverError as error:
        fault = fault_of(error.code)
        if fault.scope is not Scope.METRIC:
            raise DeviceUnusableError(fault) from None
        return fault.message
    return ""


def _note_in(descriptor: int | None) -> Callable[[int], None]:
    def note(number: int) -> None:
        if descriptor is not None:
            os.pwrite(descriptor, bytes([number]), 0)

    return note


def _process_name(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() or None
    except OSError:
        return None


def answer_queries(options: _Options) -> None:
    """Answer the numbers of queries of `queries.EVERYTHING`, one a line, with a `QueryAnswer`.

    The first answer is about opening the GPU, and comes unasked.
    """
    numbers = _requests()
    begun_t = time.perf_counter()
    try:
        driver = NvmlDriver(options.which)
    except DriverError as error:
        fault = opening_fault(error.code, options.words)
        took_s = time.perf_counter() - begun_t
        _send(QueryAnswer(code=fault.code, problem=fault.message, took_s=took_s))
        return
    _send(QueryAnswer(took_s=time.perf_counter() - begun_t))
    while True:
        _send(_answered(driver, queries.EVERYTHING[int(numbers.get())]))


def _answered(driver: Driver, query: Query) -> QueryAnswer:
    begun_t = time.perf_counter()
    try:
        value = driver.ask(query)
    except DriverError as error:
        took_s = time.perf_counter() - begun_t
        return QueryAnswer(code=error.code, problem=fault_of(error.code).message, took_s=took_s)
    return QueryAnswer(value=value, took_s=time.perf_counter() - begun_t)


def _requests() -> "queue.SimpleQueue[bytes]":
    """Request lines, taken by a thread that ends the process at once when the input ends."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        # Not through a buffered reader: its lock, held here, would spoil the interpreter's end.
        begun = b""
        while received := os.read(sys.stdin.fileno(), 4096):
            *whole, begun = (begun + received).split(b"\n")
            for line in whole:
                lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, name="requests", daemon=True).start()
    return lines


def _send(answer: Answer | QueryAnswer) -> None:
    os.write(sys.stdout.fileno(), encode_answer(answer))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="nvml_child", description="Read one GPU through NVML.")
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--uuid", default="")
    parser.add_argument("--pci-devices", type=Path, default=PCI_DEVICES)
    parser.add_argument("--os-release", type=Path, default=OS_RELEASE)
    parser.add_argument("--note", type=int, default=None, help="a descriptor to leave notes in")
    parser.add_argument("--left-out", type=int, nargs="*", default=[])
    parser.add_argument("--queries", action="store_true")
    options = parser.parse_args(arguments, namespace=_Options())
    if options.queries:
        answer_queries(options)
    else:
        serve(options)


if __name__ == "__main__":
    main()
