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


def fit_plan(
    config: Config,
    shapes: Sequence[TensorShape],
    facts: BackboneFacts,
    layers: int,
    memory_bytes: int,
) -> FitPlan:
    """Whether the run fits into so much memory of a GPU.

    If not, keys are changed one after the other, those first that leave the result as it is, and
    each as far as it takes, until it fits; a remedy holds all the changes before it. What does not
    help is left out.
    """

    def needed(changed: Config, kept: int) -> int:
        return peak_bytes(memory_plan(changed, "cuda", shapes, facts, kept))

    first = least = needed(config, layers)
    remedies: dict[str, Remedy] = {}
    changes: dict[str, str] = {}
    for key, value, changed, kept in _changes(config, layers):
        if least <= memory_bytes:
            break
        now = needed(changed, kept)
        if now < least:
            changes[key], least = value, now
            remedies[key] = Remedy(
                changes=tuple(f"{name}={text}" for name, text in changes.items()),
                needed_bytes=now,
                fits=now <= memory_bytes,
            )
    return FitPlan(
        memory_bytes=memory_bytes,
        needed_bytes=first,
        fits=first <= memory_bytes,
        remedies=tuple(remedies.values()),
    )


def _changes(config: Config, layers: int) -> Iterator[tuple[str, str, Config, int]]:
    """Change after change, each on top of those before: key, value, the config, and the layers."""
    train = config.train
    if train.eval_batch_size > _FEW_WINDOWS:
        train = _replace(train, eval_batch_size=_FEW_WINDOWS)
        config = _replace(config, train=train)
        yield "train.eval_batch_size", str(_FEW_WINDOWS), config, layers
    pieces = train.accumulate
    while 2 * pieces <= train.batch_size:
        pieces *= 2
        config = _replace(config, train=_replace(train, accumulate=pieces))
        yield "train.accumulate", str(pieces), config, layers
    if config.backbone.dtype == "float32":
        config = _replace(config, backbone=_replace(config.backbone, dtype="bfloat16"))
        yield "backbone.dtype", "bfloat16", config, layers
    for fewer in range(layers - 1, 0, -1):
        yield "backbone.layers", str(fewer), config, fewer
