"""`plan`: what a run would come to, before it is started."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_ops.backbones import BackboneUnusable, FoundFacts, find_facts
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Json, Lang, Overrides, has_unicode, language
from timellm_ops.configfile import read_config
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import (
    MEASURING,
    DataPlan,
    Device,
    Measured,
    MeasureQuestion,
    Plan,
)
from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.contract.splits import shortage, split_ends
from timellm_ops.contract.validation import ConfigError
from timellm_ops.datasets import DataNotFound, locate
from timellm_ops.planning.known_file import dated_data, is_published
from timellm_ops.planning.make import make_plan, with_measured
from timellm_ops.planning.steps import published_data, reported_data
from timellm_ops.preflight import (
    DataUnusable,
    DoesNotFit,
    PreflightError,
    check_fit,
    preflight,
    read_report,
)
from timellm_ops.store import runs_dir

_GIB = 1 << 30
_MEASURED_STEPS, _MEASURED_BATCHES = 3, 2
_GPU_DEVICES = ("/dev/nvidia0", "/dev/dxg")
"""What the NVIDIA driver leaves on Linux, and in WSL2."""


def plan(
    config: Annotated[Path, Parameter(help="A TOML file, such as configs/etth1.toml.")],
    *,
    overrides: Overrides = (),
    measure: Annotated[
        bool, Parameter(negative="", help="Also make a few real steps: time, and true memory.")
    ] = False,
    gpu_memory: Annotated[
        float | None,
        Parameter(name="--gpu-memory", help="Plan for a GPU with so many GiB: does it fit?"),
    ] = None,
    lang: Lang = None,
    json: Json = False,
) -> int:
    """What a run would come to: splits, iterations, weights, memory, files; nothing is started."""
    chosen = read_config(config, overrides)
    if chosen.foreign.command:
        raise UsageError("plan: what a foreign command comes to is its own affair")
    if gpu_memory is not None and not 0.0 < gpu_memory < 1e6:
        raise UsageError(f"--gpu-memory: found {gpu_memory:g}; expected a number of GiB, as in 6")
    try:
        made = planned(chosen, gpu_memory)
        if measure:
            made = with_measured(made, measured(chosen))
    except DoesNotFit as error:
        raise ConfigError(str(config), error.key, error.found, error.expected) from error
    if json:
        sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
        return 0
    from timellm_ops.cli.plan_page import page

    shown = (lang or language()) if has_unicode() else "en"
    sys.stdout.write(page(made, shown) + "\n")
    return 0


def planned(config: Config, gpu_memory_gib: float | None = None) -> Plan:
    """The plan from the config alone. Raises `PreflightError` where it could not run anywhere."""
    try:
        found = find_facts(config.backbone.source)
    except BackboneUnusable as error:
        raise PreflightError(f"backbone.source: {config.backbone.source} {error}") from error
    check_fit(config, found.shape, _name(config, found))
    return make_plan(
        config,
        data_of(config),
        found,
        "cuda" if gpu_memory_gib is not None else device_of(config),
        gpu_memory_bytes=None if gpu_memory_gib is None else round(gpu_memory_gib * _GIB),
    )


def _name(config: Config, found: FoundFacts) -> str:
    return found.known_as or config.backbone.source


def data_of(config: Config) -> DataPlan:
    """The splits: of the file where it is here, as published where it is not."""
    section = config.data
    if section.dataset == "synthetic":
        return published_data(section)
    try:
        path = locate(section.dataset, section.path)
    except DataNotFound as error:
        if section.path or section.dataset not in PUBLISHED_SHAPES:
            raise PreflightError(str(error)) from error
        rows = PUBLISHED_SHAPES[section.dataset].rows
        short = shortage(section, split_ends(section, rows), rows)
        if short is not None:
            found = f"{section.dataset}: found {short.found}; expected {short.expected}"
            raise DataUnusable(found) from None
        return published_data(section)
    if section.date_column == "date" and is_published(section.dataset, path):
        return dated_data(section, path)
    report = read_report(msgspec.structs.replace(section, path=str(path)), config.run.seed)
    if report.problems:
        raise DataUnusable(report.problems[0])
    return reported_data(section, report)


def device_of(config: Config) -> Device:
    """Where the run would train here, as far as that can be seen without torch."""
    if config.train.device != "auto":
        return config.train.device
    has_driver = any(Path(device).exists() for device in _GPU_DEVICES)
    return "cuda" if has_driver and shutil.which("nvidia-smi") else "cpu"


def measured(config: Config) -> Measured:
    """What a few real steps come to. Raises `PreflightError` and `EngineTaskFailed`."""
    from timellm_ops.cli.taskbar import task_bar
    from timellm_ops.engine_task import ask_engine

    ready = preflight(config, runs_root=runs_dir(), download=None).config
    question = MeasureQuestion(config=ready, steps=_MEASURED_STEPS, batches=_MEASURED_BATCHES)
    with task_bar("starting the engine") as told:
        return ask_engine(
            MEASURING, Measured, question=msgspec.json.encode(question), progress=told
        )
