"""Memory at its peak in each phase of a run, item by item.

On a CPU: the engine's process as the system sees it, its peak resident set. On a GPU: what the
card reports for the process. Phases are a step of training, a batch of evaluation, and the final
test, for which the best weights are read back beside the last ones.
"""

from collections.abc import Sequence

from msgspec import Struct

from timellm_ops.contract.backbone_facts import BackboneFacts
from timellm_ops.contract.config import Config
from timellm_ops.contract.engine_memory import KEPT_WORDS_BYTES, WORDS_AT_ONCE
from timellm_ops.contract.plan import Basis, Device, MemoryItem, MemoryPlan, Phase
from timellm_ops.contract.shapes import (
    PROTOTYPES_DRAWN_AT_ONCE,
    TensorShape,
    evaluated_at_once,
)
from timellm_ops.contract.small_cards import wishes
from timellm_ops.planning.activations import (
    Need,
    Pass,
    needs,
    patches_of,
    prompt_tokens,
    rows_at_once,
)
from timellm_ops.planning.backbone_bytes import (
    NUMBER_BYTES,
    backbone_bytes,
    laid_out_bytes,
    written_out_bytes,
)
from timellm_ops.planning.files import moments_bytes

_MIB = 1 << 20
CPU_RUNTIME_BYTES = 220 * _MIB
"""Python with torch, loaded and used once; measured with torch 2.13."""
CPU_TRANSFORMERS_BYTES = 125 * _MIB
"""transformers beside them, which the embedded backbone does without; measured likewise."""
CPU_PACKAGES_BYTES = 130 * _MIB
"""bitsandbytes and accelerate beside them, with what they load in turn and what making codes and
products of them leaves in the heap; measured on whole runs."""
CPU_ONEDNN_BYTES = 55 * _MIB
"""What oneDNN makes for a backbone's products, beside their weights; measured."""
CUDA_RUNTIME_BYTES = 500 * _MIB
"""A CUDA context with its libraries' workspaces; assumed, it differs between cards and drivers."""
_LEFT_SHARE = 0.4
"""Of what training has freed, what evaluation cannot use again."""
_STEP_TENSORS = 5
"""Tensors of the size of the weights that a step with 8-bit moments makes on a CPU, measured."""
_PASSING_SHARE = 0.5
"""Of what a part needs on its way, what is beside the things that later parts keep."""


class Weights(Struct, frozen=True, kw_only=True):
    """What lies in memory all the time, in bytes."""

    trained: int
    mapping: int
    """Of the trained ones, the largest tensor."""
    rounded: int
    """The mapping, or its gradient, in the backbone's precision; a CPU's run keeps it."""
    moments: int
    backbone: int
    laid_out: int
    """Of the backbone, beside itself: on a CPU that is taken to gain from it."""
    words: int
    """The word embeddings, beside themselves, for a mapping's products in bfloat16."""
    words_of_prompts: int
    """What a GPT-2's first layer made of them, on a CPU; few where prompts say no numbers."""
    written_out: int
    """Of the backbone, while one of its products is made; nothing where it is held as it is."""
    packages: int
    """Of packages that not every run loads."""
    stepping: int
    """While a CPU makes a step of the largest tensor with 8-bit moments; a GPU needs nothing."""
    beginning: int
    """Before the first step, while direct prototypes are mixed from the words by a mapping."""
    solving: int
    """Before the first step, while a CPU's run solves for its head; a GPU's does so beside it."""


def memory_plan(
    config: Config,
    device: Device,
    shapes: Sequence[TensorShape],
    facts: BackboneFacts,
    layers: int,
    tokens: tuple[int, int] | None = None,
) -> tuple[MemoryPlan, ...]:
    """The phases of a run. `tokens` of a prompt, and of what is shared; estimated otherwise."""
    trained = sum(shape.bytes for shape in shapes)
    held = config.backbone.dtype
    laid_out = laid_out_bytes(facts, layers, held) if _lays_out(config, device) else 0
    words = _words(config, device, facts)
    by_hand = laid_out > 0 and facts.family == "gpt2"
    weights = Weights(
        trained=trained,
        mapping=sum(shape.bytes for shape in shapes if shape.module == "mapping"),
        rounded=_rounded(config, shapes),
        moments=moments_bytes(config.train, shapes, device),
        backbone=backbone_bytes(facts, layers, held),
        laid_out=laid_out,
        words=words,
        words_of_prompts=KEPT_WORDS_BYTES if by_hand and config.prompt.statistics else 0,
        written_out=written_out_bytes(facts, held),
        packages=_packages(config, device, by_onednn=laid_out + words > 0),
        stepping=_stepping(config, device, shapes),
        beginning=_beginning(config, facts),
        solving=_solving(config, device),
    )
    length, shared = tokens or prompt_tokens(config.prompt)
    train, data = config.train, config.data

    each = 2 if train.precision == "bf16" else NUMBER_BYTES[config.backbone.dtype]
    in_parts = each == 2 or by_hand
    keeps_attention = device == "cpu" and in_parts and config.backbone.source != "embedded"

    def needed(rows: int, *, training: bool) -> tuple[Need, ...]:
        of = Pass(
            rows=rows,
            patches=patches_of(config.model, data.seq_len),
            tokens=length,
            shared=shared,
            device=device,
            bytes_each=each,
            training=training,
            in_bf16=train.precision == "bf16",
            attention_kept=keeps_attention,
            recompute=train.activation_checkpointing,
        )
        return needs(of, config.model, facts, layers, data.seq_len, data.pred_len)

    steps = needed(rows_at_once(train.batch_size, train.accumulate), training=True)
    patches = patches_of(config.model, data.seq_len)
    at_once = evaluated_at_once(patches, facts.width, on_a_gpu=device == "cuda")
    evaluated = min(train.eval_batch_size, at_once)
    evaluations = needed(evaluated, training=False)
    return (
        _training(device, weights, steps),
        _evaluation(device, weights, steps, evaluations),
        _final_test(device, weights, steps),
    )


def peak_bytes(phases: Sequence[MemoryPlan]) -> int:
    """What the run needs: its most hungry phase."""
    return max(phase.bytes for phase in phases)


def _training(device: Device, weights: Weights, steps: Sequence[Need]) -> MemoryPlan:
    items = [
        *_standing(device, weights),
        _item("gradients", weights.trained, "exact"),
        _item("optimiser", weights.moments, "exact"),
        *(_item(f"activations: {need.what}", need.kept, "estimate") for need in steps),
        _item("in passing", _passing(steps), "estimate"),
        _item("backbone: a weight written out", weights.written_out, "exact"),
    ]
    items.append(_item("mapping, rounded", weights.rounded, "exact"))
    later = sum(item.bytes for item in items[len(_standing(device, weights)) :])
    for what, alone in (
        ("making the prototypes", weights.beginning), ("solving for the head", weights.solving),
        ("moments, written out", weights.stepping),
    ):  # fmt: skip
        items.append(_item(what, max(0, alone - later), "estimate"))
    return _phase("training", items)


def _stepping(config: Config, device: Device, shapes: Sequence[TensorShape]) -> int:
    if config.train.optimiser_state == "fp32" or device == "cuda":
        return 0
    held = sum(shape.bytes for shape in shapes) + moments_bytes(config.train, shapes, device)
    return held + _STEP_TENSORS * max(shape.bytes for shape in shapes)


def _beginning(config: Config, facts: BackboneFacts) -> int:
    """Of the mapping that direct prototypes begin with, and its copy in the backbone's precision:
    some rows at a time."""
    if config.model.prototypes != "direct":
        return 0
    rows = min(PROTOTYPES_DRAWN_AT_ONCE, config.model.num_prototypes)
    mapping = rows * facts.vocab_size
    rounded = NUMBER_BYTES[config.backbone.dtype] if config.backbone.dtype != "float32" else 0
    return (4 + rounded) * mapping


def _solving(config: Config, device: Device) -> int:
    """Products of all that the head is given, with one another and with what is forecast, in
    float64: of both splits, and twice to solve."""
    if config.model.head_start == "drawn" or device != "cpu":
        return 0
    given = config.model.d_ff * patches_of(config.model, config.data.seq_len) + 1
    return 4 * 8 * given * (given + config.data.pred_len)


def _rounded(config: Config, shapes: Sequence[TensorShape]) -> int:
    """Of the mapping, or of its gradient, in the backbone's precision."""
    if config.backbone.dtype == "float32" and config.train.precision == "fp32":
        return 0
    return sum(shape.bytes for shape in shapes if shape.module == "mapping") // 2


def _evaluation(
    device: Device, weights: Weights, steps: Sequence[Need], evaluations: Sequence[Need]
) -> MemoryPlan:
    own = {need.what: need.passing for need in evaluations}
    # Keys and values of the prompts are there while the layers go over the patches.
    total = own["prompt"] + 0.5 * own["backbone"] if own["prompt"] else own["backbone"]
    total = max(total, own["reprogramming"])
    items = [
        *_standing(device, weights),
        _item("gradients", weights.trained, "exact"),
        _item("optimiser", weights.moments, "exact"),
        _item("in passing", total, "estimate"),
        _item("backbone: a weight written out", weights.written_out, "exact"),
    ]
    if device == "cpu":
        items.append(_item("mapping, rounded", weights.rounded, "exact"))
        freed = sum(need.kept for need in steps) + _passing(steps)
        left = max(_LEFT_SHARE * freed, freed - total)
        items.append(_item("not given back after training", left, "estimate"))
    return _phase("evaluation", items)


def _final_test(device: Device, weights: Weights, steps: Sequence[Need]) -> MemoryPlan:
    freed = sum(need.kept for need in steps) + _passing(steps)
    kept = weights.mapping + weights.rounded
    return _phase(
        "final_test",
        [
            *_standing(device, weights),
            _item("optimiser", weights.moments, "exact"),
            _item("last weights", weights.trained, "exact"),
            _item("best weights, read back", weights.trained if device == "cpu" else 0, "exact"),
            _item("mapping: gradient, and rounded", kept if device == "cpu" else 0, "exact"),
            _item("not given back after training", freed if device == "cpu" else 0, "estimate"),
        ],
    )


def _packages(config: Config, device: Device, *, by_onednn: bool) -> int:
    """What some runs alone load; on a GPU it is not the card's."""
    if device != "cpu":
        return 0
    small, embedded = any(wishes(config)), config.backbone.source == "embedded"
    loaded = 0 if embedded and not small else CPU_TRANSFORMERS_BYTES
    return loaded + (CPU_ONEDNN_BYTES if by_onednn else 0) + (CPU_PACKAGES_BYTES if small else 0)


def _lays_out(config: Config, device: Device) -> bool:
    """Whether weights of the backbone are laid out for a processor that gains from it."""
    held, embedded = config.backbone.dtype, config.backbone.source == "embedded"
    if device != "cpu" or embedded or config.train.compile:
        return False
    return held == "bfloat16" or (held == "float32" and config.train.precision == "fp32")


def _words(config: Config, device: Device, facts: BackboneFacts) -> int:
    """Of the word embeddings, laid out for a mapping's products on a CPU."""
    mapped = config.model.prototypes == "mapping" and config.backbone.dtype != "float32"
    if device != "cpu" or not mapped or facts.vocab_size <= WORDS_AT_ONCE:
        return 0
    return NUMBER_BYTES["bfloat16"] * facts.vocab_size * facts.width


def _standing(device: Device, weights: Weights) -> list[MemoryItem]:
    runtime = (
        _item("runtime", CPU_RUNTIME_BYTES + weights.packages, "assumed")
        if device == "cpu"
        else _item("runtime", CUDA_RUNTIME_BYTES, "assumed")
    )
    return [
        runtime,
        _item("backbone", weights.backbone, "exact"),
        _item("backbone: laid out for the processor", weights.laid_out, "assumed"),
        _item("words: laid out for the processor", weights.words, "assumed"),
        _item("words of prompts, in the first layer", weights.words_of_prompts, "estimate"),
        _item("weights", weights.trained, "exact"),
    ]


def _passing(parts: Sequence[Need]) -> float:
    """Parts run one after the other: of the hungriest, what those after it do not take over."""
    return _PASSING_SHARE * max(need.passing for need in parts)


def _item(what: str, size: float, basis: Basis) -> MemoryItem:
    return MemoryItem(what=what, bytes=round(size), basis=basis)


def _phase(name: Phase, items: Sequence[MemoryItem]) -> MemoryPlan:
    kept = tuple(item for item in items if item.bytes)
    return MemoryPlan(phase=name, items=kept, bytes=sum(item.bytes for item in kept))
