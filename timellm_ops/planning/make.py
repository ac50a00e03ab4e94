"""A whole plan, from a config and from what is known of its data and its backbone."""

import msgspec

from timellm_ops.backbones import FoundFacts
from timellm_ops.contract.backbone_facts import parameter_count
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import (
    BackbonePlan,
    DataPlan,
    Device,
    Measured,
    MemoryPlan,
    ModulePlan,
    Plan,
    TensorPlan,
    TimePlan,
    TrainablePlan,
)
from timellm_ops.contract.shapes import MODULES, TensorShape, folded_shapes, trainable_shapes
from timellm_ops.planning.activations import patches_of, prompt_tokens
from timellm_ops.planning.backbone_bytes import backbone_bytes
from timellm_ops.planning.files import files_plan
from timellm_ops.planning.fit import fit_plan
from timellm_ops.planning.memory import memory_plan
from timellm_ops.planning.steps import steps_plan

_replace = msgspec.structs.replace


def make_plan(
    config: Config,
    data: DataPlan,
    found: FoundFacts,
    device: Device,
    *,
    gpu_memory_bytes: int | None = None,
) -> Plan:
    """Everything that can be known without training. `config` fits the backbone."""
    shapes = shapes_of(config, found)
    facts, kept = found.facts, kept_layers(config, found)
    memory: tuple[MemoryPlan, ...] = ()
    fit = None
    if shapes and facts is not None and kept is not None:
        memory = memory_plan(config, device, shapes, facts, kept)
        if gpu_memory_bytes is not None:
            fit = fit_plan(config, shapes, facts, kept, gpu_memory_bytes)
    return Plan(
        name=config.run.name,
        device=device,
        data=data,
        steps=steps_plan(
            config.train, data, solves_head=config.model.head_start == "solved"
        ),
        backbone=_backbone_plan(config, found),
        trainable=_trainable_plan(config, shapes) if shapes else None,
        prompt_tokens=prompt_tokens(config.prompt)[0],
        memory=memory,
        files=files_plan(
            config.train, config.checkpoint, device, shapes,
            folded_shapes(shapes, config.model, found.shape.hidden_size or 0),
        ) if shapes else None,
        fit=fit,
    )  # fmt: skip


def with_measured(plan: Plan, measured: Measured) -> Plan:
    """The plan with what a few real steps have shown: memory as it was, and the time."""
    peaks = {
        "training": measured.training_peak_bytes,
        "evaluation": measured.evaluation_peak_bytes,
    }
    memory = tuple(_replace(phase, measured_bytes=peaks.get(phase.phase)) for phase in plan.memory)
    steps = plan.steps
    training_s = steps.total * measured.seconds_per_step
    evaluation_s = steps.evaluated_windows / measured.windows_per_second
    head_s = steps.head_windows / measured.windows_per_second
    return _replace(
        plan,
        memory=memory,
        prompt_tokens=measured.prompt_tokens,
        measured=measured,
        time=TimePlan(
            training_s=training_s,
            evaluation_s=evaluation_s,
            total_s=head_s + training_s + evaluation_s,
            per_epoch_s=(training_s + evaluation_s) / steps.epochs,
        ),
    )


def shapes_of(config: Config, found: FoundFacts) -> tuple[TensorShape, ...]:
    """The trainable tensors; none where the backbone's numbers are not known."""
    width, vocabulary = found.shape.hidden_size, found.shape.vocab_size
    if found.facts is not None:
        width, vocabulary = found.facts.width, found.facts.vocab_size
    if width is None or vocabulary is None:
        return ()
    data = config.data
    return trainable_shapes(
        config.model, data.seq_len, data.pred_len, embedding_size=width, vocab_size=vocabulary
    )


def kept_layers(config: Config, found: FoundFacts) -> int | None:
    """How many layers of the backbone are kept."""
    if config.backbone.layers is not None:
        return config.backbone.layers
    return found.facts.layers if found.facts is not None else found.shape.layers


def _backbone_plan(config: Config, found: FoundFacts) -> BackbonePlan:
    facts, kept = found.facts, kept_layers(config, found)
    count = size = None
    dtype = config.backbone.dtype
    if facts is not None and kept is not None:
        count, size = parameter_count(facts, kept), backbone_bytes(facts, kept, dtype)
    return BackbonePlan(
        source=config.backbone.source,
        known_as=found.known_as,
        known_from=found.known_from,
        family=facts.family if facts is not None else "",
        width=facts.width if facts is not None else found.shape.hidden_size,
        vocab_size=facts.vocab_size if facts is not None else found.shape.vocab_size,
        layers=facts.layers if facts is not None else found.shape.layers,
        kept_layers=kept,
        dtype=dtype,
        parameters=count,
        bytes=size,
    )


def _trainable_plan(config: Config, shapes: tuple[TensorShape, ...]) -> TrainablePlan:
    total = sum(shape.count for shape in shapes)
    modules = []
    for name in MODULES:
        own = [shape for shape in shapes if shape.module == name]
        count = sum(shape.count for shape in own)
        modules.append(
            ModulePlan(
                name=name,
                parameters=count,
                bytes=sum(shape.bytes for shape in own),
                share=count / total,
                tensors=tuple(map(_tensor_plan, own)),
            )
        )
    return TrainablePlan(
        modules=tuple(modules),
        parameters=total,
        bytes=sum(shape.bytes for shape in shapes),
        patches=patches_of(config.model, config.data.seq_len),
    )


def _tensor_plan(shape: TensorShape) -> TensorPlan:
    return TensorPlan(
        name=shape.name,
        shape=shape.shape,
        parameters=shape.count,
        bytes=shape.bytes,
        depends=shape.depends,
    )
