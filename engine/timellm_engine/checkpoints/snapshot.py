"""Where training stands, as a checkpoint: taken from the living objects and put back into them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from timellm_engine.checkpoints.checkpoint import Contents
from timellm_engine.errors import InputError
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.small_optimiser import state_tensors, take_state
from timellm_ops.contract.config import Config, DataSection

_NO_PART_OF_THE_RESULT = {
    "run.name", "data.path", "backbone.source", "train.eval_batch_size", "train.log_every",
    "train.device", "train.threads", "train.test", "train.activation_checkpointing",
    "train.cuda_graphs", "run.deterministic",
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
    mse_sum: float = 0.0
    """The same of their MSE, which is the loss unless the config has another one."""
    train_seconds: float = 0.0
    """Time spent on them."""
    evaluation_seconds: float | None = None
    """What the latest evaluation of an epoch took."""
    best_epoch: int | None = None
    best_vali_mse: float | None = None
    best_test: tuple[float, float] | None = None
    """MSE and MAE over the test windows with the best weights, where they are known already."""
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


_DEFAULTS = identity(Config(data=DataSection(dataset="synthetic")), "", "").settings
"""Of every key that has a part in the result."""


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
    model: TimeLLM, optimiser: torch.optim.Optimizer, position: Position, belongs: Identity
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


def check_belongs(contents: Contents, belongs: Identity, config_file: str = "") -> None:
    """Raise `InputError`, naming every difference, for a checkpoint of another training.

    `config_file` is where the settings can be put back. A key that was not known yet when the
    checkpoint was made counts as left at its default.
    """
    before = {**_DEFAULTS, **msgspec.json.decode(contents.state, type=_State).settings}
    now = belongs.settings
    keys = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    if keys:
        first, *others = keys
        also = ", ".join(
            f"{key} {_show(now.get(key))} ({_show(before.get(key))})" for key in others
        )
        raise InputError(
            first,
            _show(now.get(first)),
            f"{_show(before.get(first))}, with which the checkpoint was made"
            + (f"; also different: {also}" if also else "")
            + f"; put {'that' if not also else 'those'} back{_in_file(config_file)}, or start a "
            "new run",
        )
    for what, key in (("data", "data.path"), ("backbone", "backbone.source")):
        made, found = contents.digests.get(what, ""), belongs.digests[what]
        if made != found:
            raise InputError(
                key,
                f"another {what} (sha256 {found[:12]}…)",
                f"the one with which the checkpoint was made (sha256 {made[:12]}…); put that "
                f"back, name its place{_in_file(config_file)}, or start a new run",
            )


def _in_file(config_file: str) -> str:
    return f" in {config_file}" if config_file else ""


def _show(value: object) -> str:
    return "nothing" if value is None else msgspec.json.encode(value).decode()


def position_of(contents: Contents) -> Position:
    """Where the checkpoint was taken."""
    return msgspec.json.decode(contents.state, type=_State).position


def restore(contents: Contents, model: TimeLLM, optimiser: torch.optim.Optimizer) -> Position:
    """Put a full snapshot back into model, optimiser and random generators."""
    model.load_trainable_state(contents.tensors["weights"])
    _restore_optimiser(contents.tensors["optimiser"], model, optimiser)
    _restore_random_states(contents.tensors["random"], _device(model))
    return position_of(contents)


def _trainable(model: TimeLLM) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _device(model: TimeLLM) -> torch.device:
    return next(model.parameters()).device


def _optimiser_tensors(model: TimeLLM, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counts, each as `KIND/PARAMETER`; empty before the first step."""
    return {
        f"{kind}/{name}": tensor
        for name, parameter in _trainable(model).items()
        for kind, tensor in state_tensors(optimiser, parameter).items()
    }


def _restore_optimiser(
    tensors: Mapping[str, Tensor], model: TimeLLM, optimiser: torch.optim.Optimizer
) -> None:
    for name, parameter in _trainable(model).items():
        found = {
            kind: tensor
            for key, tensor in tensors.items()
            for kind, _, whose in [key.partition("/")]
            if whose == name
        }
        if found:
            take_state(optimiser, parameter, found)


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
