"""The engine's process: `python -m timellm_engine --run-dir DIR [--resume] [--pieces N]`.

Exit codes: 0 trained and tested, or stopped as told; 2 bad input; 3 the input is right but cannot
run here; 4 training failed; 6 it did not fit into memory. Whatever the end, its reason is an event
and one line on standard error.
"""

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from pathlib import Path

from timellm_engine.clock import SystemClock
from timellm_engine.emit import Emitter
from timellm_engine.errors import (
    EXIT_CODES,
    EngineError,
    kind_of,
    one_line,
)
from timellm_engine.last_words import hand_over
from timellm_engine.run_config import read_config
from timellm_engine.training.control import Signals
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config
from timellm_ops.contract.events import FailureKind
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Run the engine; the exit code."""
    parser = argparse.ArgumentParser(prog="timellm_engine", description="Train Time-LLM.")
    parser.add_argument("--run-dir", type=Path, required=True, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on from checkpoints/last")
    parser.add_argument(
        "--pieces", type=int, default=1, help="compute batches in so many times as many pieces"
    )
    chosen = parser.parse_args(arguments)
    signals = Signals()
    signals.install()
    _dump_stacks_on_request()
    layout = RunLayout(chosen.run_dir.resolve())
    clock = SystemClock()
    try:
        emitter = Emitter.open(layout.engine_events, clock)
    except OSError as error:
        _complain(f"{layout.engine_events}: cannot be written ({error.strerror or error})")
        return EXIT_CODES["input"]
    failure = _run(layout, signals, emitter, resume=chosen.resume, pieces=chosen.pieces)
    if failure is not None:
        kind, message = failure
        emitter.event(ev.EngineFailed(message=message, kind=kind))
    hand_over(emitter, layout, signals, clock)
    emitter.close()
    if failure is None:
        return 0
    _complain(emitter.mask.text(message))
    return EXIT_CODES[kind]


def _dump_stacks_on_request() -> None:
    """At SIGUSR1, write the stacks of all threads to standard error, and go on: even an engine
    that hangs in a library shows where."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a stream without a file
        faulthandler.register(signal.SIGUSR1, all_threads=True)


def _run(
    layout: RunLayout, signals: Signals, emitter: Emitter, *, resume: bool, pieces: int
) -> tuple[FailureKind, str] | None:
    """Train; why it failed, if it did."""
    # As NVML counts them, so that the GPU that is used is the one that is watched.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    try:
        _train(read_config(layout), layout, signals, emitter, resume=resume, pieces=pieces)
    except EngineError as error:
        return error.kind, str(error)
    except ConfigError as error:
        return "input", str(error)
    except Exception as error:  # noqa: BLE001 - the last word of a process is an event
        _complain(emitter.mask.text(traceback.format_exc().rstrip()))
        return kind_of(error), one_line(error)
    return None


def _train(
    config: Config,
    layout: RunLayout,
    signals: Signals,
    emitter: Emitter,
    *,
    resume: bool,
    pieces: int,
) -> None:
    """Only now is torch loaded: a config that is wrong is told at once."""
    from timellm_engine.training.session import run_session

    run_session(config, layout, emitter, signals, resume=resume, pieces=pieces)


def _complain(message: str) -> None:
    """On standard error, which is the same file as the output; a full disk is no end."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
