"""Runs of the engine that take seconds: a tiny model on a short synthetic series."""

import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli_w
import torch
from engine_clock import FakeClock
from safetensors.torch import load_file
from torch import Tensor

from timellm_engine.emit import Emitter
from timellm_engine.training.control import Signals
from timellm_engine.training.session import run_session
from timellm_ops.contract.control import Control
from timellm_ops.contract.events import BaseEvent, Event, TrainingStarted, decode_event
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import parse_config

Kind = TypeVar("Kind", bound=BaseEvent)

TINY: dict[str, dict[str, Any]] = {
    "data": {
        "dataset": "synthetic", "seq_len": 16, "pred_len": 4,
        "synthetic_rows": 160, "synthetic_columns": 1,
    },
    "model": {
        "patch_len": 8, "stride": 8, "d_model": 8, "n_heads": 2, "d_ff": 8, "num_prototypes": 8,
    },
    "backbone": {"layers": 1},
    "train": {"epochs": 2, "batch_size": 16, "log_every": 2, "threads": 1},
}  # fmt: skip
"""93 training windows in 6 steps an epoch, the last of them smaller."""
STEPS = 6


def tiny_tables(**changes: Any) -> dict[str, Any]:
    """The tables of a tiny run's config; `train__epochs=3` changes a key."""
    tables = {name: dict(section) for name, section in TINY.items()}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        tables.setdefault(section, {})[name] = value
    return tables


def tiny_run(root: Path, **changes: Any) -> RunLayout:
    """A run folder with its config, as a supervisor would leave it for the engine."""
    root.mkdir(parents=True, exist_ok=True)
    layout = RunLayout(root)
    layout.config.write_text(tomli_w.dumps(tiny_tables(**changes)), encoding="utf-8")
    return layout


def run_here(layout: RunLayout, *, resume: bool = False, clock: FakeClock | None = None) -> None:
    """Run the engine in this process, its output into `engine.log`."""
    config = parse_config(tomllib.loads(layout.config.read_text()), str(layout.config))
    clock = clock or FakeClock(tick_s=0.01)
    output = os.open(layout.engine_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    emitter = Emitter.open(layout.engine_events, clock, output)
    threads = torch.get_num_threads()
    try:
        run_session(config, layout, emitter, Signals(), resume=resume, clock=clock)
    finally:
        torch.set_num_threads(threads)
        emitter.close()
        os.close(output)


def write_control(
    layout: RunLayout, sequence: int, desired: str = "run", duty: float = 1.0
) -> None:
    """Replace `control.json` as the supervisor does."""
    control = msgspec.convert({"sequence": sequence, "desired": desired, "duty": duty}, Control)
    aside = layout.root / ".control.aside"
    aside.write_bytes(msgspec.json.encode(control))
    aside.replace(layout.control)


def stopped_and_gone_on(root: Path, **changes: Any) -> RunLayout:
    """A run that is left after its fourth step and goes on."""
    layout = tiny_run(root, **changes, checkpoint__every_steps=4)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    run_here(layout, resume=True)
    assert [event.start_iteration for event in only(layout, TrainingStarted)] == [0, 4]
    return layout


def events_of(layout: RunLayout) -> list[Event]:
    """Every event the engine has written."""
    lines = layout.engine_events.read_bytes().splitlines()
    return [decode_event(line) for line in lines]


def only(layout: RunLayout, kind: type[Kind]) -> list[Kind]:
    """The events of one kind."""
    return [event for event in events_of(layout) if isinstance(event, kind)]


def weights(layout: RunLayout, kind: str = "last") -> dict[str, Tensor]:
    """The trainable weights of a checkpoint."""
    return load_file(layout.checkpoints / kind / "weights.safetensors")


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are the same, bit for bit."""
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )
