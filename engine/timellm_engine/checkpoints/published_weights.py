"""Takes over a checkpoint file of the published code.

As a process: `python -m timellm_engine.checkpoints.published_weights`. That file is a state dict,
written by `torch.save`. Only tensors are ever read of it: a pickle can hold any program, and
torch's own restricted reader refuses everything else.
"""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from timellm_engine.errors import InputError
from timellm_engine.model.timellm import PUBLISHED_NAMES, from_published
from timellm_engine.task import Tell, read_question, run_task
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.published_weights import WeightsAnswer, WeightsQuestion
from timellm_ops.contract.shapes import patch_count

_EXPECTED = "a checkpoint of the published code: a state dict written by torch.save"
_MAPPING, _CONVOLUTION = PUBLISHED_NAMES["mapping.weight"], "patch_embedding.convolution.weight"

_FEWEST_PATCHES = 2


def main(_tell: Tell) -> WeightsAnswer:
    """Do what standard input asks for. Raises `EngineError`."""
    return take_over(read_question(WeightsQuestion))


def take_over(question: WeightsQuestion) -> WeightsAnswer:
    """Make the checkpoint `best` of the run in `folder` from a published file.

    Raises `EngineError`: for a file that is none, that lacks a tensor, or that does not fit the
    config; then nothing is written.
    """
    from timellm_engine.checkpoints.checkpoint import CheckpointError, FolderStorage
    from timellm_engine.checkpoints.snapshot import Position, weights_snapshot
    from timellm_engine.errors import PreflightError
    from timellm_engine.run_config import read_config
    from timellm_engine.training.build import build

    path, layout = Path(question.file), RunLayout(Path(question.folder))
    config = read_config(layout)
    if config.model.prototypes != "mapping":
        expected = f'"mapping", as the published code has them, in {question.config_name}'
        raise InputError("model.prototypes", f'"{config.model.prototypes}"', expected)
    found = read_tensors(path)
    missing = [name for name in PUBLISHED_NAMES.values() if name not in found]
    if missing:
        have = len(PUBLISHED_NAMES) - len(missing)
        what = f"{have} of its {len(PUBLISHED_NAMES)} trained tensors; {missing[0]} is missing"
        raise InputError(str(path), what, _EXPECTED)
    stored = from_published(found)
    check_shapes(stored, config, path, question.config_name)
    job = build(config)
    check_vocabulary(stored, job.model.trainable_state(), path, job.backbone.name)
    weights = {name: tensor.float() for name, tensor in stored.items()}
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            what = f"{PUBLISHED_NAMES[name]} with numbers that are not finite"
            raise InputError(str(path), what, "the weights of a training that went well")
    job.model.load_trainable_state(weights)
    position = Position(epoch=0, iteration=0, evaluated=True, over=True)
    storage = FolderStorage(layout.checkpoints)
    try:
        saved = storage.save("best", weights_snapshot(job.model, position, job.identity))
    except CheckpointError as error:
        raise PreflightError(f"{layout.root}: the weights were not written: {error}") from None
    return WeightsAnswer(
        bytes=saved.bytes,
        sha256=saved.sha256,
        tensors=len(weights),
        parameters=sum(tensor.numel() for tensor in weights.values()),
        types=tuple(sorted({str(t.dtype).removeprefix("torch.") for t in stored.values()})),
        ignored=len(found) - len(weights),
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a published file by its name there, without a wrapper's `module.` prefix.

    A `.safetensors` file of the same names is read as well. Raises `InputError`.
    """
    if path.suffix == ".safetensors":
        held: Any = _read_safetensors(path)
    else:
        held = _read_pickled(path)
    named = _named_tensors(held)
    if not named:
        raise InputError(str(path), "no named tensors", _EXPECTED)
    return {name.removeprefix("module."): tensor for name, tensor in named.items()}


def _read_pickled(path: Path) -> object:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror or error})"
        raise InputError(str(path), found, _EXPECTED) from None
    except pickle.UnpicklingError:
        if _is_saved_by_torch(path):
            found = "a file that holds more than tensors, which could run any program when opened"
            expected = f"{_EXPECTED} (torch.save(model.state_dict(), ...))"
            raise InputError(str(path), found, expected) from None
        raise InputError(str(path), "a file that torch cannot read", _EXPECTED) from None
    except Exception:  # noqa: BLE001 - whatever a file that is cut or is none makes torch raise
        raise InputError(str(path), "a file that torch cannot read", _EXPECTED) from None


def _is_saved_by_torch(path: Path) -> bool:
    """Whether it begins as such files do: as a zip archive, or as a pickle."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"PK\x03\x04", b"\x80\x02"))


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        found = f"a file that cannot be read ({' '.join(str(error).split())})"
        raise InputError(str(path), found, _EXPECTED) from None


def _named_tensors(held: object) -> dict[str, Tensor]:
    """The state dict, which some trainers keep one level down, beside an optimiser's state."""
    if not isinstance(held, Mapping):
        return {}
    tensors = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if any(name.removeprefix("module.") == _MAPPING for name in tensors):
        return tensors
    inner = [_named_tensors(value) for value in held.values() if isinstance(value, Mapping)]
    return next((named for named in inner if len(named) >= len(PUBLISHED_NAMES)), tensors)


def check_shapes(found: Mapping[str, Tensor], config: Config, path: Path, config_name: str) -> None:
    """Raise `InputError` where the config makes other shapes, with the settings that would fit."""
    wanted = settings_of(found, config)
    if wanted is None:
        what = "trained tensors whose shapes contradict each other"
        raise InputError(str(path), what, "those of one Time-LLM")
    if not wanted:
        return
    values = [f"{key} = {value}" for key, (value, _) in wanted.items()]
    here = [f"{key} = {before}" for key, (_, before) in wanted.items()]
    raise InputError(
        str(path),
        f"weights of {_and(values)}",
        f"{_and(here)}, as in {config_name}; change the config (or --set) to what was trained",
    )


def _and(parts: list[str]) -> str:
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]


def settings_of(
    found: Mapping[str, Tensor], config: Config
) -> dict[str, tuple[object, object]] | None:
    """By key: the value with which the shapes arise, and the config's, where they differ.

    Where several settings would fit, as few as possible are changed. `None`: no settings would.
    """
    model, data = config.model, config.data
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    try:
        prototypes, _ = shapes["mapping.weight"]
        d_model, patch_len, _ = shapes[_CONVOLUTION]
        width, _ = shapes["reprogramming.query.weight"]
        pred_len, read = shapes["head.linear.weight"]
    except ValueError:
        return None
    own = {
        "model.num_prototypes": model.num_prototypes, "model.patch_len": model.patch_len,
        "model.d_model": model.d_model, "data.pred_len": data.pred_len,
        "model.n_heads": model.n_heads, "model.d_ff": model.d_ff,
    }  # fmt: skip
    common = {
        "model.num_prototypes": prototypes, "model.patch_len": patch_len,
        "model.d_model": d_model, "data.pred_len": pred_len,
    }  # fmt: skip
    patches = patch_count(data.seq_len, patch_len, model.stride)
    best: dict[str, tuple[object, object]] | None = None
    for d_ff in _common_divisors(width, read):
        if read // d_ff < _FEWEST_PATCHES:
            continue
        now: dict[str, object] = {**common, "model.n_heads": width // d_ff, "model.d_ff": d_ff}
        different: dict[str, tuple[object, object]] = {
            key: (now[key], own[key]) for key in own if now[key] != own[key]
        }
        if read // d_ff != patches:
            different |= _windows_of(read // d_ff, patch_len, config)
        if best is None or len(different) < len(best):
            best = different
    return best


def _common_divisors(one: int, other: int) -> list[int]:
    """Most likely first: a head's width is a power of two more often than not."""
    limit = math.gcd(one, other)
    found = [number for number in range(1, limit + 1) if limit % number == 0]
    return sorted(found, key=lambda number: (number & (number - 1) != 0, -number))


def _windows_of(patches: int, patch_len: int, config: Config) -> dict[str, tuple[object, object]]:
    """The stride or the look-back that makes so many patches."""
    data, stride = config.data, config.model.stride
    for other in range(1, data.seq_len + 1):
        if patch_count(data.seq_len, patch_len, other) == patches:
            return {"model.stride": (other, stride)}
    return {"data.seq_len": ((patches - 2) * stride + patch_len, data.seq_len)}


def check_vocabulary(
    found: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path, backbone: str
) -> None:
    """Raise `InputError` where the weights were trained with another backbone than the config's."""
    for name, tensor in own.items():
        if found[name].shape != tensor.shape:
            raise InputError(
                str(path),
                f"{PUBLISHED_NAMES[name]} of {_by(found[name])}",
                f"{_by(tensor)}, which {backbone} makes it: the backbone.source of the training",
            )


def _by(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape))


if __name__ == "__main__":
    sys.exit(run_task(main))
