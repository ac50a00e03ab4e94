"""From a config to everything that training works on: data, model, optimiser, and the device."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from timellm_engine.checkpoints.snapshot import Identity, identity
from timellm_engine.data.prepare import Data, prepare
from timellm_engine.errors import InputError, PreflightError
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.prompts import default_description
from timellm_engine.model.quantised import parameter_total
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.allocator import give_back_freed_memory, keep_freed_memory
from timellm_engine.training.determinism import use_deterministic_kernels
from timellm_engine.training.optimiser import make_optimiser
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config, TrainSection
from timellm_ops.contract.splits import steps_per_epoch


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a run trains, with what."""

    config: Config
    data: Data
    backbone: Backbone
    model: TimeLLM
    trainable: list[nn.Parameter]
    optimiser: torch.optim.Optimizer
    device: torch.device
    identity: Identity
    finer: int = 1
    """In how many times as many pieces as configured a batch is computed."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, with its last, smaller batch or without it."""
        return steps_per_epoch(self.config.train, len(self.data.train))

    def announcement(self, start_epoch: int, start_iteration: int) -> ev.TrainingStarted:
        """The numbers that everything later is measured against."""
        train = self.config.train
        return ev.TrainingStarted(
            epochs=train.epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch_size=train.batch_size,
            train_samples=len(self.data.train),
            vali_samples=len(self.data.vali),
            test_samples=len(self.data.test),
            trainable_parameters=sum(p.numel() for p in self.trainable),
            frozen_parameters=parameter_total(self.backbone.model),
            backbone=self.backbone.name,
            device=device_name(self.device),
            patience=train.patience,
            start_epoch=start_epoch,
            start_iteration=start_iteration,
            loss=train.loss,
            test=train.test,
            min_delta=train.min_delta,
        )


def build(config: Config, *, finer: int = 1) -> Job:
    """Read, draw and lay out everything, on the device that the config names.

    Leaves torch's random generators as `run.seed` and the model's initialisation leave them.
    Raises `EngineError`, and `BackboneError` for a backbone that cannot be used.
    """
    keep_freed_memory()
    use_deterministic_kernels(config.run.deterministic)
    device = choose_device(config)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # or something would be begun on the first one as well
    choose_threads(config.train.threads)
    data = prepare(config.data, config.run.seed)
    backbone = load_backbone(config.backbone, config.run.seed, device, config.train.precision)
    give_back_freed_memory()
    torch.manual_seed(config.run.seed)
    model = TimeLLM(
        backbone,
        config.model,
        config.prompt,
        default_description(config.data.dataset),
        config.data.seq_len,
        config.data.pred_len,
        precision=config.train.precision,
        recompute=config.train.activation_checkpointing,
    ).to(device)
    model.evaluated_finer = finer
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    _check_warmup(config.train, steps_per_epoch(config.train, len(data.train)))
    if config.train.compile:
        from timellm_engine.training.compiled import compile_feed_forward

        compile_feed_forward(model)
    return Job(
        config=config,
        data=data,
        backbone=backbone,
        model=model,
        trainable=trainable,
        optimiser=make_optimiser(config.train, _parameter_groups(model, config)),
        device=device,
        identity=identity(config, data.digest, backbone.digest),
        finer=finer,
    )


def _parameter_groups(model: TimeLLM, config: Config) -> list[dict[str, Any]]:
    """All trainable weights; direct prototypes apart, with a rate of their own."""
    apart = model.prototypes.values if model.prototypes is not None else None
    others = [p for p in model.parameters() if p.requires_grad and p is not apart]
    groups: list[dict[str, Any]] = [{"params": others, "rate": 1.0}]
    if apart is not None:
        groups.append({"params": [apart], "rate": config.model.prototype_rate})
    return groups


def _check_warmup(train: TrainSection, steps_per_epoch: int) -> None:
    total = train.epochs * steps_per_epoch
    if train.warmup_steps >= total:
        raise InputError(
            "train.warmup_steps", str(train.warmup_steps), f"below {total}, the steps of the run"
        )


def choose_device(config: Config) -> torch.device:
    """The device that `train.device` means here. Raises `PreflightError` where there is none.

    The GPU is the one that is watched: that of `gpu.uuid`, or number `gpu.index` of the machine,
    wherever that is among those that `CUDA_VISIBLE_DEVICES` leaves.
    """
    wanted = config.train.device
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise PreflightError(
            'train.device: found "cuda", but torch sees no CUDA device here; expected "cpu" or '
            '"auto", a driver, or a torch that was built for it'
        )
    if wanted == "cpu" or not available:
        return torch.device("cpu")
    if config.gpu.uuid:
        return torch.device("cuda", _place_by_uuid(config.gpu.uuid))
    index = visible_index(config.gpu.index, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if index >= torch.cuda.device_count():
        raise PreflightError(
            f"gpu.index: found {index}; expected below {torch.cuda.device_count()}, the number "
            "of CUDA devices that torch sees here"
        )
    return torch.device("cuda", index)


def visible_index(number: int, visible: str | None) -> int:
    """Where GPU `number` of the machine is among the visible ones.

    `visible` is `CUDA_VISIBLE_DEVICES`. Where it names GPUs by other means than numbers, the
    first of them is taken.
    """
    if visible is None:
        return number
    names = [name.strip() for name in visible.split(",")]
    return names.index(str(number)) if str(number) in names else 0


def _place_by_uuid(uuid: str) -> int:
    count = torch.cuda.device_count()
    uuids = [str(torch.cuda.get_device_properties(place).uuid) for place in range(count)]
    found = place_of(uuid, uuids)
    if found is None:
        raise PreflightError(
            f"gpu.uuid: found {uuid}; expected that of a CUDA device that torch sees here: "
            f"{', '.join(uuids)}"
        )
    return found


def place_of(uuid: str, uuids: Sequence[str]) -> int | None:
    """Where the GPU of a UUID, or of the beginning of one, is among those with `uuids`.

    torch leaves out the `GPU-` in front. Of MIG slices a process sees one alone, the first.
    """
    if uuid.startswith("MIG-"):
        return 0 if uuids else None
    wanted = uuid.removeprefix("GPU-")
    places = [i for i, u in enumerate(uuids) if u.removeprefix("GPU-").startswith(wanted)]
    return places[0] if len(places) == 1 else None


def choose_threads(configured: int | None) -> None:
    """CPU threads: as configured, or as many as torch would take within the CPU affinity."""
    offered = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(configured or min(torch.get_num_threads(), offered or 1))


def device_name(device: torch.device) -> str:
    """The device for people: `cpu`, or the GPU's own name."""
    if device.type != "cuda":
        return device.type
    return f"{device} ({torch.cuda.get_device_name(device)})"
