"""`doctor`: what this machine has, and whether a config can run on it."""

import contextlib
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct

import timellm_ops
from timellm_ops.cli.errors import NOT_HERE, UsageError
from timellm_ops.cli.options import Json
from timellm_ops.configfile import read_config
from timellm_ops.contract.config import DataSection, GpuSection
from timellm_ops.contract.sizes import part_text
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.datasets import KNOWN, DataNotFound, locate
from timellm_ops.engine_task import EngineTaskFailed
from timellm_ops.manifest import installed_version
from timellm_ops.preflight import PreflightError, preflight, watched_gpu
from timellm_ops.probe import PowerAnswer, Unreadable, open_probe
from timellm_ops.store import runs_dir
from timellm_ops.supervisor.claim import elsewhere

SCHEMA = "timellm-ops.doctor/1"
_GPU_WITHIN_S = 15.0


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `ok` is `None` where it is neither good nor bad."""

    about: str
    ok: bool | None
    words: str


class Diagnosis(Struct, frozen=True, kw_only=True):
    """The whole of `doctor --json`."""

    findings: tuple[Finding, ...]
    schema: str = SCHEMA


def doctor(
    config: Annotated[
        Path | None, Parameter(help="Also check whether this config can run.")
    ] = None,
    *,
    gpu: Annotated[
        bool,
        Parameter(
            negative="",
            help="Ask one GPU for all it can tell: the config's, else --index.",
        ),
    ] = False,
    index: Annotated[int, Parameter(help="With --gpu: which one, counted from 0.")] = 0,
    record: Annotated[
        Path | None,
        Parameter(help="With --gpu: write its answers to this file as well."),
    ] = None,
    with_ids: Annotated[
        bool,
        Parameter(negative="", help="With --gpu: leave UUID and serial number in."),
    ] = False,
    json: Json = False,
) -> int:
    """What is here: versions, GPU, who holds it, data sets, disk; and whether CONFIG can run."""
    if index < 0:
        raise UsageError(f"--index: found {index}; expected 0 for the first GPU, 1 for the next")
    if gpu:
        from timellm_ops.cli.gpu_doctor import gpu_doctor

        section = GpuSection(index=index) if config is None else read_config(config).gpu
        return gpu_doctor(section.index, section.uuid, record, with_ids=with_ids, json=json)
    if record is not None or with_ids or index:
        raise UsageError("--record, --with-ids and --index belong to doctor --gpu")
    findings = [_versions(), *_gpus(config), *_data(), _disk()]
    if config is not None:
        findings += _can_run(config)
    if json:
        diagnosis = Diagnosis(findings=tuple(findings))
        sys.stdout.write(msgspec.json.encode(diagnosis).decode() + "\n")
    else:
        for finding in findings:
            mark = {True: "ok", False: "NO", None: "--"}[finding.ok]
            sys.stdout.write(f"{mark}  {finding.about}: {finding.words}\n")
    return NOT_HERE if any(f.ok is False for f in findings) else 0


def _versions() -> Finding:
    torch = installed_version("torch")
    words = (
        f"timellm-ops {timellm_ops.__version__}, Python {platform.python_version()}, "
        f"torch {torch or 'missing'}, transformers {installed_version('transformers') or 'missing'}"
        f", {platform.system()} {platform.machine()}"
    )
    return Finding(about="versions", ok=torch is not None, words=words)


def _gpus(config: Path | None) -> list[Finding]:
    """The GPU that a config watches; without one all GPUs of this machine.

    Raises `ConfigError` for a config that is wrong in itself.
    """
    if config is not None:
        return _gpu(_watched(config))[0]
    findings, count = _gpu(GpuSection())
    for index in range(1, count):
        findings += _gpu(GpuSection(index=index))[0]
    return findings


def _watched(path: Path) -> GpuSection:
    config = read_config(path)
    if config.gpu.probe in ("simulated", "none"):
        return GpuSection()  # which does not say what is here
    with contextlib.suppress(PreflightError):  # told with what else the config lacks
        config, _ = watched_gpu(config, os.environ)
    return config.gpu


def _gpu(section: GpuSection) -> tuple[list[Finding], int]:
    """What is found of one GPU, and how many there are, where that is known."""
    probe = open_probe(section, activity=lambda: 0.0)
    try:
        reading = None
        give_up_t = time.monotonic() + _GPU_WITHIN_S
        while reading is None and time.monotonic() < give_up_t:
            reading = probe.poll(time.monotonic())
            time.sleep(0.02)
    finally:
        probe.close()
    match reading:
        case None | PowerAnswer():
            words = f"the driver has not answered for {_GPU_WITHIN_S:g} s"
            return [Finding(about="GPU", ok=False, words=words)], 0
        case Unreadable():
            refusal = elsewhere(section, reading.others)
            if refusal:
                return [Finding(about="GPU", ok=False, words=refusal)], 0
            note = "; a run goes on without it" if reading.permanent else ""
            return [Finding(about="GPU", ok=None, words=f"{reading.reason}{note}")], 0
        case GpuSample():
            found = [Finding(about="GPU", ok=True, words=_card(reading)), _holders(reading)]
            return found, reading.gpus or 1


def _card(sample: GpuSample) -> str:
    parts = [sample.name or "name unknown"]
    if sample.gpus is not None and sample.gpus > 1:
        parts.append(f"number {sample.index} of 0 to {sample.gpus - 1}")
    if sample.temperature_c is not None:
        parts.append(f"{sample.temperature_c:g} °C")
    if sample.memory_used_bytes is not None and sample.memory_total_bytes is not None:
        used = part_text(sample.memory_used_bytes, sample.memory_total_bytes)
        parts.append(f"{used} in use")
    if sample.power_w is not None:
        parts.append(f"{sample.power_w:.0f} W")
    return ", ".join(parts)


def _holders(sample: GpuSample) -> Finding:
    if sample.processes is None:
        return Finding(about="who holds it", ok=None, words="the driver does not say")
    if not sample.processes:
        return Finding(about="who holds it", ok=True, words="nobody")
    words = ", ".join(f"{p.name or 'process'} ({p.pid})" for p in sample.processes)
    return Finding(about="who holds it", ok=None, words=words)


def _is_here(data: DataSection) -> bool:
    try:
        locate(data.dataset, data.path, download=None)
    except DataNotFound:
        return bool(data.path)  # a path that is given and wrong is an error, not a download
    return True


def _disk() -> Finding:
    """The runs folder, which need not exist yet."""
    root = runs_dir()
    folder = next(p for p in (root, *root.parents) if p.exists())
    usage = shutil.disk_usage(folder)
    words = f"{part_text(usage.free, usage.total)} free where runs go, {root}"
    writable = os.access(folder, os.W_OK)
    if not writable:
        words += f"; no permission to write in {folder}"
    return Finding(about="disk", ok=writable, words=words)


def _data() -> list[Finding]:
    findings, to_bring = [], []
    for name, known in KNOWN.items():
        try:
            where = locate(name, "", download=None)
        except DataNotFound:
            if known.address:
                words = "not on this machine; the first run that needs it downloads it"
                findings.append(Finding(about=name, ok=None, words=words))
            else:
                to_bring.append(f"{name} ({known.file})")
        else:
            findings.append(Finding(about=name, ok=True, words=str(where)))
    if to_bring:
        words = f"{', '.join(to_bring)}: yours to bring, into TIMELLM_DATA_DIR"
        findings.append(Finding(about="not on this machine", ok=None, words=words))
    return findings


def _can_run(path: Path) -> list[Finding]:
    """Raises `ConfigError` for a config that is wrong in itself."""
    config, fetched = read_config(path), []
    known = KNOWN.get(config.data.dataset)
    if known is not None and known.address and not _is_here(config.data):
        words = f"{config.data.dataset} will be downloaded when the run begins"
        fetched = [Finding(about=str(path), ok=None, words=words)]
        synthetic = msgspec.structs.replace(
            config.data, dataset="synthetic", path="", synthetic_rows=10**6
        )
        config = msgspec.structs.replace(config, data=synthetic)
    try:
        found = preflight(config, runs_root=runs_dir(), download=None)
    except (PreflightError, EngineTaskFailed) as error:
        return [*fetched, Finding(about=str(path), ok=False, words=str(error))]
    if fetched:
        kept = found.findings[1:]
        return [*fetched, *(Finding(about=str(path), ok=True, words=words) for words in kept)]
    return [Finding(about=str(path), ok=True, words=words) for words in found.findings]
