"""The checks before a run folder is made: can this config run on this machine?

Nothing is written and nothing heavy is imported; what only the engine can tell, it tells.
"""

import csv
import math
import os
import shutil
from collections.abc import Mapping
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
from timellm_ops.contract.validation import one_line
from timellm_ops.datasets import KNOWN, DataNotFound, Downloader, locate, user_cache
from timellm_ops.manifest import DataFile, describe_file
from timellm_ops.paths import is_folder

_MIB = 1 << 20
_ROOM_FOR_RECORDS = 256 * _MIB
"""Journal, logs and reports of a long run, with a margin."""
_ETT_TRAIN_ROWS, _ETT_TEST_ROWS, _ETT_ROWS = 12 * 30 * 24, 4 * 30 * 24, 20 * 30 * 24
"""Hours in the 12, 4 and 4 months of 30 days that ETT is split into."""


class PreflightError(Exception):
    """The config is right but cannot run here. The text is one line. Exit code 3."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class DoesNotFit(PreflightError):  # noqa: N818 - it says what was found
    """A key asks for more than the backbone has, on whatever machine. Exit code 2."""

    def __init__(self, key: str, found: int, most: int, what: str) -> None:
        self.key, self.found, self.expected = key, str(found), f"at most {most}, {what}"
        super().__init__(f"{key}: found {self.found}; expected {self.expected}")


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
) -> Preflight:
    """Check everything that can be checked without the engine. Raises `PreflightError`."""
    config, gpu_words = _watched_gpu(config, env)
    if config.foreign.command:
        found = Preflight(config=config, findings=tuple(_foreign_findings(config)))
        shape = None
    else:
        found = _with_data(config, env, download)
        shape, words = _backbone(config, env)
        found = _with_findings(found, words)
    return _with_findings(found, *gpu_words, _disk(config, runs_root, shape), _memory())


def _watched_gpu(config: Config, env: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    """The config with `gpu.index` as the driver counts, which knows no `CUDA_VISIBLE_DEVICES`.

    Under that variable `gpu.index` is a place among the visible GPUs, as torch counts them.
    """
    visible = env.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",") if name.strip()]
    index = config.gpu.index
    if not names or config.gpu.probe in ("simulated", "none"):
        return config, ()
    if not all(name.isdecimal() for name in names):
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


def _with_findings(found: Preflight, *findings: str) -> Preflight:
    return msgspec.structs.replace(found, findings=(*found.findings, *findings))


def _foreign_findings(config: Config) -> list[str]:
    workdir = config.foreign.workdir
    if not is_folder(Path(workdir)):
        raise PreflightError(f"foreign.workdir: {workdir} is no folder")
    if shutil.which("bash") is None:
        raise PreflightError("foreign.command: bash was not found, which runs the command")
    return [f"A foreign command in {workdir}; its data and backbone are its own affair."]


def _with_data(config: Config, env: Mapping[str, str], download: Downloader | None) -> Preflight:
    section = config.data
    if section.dataset == "synthetic":
        rows = section.synthetic_rows
        _check_length(section, rows, f"data.synthetic_rows: found {rows}")
        words = f"Synthetic data, {rows} rows from seed {config.run.seed}."
        return Preflight(config=config, findings=(words,))
    try:
        path = locate(
            section.dataset, section.path, env=env, cache_dir=user_cache(env), download=download
        )
    except DataNotFound as error:
        raise PreflightError(str(error)) from error
    try:
        data = describe_file(path)
        rows = _check_rows(path, section)
    except OSError as error:
        raise PreflightError(f"data.path: {path}: {error.strerror or error}") from error
    findings = [f"Data: {path}, {rows} rows, sha256 {data.sha256[:12]}…"]
    known = KNOWN.get(section.dataset)
    if known is not None and known.sha256 != data.sha256:
        findings.append(f"This is not the published {known.name}: its sha256 differs.")
    resolved = msgspec.structs.replace(section, path=str(path))
    return Preflight(
        config=msgspec.structs.replace(config, data=resolved),
        findings=tuple(findings),
        data=data,
    )


def _check_rows(path: Path, section: DataSection) -> int:
    """Rows below the header, of a file whose columns and length suffice."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
            rows = sum(1 for line in file if line.strip())
    except (UnicodeDecodeError, csv.Error):
        raise PreflightError(f"data.path: {path} is not a CSV file in UTF-8") from None
    for key, column in (("date_column", section.date_column), ("target", section.target)):
        if column not in header:
            columns = ", ".join(header[:20]) or "none"
            raise PreflightError(
                f'data.{key}: {path} has no column "{column}"; its columns are: {columns}'
            )
    _check_length(section, rows, f"data.path: {path} has {rows} rows")
    return rows


def _check_length(section: DataSection, rows: int, found: str) -> None:
    """Refuse a series in which a split has not a single window. `found` begins the refusal."""
    if section.dataset in KNOWN and rows < _ETT_ROWS:
        raise PreflightError(
            f"{found}; {section.dataset} is split into months and needs {_ETT_ROWS}"
        )
    if not _every_split_has_a_window(section, rows):
        raise PreflightError(
            f"{found}; data.seq_len {section.seq_len}, data.pred_len {section.pred_len} and "
            f"data.percent {section.percent} need {_rows_needed(section)}"
        )


def _every_split_has_a_window(section: DataSection, rows: int) -> bool:
    """Validation and test look back into the split before them."""
    if section.dataset in KNOWN:
        train, test = _ETT_TRAIN_ROWS, _ETT_TEST_ROWS
        rows = _ETT_ROWS
    else:
        train, test = int(rows * section.train_ratio), int(rows * section.test_ratio)
    used = (train - section.seq_len) * section.percent // 100
    return min(used, test, rows - train - test) >= section.pred_len


def _rows_needed(section: DataSection) -> str:
    """How many rows a series must have, in words."""
    if section.dataset in KNOWN:
        return f"more than {section.dataset} has in each split"
    horizon, rest = section.pred_len, 1 - section.train_ratio - section.test_ratio
    trained = section.seq_len + math.ceil(100 * horizon / section.percent)
    shares = (trained / section.train_ratio, horizon / section.test_ratio, horizon / rest)
    return f"about {math.ceil(max(shares))}"


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
    _check_fit(config, shape, source)
    return shape, words


def _inspected(folder: Path, source: str) -> BackboneShape:
    try:
        return inspect_folder(folder)
    except BackboneUnusable as error:
        raise PreflightError(f"backbone.source: {source} {error}") from error


def _check_fit(config: Config, shape: BackboneShape, source: str) -> None:
    layers, d_ff = config.backbone.layers, config.model.d_ff
    if layers is not None and shape.layers is not None and layers > shape.layers:
        raise DoesNotFit("backbone.layers", layers, shape.layers, f"the layers of {source}")
    if shape.hidden_size is not None and d_ff > shape.hidden_size:
        raise DoesNotFit("model.d_ff", d_ff, shape.hidden_size, f"the hidden size of {source}")


def _disk(config: Config, runs_root: Path, shape: BackboneShape | None) -> str:
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
    needed = disk_needed_bytes(config, shape)
    if free < needed:
        raise PreflightError(
            f"the runs folder {runs_root}: {free // _MIB} MiB are free, about "
            f"{needed // _MIB} MiB are needed for checkpoints and records"
        )
    return f"Disk: {free // _MIB} MiB free in {folder}, about {needed // _MIB} MiB needed."


def disk_needed_bytes(config: Config, shape: BackboneShape | None) -> int:
    """A rough upper bound of what a run leaves on disk, in bytes.

    Only the mapping, the reprogramming and the head are counted, in float32. `best` holds the
    weights and `last` the two moments of Adam as well; each is there twice while it is replaced.
    """
    if shape is None or shape.vocab_size is None or shape.hidden_size is None:
        return _ROOM_FOR_RECORDS
    model, data = config.model, config.data
    patches = (data.seq_len - model.patch_len) // model.stride + 2
    keys = model.d_ff * model.n_heads
    mapping = (shape.vocab_size + 1) * model.num_prototypes
    reprogramming = keys * (model.d_model + 3 * shape.hidden_size)
    head = (model.d_ff * patches + 1) * data.pred_len
    weights = 4 * (mapping + reprogramming + head)
    return 2 * (weights + 3 * weights) + _ROOM_FOR_RECORDS


def _memory() -> str:
    memory = psutil.virtual_memory()
    return f"Memory: {memory.available // _MIB} of {memory.total // _MIB} MiB are available."
