"""Where training stands, as a checkpoint: taken from the living objects and put back into them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from timellm_engine.checkpoint import Contents
from timellm_engine.errors import InputError
from timellm_engine.model import TimeLLM
from timellm_ops.contract.config import Config

_NO_PART_OF_THE_RESULT = {
    "run.name", "data.path", "backbone.source", "train.eval_batch_size", "train.log_every",
    "train.device", "train.threads",
}  # fmt: skip
_SECTIONS = ("run", "data", "model", "backbone", "prompt", "train")


class Position(Struct, frozen=True, kw_only=True):
    """How far a run is, and what must be carried over to where it ends."""

    epoch: int = 1
    iteration: int = 0
    """Steps of `epoch` that are done."""
    evaluated: bool = False
    """The epoch is over, its evaluation included."""
    over: bool = False
    """No epoch will follow; only the final test may be left."""
    loss_sum: float = 0.0
    """Of the steps that are done in this epoch."""
    train_seconds: float = 0.0
    """Time spent on them."""
    evaluation_seconds: float | None = None
    """What the latest evaluation of an epoch took."""
    best_epoch: int | None = None
    best_vali_mse: float | None = None
    early_counter: int = 0
    """Epochs since the best one."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a checkpoint belongs to. Under another one, going on would be another training."""

    settings: Mapping[str, Any]
    """Every key of the config that has a part in the result."""
    data_digest: str
    backbone_digest: str

    @property
    def digests(self) -> dict[str, str]:
        """By what they are of, for a checkpoint's manifest."""
        settings = msgspec.json.encode(dict(self.settings), order="sorted")
        return {
            "config": hashlib.sha256(settings).hexdigest(),
            "data": self.data_digest,
            "backbone": self.backbone_digest,
        }


class _State(Struct, frozen=True, kw_only=True):
    """The whole of `state.json`."""

    position: Position
    settings: dict[str, Any]


def identity(config: Config, data_digest: str, backbone_digest: str) -> Identity:
    """What the checkpoints of this config, data and backbone belong to."""
    settings = {
        f"{section}.{key}": value
        for section in _SECTIONS
        for key, value in msgspec.to_builtins(getattr(config, section)).items()
        if f"{section}.{key}" not in _NO_PART_OF_THE_RESULT
    }
    return Identity(settings=settings, data_digest=data_digest, backbone_digest=backbone_digest)


def weights_snapshot(model: TimeLLM, position: Position, belongs: Identity) -> Contents:
    """The trainable weights and the position: what `best` holds."""
    state = _State(position=position, settings=dict(belongs.settings))
    return Contents(
        epoch=position.epoch,
        iteration=position.iteration,
        tensors={"weights": model.trainable_state()},
        state=msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n",
        digests=belongs.digests,
    )


def full_snapshot(
    model: TimeLLM, optimiser: torch.optim.Adam, position: Position, belongs: Identity
) -> Contents:
    """All that is needed to go on exactly: what `last` holds."""
    contents = weights_snapshot(model, position, belongs)
    return Contents(
        epoch=contents.epoch,
        iteration=contents.iteration,
        tensors={
            **contents.tensors,
            "optimiser": _optimiser_tensors(model, optimiser),
            "random": _random_states(_device(model)),
        },
        state=contents.state,
        digests=contents.digests,
    )


def check_belongs(contents: Contents, belongs: Identity) -> None:
    """Raise `InputError`, naming the difference, for a checkpoint of another training."""
    if dict(contents.digests) == belongs.digests:
        return
    before = msgspec.json.decode(contents.state, type=_State).settings
    for key in sorted(before.keys() | belongs.settings.keys()):
        if before.get(key) != belongs.settings.get(key):
            raise InputError(
                key,
                _show(belongs.settings.get(key)),
                f"{_show(before.get(key))}, with which the checkpoint was made",
            )
    for what, key in (("data", "data.path"), ("backbone", "backbone.source")):
        made, now = contents.digests.get(what, ""), belongs.digests[what]
        if made != now:
            raise InputError(
                key,
                f"another {what} (sha256 {now[:12]}…)",
                f"the one with which the checkpoint was made (sha256 {made[:12]}…)",
            )
    raise InputError("the checkpoint", "other settings", "those of this run")


def _show(value: object) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()


def position_of(contents: Contents) -> Position:
    """Where the checkpoint was taken."""
    return msgspec.json.decode(contents.state, type=_State).position


def restore(contents: Contents, model: TimeLLM, optimiser: torch.optim.Adam) -> Position:
    """Put a full snapshot back into model, optimiser and random generators."""
    model.load_trainable_state(contents.tensors["weights"])
    _restore_optimiser(contents.tensors["optimiser"], model, optimiser)
    _restore_random_states(contents.tensors["random"], _device(model))
    return position_of(contents)


def _trainable(model: TimeLLM) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _device(model: TimeLLM) -> torch.device:
    return next(model.parameters()).device


def _optimiser_tensors(model: TimeLLM, optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Adam's moments and counts, each as `KIND/PARAMETER`; empty before the first step."""
    return {
        f"{kind}/{name}": tensor
        for name, parameter in _trainable(model).items()
        for kind, tensor in optimiser.state.get(parameter, {}).items()
    }


def _restore_optimiser(
    tensors: Mapping[str, Tensor], model: TimeLLM, optimiser: torch.optim.Adam
) -> None:
    for name, parameter in _trainable(model).items():
        found = {
            kind: tensor if kind == "step" else tensor.to(parameter.device)
            for key, tensor in tensors.items()
            for kind, _, whose in [key.partition("/")]
            if whose == name
        }
        if found:
            optimiser.state[parameter] = found


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """Of the generators that training draws from: the CPU's, and the GPU's where it is used."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _restore_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
