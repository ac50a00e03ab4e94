"""Whether a run fits into a GPU's memory, and which changes of its config would make it fit."""

from collections.abc import Iterator, Sequence

import msgspec

from timellm_ops.contract.backbone_facts import BackboneFacts
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import FitPlan, Remedy
from timellm_ops.contract.shapes import TensorShape
from timellm_ops.planning.memory import memory_plan, peak_bytes

_replace = msgspec.structs.replace
_FEW_WINDOWS = 32
"""An evaluation batch that hardly takes memory."""
_NEXT_DTYPE = {"float32": "bfloat16", "bfloat16": "int8", "int8": "nf4"}
_NEXT_STATE = {"fp32": "int8", "int8": "paged"}

_Change = tuple[str, str, Config]
"""A key, its new value as for `--set`, and the config with it."""


def fit_plan(
    config: Config,
    shapes: Sequence[TensorShape],
    facts: BackboneFacts,
    layers: int,
    memory_bytes: int,
) -> FitPlan:
    """Whether the run fits into so much memory of a GPU.

    If not, keys are changed one after the other until it fits: always the first that helps, of
    those that leave the result as it is, then of those that hardly change it, then layers. Each
    goes as far as it takes, and a remedy holds all the changes before it.
    """

    def needed(changed: Config) -> int:
        kept = changed.backbone.layers or layers
        return peak_bytes(memory_plan(changed, "cuda", shapes, facts, kept))

    first = least = needed(config)
    remedies: dict[str, Remedy] = {}
    changes: dict[str, str] = {}
    while least > memory_bytes:
        tried = ((change, needed(change[2])) for change in _changes(config, layers))
        helpful = next(((change, need) for change, need in tried if need < least), None)
        if helpful is None:
            break
        (key, value, config), least = helpful
        changes[key] = value
        remedies.pop(key, None)
        remedies[key] = Remedy(
            changes=tuple(f"{name}={text}" for name, text in changes.items()),
            needed_bytes=least,
            fits=least <= memory_bytes,
        )
    return FitPlan(
        memory_bytes=memory_bytes,
        needed_bytes=first,
        fits=first <= memory_bytes,
        remedies=tuple(remedies.values()),
    )


def _changes(config: Config, layers: int) -> Iterator[_Change]:
    """Every single change of the config, the most harmless first."""
    train, backbone = config.train, config.backbone
    if not train.activation_checkpointing:
        again = _replace(train, activation_checkpointing=True)
        yield "train.activation_checkpointing", "true", _replace(config, train=again)
    if 2 * train.accumulate <= train.batch_size:
        pieces = 2 * train.accumulate
        changed = _replace(config, train=_replace(train, accumulate=pieces))
        yield "train.accumulate", str(pieces), changed
    if train.eval_batch_size > _FEW_WINDOWS:
        fewer = _replace(train, eval_batch_size=_FEW_WINDOWS)
        yield "train.eval_batch_size", str(_FEW_WINDOWS), _replace(config, train=fewer)
    if backbone.dtype in _NEXT_DTYPE:
        dtype = _NEXT_DTYPE[backbone.dtype]
        yield "backbone.dtype", dtype, _replace(config, backbone=_replace(backbone, dtype=dtype))
    if train.optimiser_state in _NEXT_STATE and _may_be_in_8_bits(config):
        state = _NEXT_STATE[train.optimiser_state]
        changed = _replace(config, train=_replace(train, optimiser_state=state))
        yield "train.optimiser_state", state, changed
    kept = (backbone.layers or layers) - 1
    if kept:
        changed = _replace(config, backbone=_replace(backbone, layers=kept))
        yield "backbone.layers", str(kept), changed


def _may_be_in_8_bits(config: Config) -> bool:
    train = config.train
    return train.optimiser == "adamw" or (train.optimiser == "adam" and train.weight_decay == 0.0)
