"""The checks before a run folder is made: can this config run on this machine?

Nothing is written and nothing heavy is imported; what only the engine can tell, such as what is in
the data, it tells in a process of its own.
"""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from timellm_ops.backbones import (
    EMBEDDED,
    BackboneShape,
    BackboneUnusable,
    cached_snapshot,
    inspect_folder,
    is_offline,
)
from timellm_ops.contract.config import Config, DataSection
from timellm_ops.contract.counting import Count
from timellm_ops.contract.datareport import INSPECTION, DataQuestion, DataReport
from timellm_ops.contract.disk_room import room_to_go_on
from timellm_ops.contract.sizes import part_text, size_text
from timellm_ops.contract.small_cards import PACKAGES, missing_words, wishes
from timellm_ops.contract.splits import shortage, split_ends
from timellm_ops.contract.validation import one_line
from timellm_ops.datasets import KNOWN, DataNotFound, Downloader, altered, locate
from timellm_ops.engine_task import ask_engine
from timellm_ops.manifest import DataFile, describe_file
from timellm_ops.paths import is_folder, user_cache
from timellm_ops.planning.files import most_files

_MIB = 1 << 20


class PreflightError(Exception):
    """The config is right but cannot run here. The text is one line. Exit code 3."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class DoesNotFit(PreflightError):  # noqa: N818 - it says what was found
    """A key asks for more than the backbone has, on whatever machine. Exit code 2."""

    def __init__(self, key: str, found: int, most: int, what: str) -> None:
        self.key, self.found, self.expected = key, str(found), f"at most {most}, {what}"
        super().__init__(f"{key}: found {self.found}; expected {self.expected}")


class DataUnusable(PreflightError):  # noqa: N818 - it says what was found
    """A series that cannot be trained on as it is, on whatever machine. Exit code 2."""


class Preflight(Struct, frozen=True, kw_only=True):
    """What was found, and the config as the run will have it."""

    config: Config
    """With the data file's absolute path."""
    findings: tuple[str, ...]
    """One sentence each."""
    data: DataFile | None = None
    """For the manifest; `None` where there is no file."""


def preflight(
    config: Config,
    *,
    runs_root: Path,
    env: Mapping[str, str] = os.environ,
    download: Downloader | None = None,
    kept_bytes: int = 0,
) -> Preflight:
    """Check everything that can be checked without training.

    `kept_bytes`: what the run has on the disk already, of one that is resumed.

    Raises `PreflightError`, and `EngineTaskFailed` where the engine could not read the data.
    """
    config, gpu_words = watched_gpu(config, env)
    if config.foreign.command:
        found = Preflight(config=config, findings=tuple(_foreign_findings(config)))
        shape = None
    else:
        check_packages(config)
        found = _with_data(config, env, download)
        shape, words = _backbone(config, env)
        found = _with_findings(found, words)
    return _with_findings(found, *gpu_words, _disk(config, runs_root, shape, kept_bytes), _memory())


def watched_gpu(config: Config, env: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    """The config with `gpu.index` as the driver counts, which knows no `CUDA_VISIBLE_DEVICES`.

    Under that variable `gpu.index` is a place among the visible GPUs, as torch counts them. A
    GPU that is named by its UUID, here or there, is watched by its UUID. The words say which, where
    that is not plain. Raises `PreflightError` for one that the variable leaves out.
    """
    visible = env.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",") if name.strip()]
    index, uuid = config.gpu.index, config.gpu.uuid
    if config.gpu.probe in ("simulated", "none"):
        return config, ()
    if uuid:
        if any(_is_uuid(name) for name in names) and not any(_same_gpu(uuid, n) for n in names):
            raise PreflightError(
                f"gpu.uuid: found {uuid}; expected one of those that "
                f"CUDA_VISIBLE_DEVICES={visible} leaves"
            )
        return config, (f"GPU {uuid} is watched.",)
    if not names:
        return config, ()
    if index < len(names) and _is_uuid(names[index]):
        gpu = msgspec.structs.replace(config.gpu, index=0, uuid=names[index])
        words = f"GPU {names[index]} is watched, by CUDA_VISIBLE_DEVICES={visible}."
        return msgspec.structs.replace(config, gpu=gpu), (words,)
    if not all(name.isdecimal() or _is_uuid(name) for name in names):
        words = (
            f"CUDA_VISIBLE_DEVICES={visible} names GPUs by other means than numbers: make sure "
            f"that gpu.index {index} is the card that is trained on."
        )
        return config, (words,)
    if index >= len(names):
        raise PreflightError(
            f"gpu.index: found {index}; expected below {len(names)}, the number of GPUs that "
            f"CUDA_VISIBLE_DEVICES={visible} leaves"
        )
    number = int(names[index])
    gpu = msgspec.structs.replace(config.gpu, index=number)
    words = f"GPU {number} is watched, by CUDA_VISIBLE_DEVICES={visible}."
    return msgspec.structs.replace(config, gpu=gpu), (words,)


def _is_uuid(name: str) -> bool:
    return name.startswith(("GPU-", "MIG-"))


def _same_gpu(one: str, other: str) -> bool:
    """Whether both can be the same GPU's UUID; of either, the beginning is enough."""
    return one.startswith(other) or other.startswith(one)


def check_packages(config: Config, packages: Sequence[str] = PACKAGES) -> None:
    """Raise `PreflightError` where a key asks for what is not installed.

    The engine runs in the Python that this is, so it will not find it either.
    """
    for key, value, instead in wishes(config):
        for package in packages:
            if find_spec(package) is None:
                raise PreflightError(missing_words(key, value, instead, package))


def _with_findings(found: Preflight, *findings: str) -> Preflight:
    return msgspec.structs.replace(found, findings=(*found.findings, *findings))


def _foreign_findings(config: Config) -> list[str]:
    workdir = config.foreign.workdir
    if not is_folder(Path(workdir)):
        raise PreflightError(f"foreign.workdir: {workdir} is no folder")
    if shutil.which("bash") is None:
        raise PreflightError("foreign.command: bash was not found, which runs the command")
    return [
        f"A foreign command in {workdir}; its data and backbone are its own affair.",
        f"Its output is read as {config.foreign.patterns} says.",
    ]


def _with_data(config: Config, env: Mapping[str, str], download: Downloader | None) -> Preflight:
    section = config.data
    if section.dataset == "synthetic":
        rows = section.synthetic_rows
        short = shortage(section, split_ends(section, rows), rows)
        if short is not None:
            raise DataUnusable(
                f"data.synthetic_rows: found {short.found}; expected {short.expected}"
            )
        words = f"Synthetic data, {Count(rows):row|rows} from seed {config.run.seed}."
        return Preflight(config=config, findings=(words,))
    try:
        path = locate(
            section.dataset, section.path, env=env, cache_dir=user_cache(env), download=download
        )
        data = describe_file(path)
    except DataNotFound as error:
        raise PreflightError(str(error)) from error
    except OSError as error:
        raise PreflightError(f"data.path: {path}: {error.strerror or error}") from error
    resolved = msgspec.structs.replace(section, path=str(path))
    report = read_report(resolved, config.run.seed)
    if report.problems:
        more = len(report.problems) - 1
        others = f" (and {more} more; timellm-ops data lists them)" if more else ""
        raise DataUnusable(report.problems[0] + others)
    findings = [
        f"Data: {path}, {Count(report.rows):row|rows}, sha256 {data.sha256[:12]}…",
        f"Rows from {report.first} to {report.last}, {report.frequency} apart.",
    ]
    known = KNOWN.get(section.dataset)
    # A copy that was found by its name has been compared already.
    if section.path and known is not None and altered(path, known):
        findings.append(f"This is not the published {known.name}: its bytes differ.")
    return Preflight(
        config=msgspec.structs.replace(config, data=resolved),
        findings=(*findings, *report.findings),
        data=data,
    )


def read_report(section: DataSection, seed: int) -> DataReport:
    """What the engine finds in the series of `section`, whose path is resolved.

    A process of its own reads it, without torch. Raises `EngineTaskFailed`.
    """
    question = msgspec.json.encode(DataQuestion(section=section, seed=seed))
    return ask_engine(INSPECTION, DataReport, question=question)


def _backbone(config: Config, env: Mapping[str, str]) -> tuple[BackboneShape | None, str]:
    """The backbone's shape, where it can be known, and a sentence on it."""
    source = config.backbone.source
    if source == "embedded":
        shape, words = EMBEDDED, "Backbone: embedded, nothing to fetch."
    elif Path(source).is_absolute():
        shape, words = _inspected(Path(source), source), f"Backbone: {source}."
    else:
        snapshot = cached_snapshot(source, env)
        if snapshot is None:
            if is_offline(env):
                raise PreflightError(
                    f"backbone.source: {source} is not in the hub's cache, and HF_HUB_OFFLINE "
                    "forbids to fetch it"
                )
            return None, f"Backbone: {source} will be fetched from the hub when the engine starts."
        shape, words = _inspected(snapshot, source), f"Backbone: {source}, in the hub's cache."
    check_fit(config, shape, source)
    return shape, words


def _inspected(folder: Path, source: str) -> BackboneShape:
    try:
        return inspect_folder(folder)
    except BackboneUnusable as error:
        raise PreflightError(f"backbone.source: {source} {error}") from error


def check_fit(config: Config, shape: BackboneShape, source: str) -> None:
    """Raise `DoesNotFit` where the config asks for more than the backbone has."""
    layers, d_ff = config.backbone.layers, config.model.d_ff
    if layers is not None and shape.layers is not None and layers > shape.layers:
        raise DoesNotFit("backbone.layers", layers, shape.layers, f"the layers of {source}")
    if shape.hidden_size is not None and d_ff > shape.hidden_size:
        raise DoesNotFit("model.d_ff", d_ff, shape.hidden_size, f"the hidden size of {source}")


def _disk(config: Config, runs_root: Path, shape: BackboneShape | None, kept: int) -> str:
    """A sentence on the disk below `runs_root`, which need not exist yet."""
    try:
        folder = next(p for p in (runs_root, *runs_root.parents) if p.exists())
    except OSError as error:
        raise PreflightError(f"the runs folder {runs_root}: {error.strerror}") from error
    if not folder.is_dir():
        raise PreflightError(f"the runs folder {runs_root}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PreflightError(f"the runs folder {runs_root}: no permission to write in {folder}")
    free = shutil.disk_usage(folder).free
    needed = disk_needed_bytes(config, shape, kept)
    if free < needed:
        raise PreflightError(
            f"the runs folder {runs_root}: {size_text(free)} are free, about "
            f"{size_text(needed, up=True)} are needed for checkpoints and records"
        )
    return f"Disk: {size_text(free)} free in {folder}, about {size_text(needed, up=True)} needed."


def disk_needed_bytes(config: Config, shape: BackboneShape | None, kept_bytes: int = 0) -> int:
    """What must be free, in bytes, for all that a run will write: checkpoints, each beside the one
    that it replaces, the bundle, and its records. `kept_bytes` of it are there already."""
    most = largest = 0
    if shape is not None and shape.vocab_size is not None and shape.hidden_size is not None:
        files = most_files(config, shape.hidden_size, shape.vocab_size)
        most, largest = files.most_bytes, files.last_bytes
    margin = config.policy.disk.margin_mib * _MIB
    return math.ceil(room_to_go_on(most - kept_bytes, largest, margin))


def _memory() -> str:
    memory = psutil.virtual_memory()
    return f"Memory: {part_text(memory.available, memory.total)} are available."
