"""A stand-in for the driver's library, compiled here, and how to read through it."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import GpuProbe, Reading, Unreadable

SOURCE = Path(__file__).parent / "nvml_stub" / "nvml.c"
PATIENCE_S = 30.0
"""How long a test waits for something that must come. Never how long something takes."""

FULL = """
value temperature 61 62 63
value slowdown 97
value shutdown 102
value memory_total 6442450944
value memory_used 4294967296
value memory_used_with_reserved 4400000000
value power_mw 95500
value power_limit_mw 115000
value utilization 98
value sm_clock 1425
value throttle 36
value energy_mj 123456
value ecc_errors 0
"""
"""A card that answers everything."""

Library = Callable[..., Path]
"""`driver(script, generation="new")` puts a driver of that generation, playing that script, in
front of any real one; returns the script's path."""


def compile_drivers(folder: Path) -> dict[str, Path]:
    """The folder of the library of each generation. Skips the test where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler for a stand-in of the driver's library")
    folders = {}
    for name, flags in (("new", []), ("old", ["-DOLD_DRIVER"])):
        folders[name] = folder / name
        folders[name].mkdir()
        command = [compiler, "-shared", "-fPIC", "-O0", "-Wall", "-Wextra", "-Werror", *flags]
        library = folders[name] / "libnvidia-ml.so.1"
        soname = "-Wl,-soname,libnvidia-ml.so.1"
        subprocess.run([*command, soname, "-o", library, SOURCE], check=True)
    return folders


def rewrite(script: Path, text: str) -> None:
    """Change what a driver plays while it is being read."""
    aside = script.with_suffix(".aside")
    aside.write_text(text)
    aside.replace(script)


def next_reading(probe: GpuProbe, clock: Callable[[], float] = time.monotonic) -> Reading:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        reading = probe.poll(clock())
        if reading is not None:
            return reading
        time.sleep(0.01)
    raise AssertionError("the probe said nothing")


def next_sample(probe: GpuProbe) -> GpuSample:
    reading = next_reading(probe)
    assert isinstance(reading, GpuSample), reading
    return reading


def next_problem(probe: GpuProbe, clock: Callable[[], float] = time.monotonic) -> Unreadable:
    """The first problem; readings before it are passed over."""
    while True:
        reading = next_reading(probe, clock)
        if isinstance(reading, Unreadable):
            return reading


class LeapingClock:
    """Real time, but for leaps that a test makes, so that a backoff is over at once."""

    def __init__(self) -> None:
        self.leapt_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leapt_s

    def leap(self) -> None:
        """Past any backoff."""
        self.leapt_s += 100.0


def sample_after_problems(probe: GpuProbe, clock: LeapingClock | None = None) -> GpuSample:
    """The first reading; problems before it are passed over."""
    clock = clock or LeapingClock()
    clock.leap()
    while True:
        reading = next_reading(probe, clock)
        if isinstance(reading, GpuSample):
            return reading
        clock.leap()


def readers() -> list[psutil.Process]:
    """The NVML children of this process that live."""
    mine = psutil.Process().children(recursive=True)
    return [child for child in mine if "timellm_ops.probe.nvml_child" in _command_of(child)]


def _command_of(process: psutil.Process) -> list[str]:
    """Its command line; empty for one that has ended meanwhile."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what must come."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)
