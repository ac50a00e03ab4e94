"""What a training step and an evaluation have to compute and to move, part by part. Pure.

Floating-point operations are those of matrix products and convolutions, two for a multiplication
with its addition, as `torch.utils.flop_counter` has them; a test holds the sums against it.
Exponentials are counted apart, since they are what is left of the elementwise work when it is
fused. Bytes are the fewest: each product reads its factors and writes its result once, and what
lies between two products (norms, activations, masks) costs nothing. So a floor is no estimate: it
is what no rewriting of the same computation on the same machine can go below.

Letters: `rows` windows at once, `patches` of a window, `tokens` of the longest prompt among them,
of which the first `shared` are the same in all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from timellm_ops.contract.backbone_facts import BackboneFacts
from timellm_ops.contract.config import ModelSection
from timellm_ops.contract.shapes import patch_count, trainable_shapes

Mode = Literal["published", "mapping", "direct"]
MODES: tuple[Mode, ...] = ("published", "mapping", "direct")
Parts = Mapping[str, "Work"]

FLOAT32_BYTES = 4
FUSED_ADAM_PASSES = 7
"""Through memory, each as long as the weights: weight, gradient and two moments are read, and
all but the gradient are written."""
PLAIN_ADAM_PASSES = 18
"""Of torch's plain Adam on a CPU, operation by operation."""
KEPT_SCORES_PASSES = 4
"""Through attention weights that are kept: written, read and written by the softmax, and read."""


@dataclass(frozen=True)
class Work:
    """Something to compute: operations, bytes to move, exponentials."""

    flop: float = 0.0
    bytes: float = 0.0
    exps: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flop + other.flop, self.bytes + other.bytes, self.exps + other.exps)

    def __mul__(self, times: float) -> "Work":
        return Work(self.flop * times, self.bytes * times, self.exps * times)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A model, and what goes through it at once."""

    facts: BackboneFacts
    layers: int
    model: ModelSection
    seq_len: int
    pred_len: int
    rows: int
    tokens: int
    shared: int
    bytes_each: int = FLOAT32_BYTES
    """Of a number in the backbone and between its layers."""
    in_one_piece: bool = False
    """Whether the engine reads prompts with their patches, which a causal backbone need not."""
    words_at_hand: bool = False
    """Whether it is known what the first layer makes of the words of prompts, before it looks
    around: a query, a key and a value for each word at its place."""

    @property
    def patches(self) -> int:
        """Of a window."""
        return patch_count(self.seq_len, self.model.patch_len, self.model.stride)


def total(parts: Parts) -> Work:
    """All parts together."""
    return sum(parts.values(), Work())


def training_step(mode: Mode, of: Setting) -> Parts:
    """The parts of a step, forward and backward, and of the optimiser."""
    forward = _forward(mode, of, keeps_weights=mode == "published")
    parts = {
        "prototypes": forward["prototypes"] + _prototypes_backward(mode, of),
        "reprogramming": forward["reprogramming"] + _reprogramming_backward(of),
        "prompts": forward["prompts"],
        "backbone forward": forward["backbone"],
        "backbone backward": _backbone_backward(mode, of),
        "head": forward["head"] * 3,
        "optimiser": _optimiser(mode, of),
    }
    return {name: work for name, work in parts.items() if work != Work()}


def evaluation_window(mode: Mode, of: Setting) -> Parts:
    """The parts of an evaluation of `rows` windows at once, for one of them.

    The engine makes its prototypes once for a whole split, and that is no part of a window.
    """
    parts = _forward(mode, of, keeps_weights=mode == "published")
    if mode != "published":
        parts["prototypes"] = Work()
    return {name: work * (1 / of.rows) for name, work in parts.items() if work != Work()}


def _forward(mode: Mode, of: Setting, *, keeps_weights: bool) -> dict[str, Work]:
    model, facts = of.model, of.facts
    inner, queries = model.n_heads * model.d_ff, of.rows * of.patches
    embedded = _product(queries, 3 * model.patch_len, model.d_model, FLOAT32_BYTES)
    keys = _product(model.num_prototypes, facts.width, inner, FLOAT32_BYTES) * 2
    asked = _product(queries, model.d_model, inner, FLOAT32_BYTES)
    said = _product(queries, inner, facts.width, FLOAT32_BYTES)
    return {
        "prototypes": _mapping(of) if mode != "direct" else Work(),
        "reprogramming": embedded + asked + keys + _to_prototypes(of, keeps_weights) + said,
        "prompts": _prompts(of) if _reads_ahead(mode, of) else Work(),
        "backbone": _backbone(mode, of),
        "head": _product(of.rows, model.d_ff * of.patches, of.pred_len, FLOAT32_BYTES),
    }


def _product(left: float, between: float, right: float, each: int) -> Work:
    """`[left, between]` times `[between, right]`."""
    moved = left * between + between * right + left * right
    return Work(flop=2 * left * between * right, bytes=each * moved)


def _mapping(of: Setting) -> Work:
    return _product(of.model.num_prototypes, of.facts.vocab_size, of.facts.width, FLOAT32_BYTES)


def _prototypes_backward(mode: Mode, of: Setting) -> Work:
    """The gradient of the map; word embeddings are frozen, and direct prototypes are a leaf."""
    if mode == "direct":
        return Work()
    facts = of.facts
    return _product(of.model.num_prototypes, facts.width, facts.vocab_size, FLOAT32_BYTES)


def _to_prototypes(of: Setting, keeps_weights: bool) -> Work:
    """Attention from the patches to the prototypes, which are the same for all rows."""
    model, queries = of.model, of.rows * of.patches
    scores = model.n_heads * queries * model.num_prototypes
    ends = 2 * model.n_heads * model.d_ff * (queries + model.num_prototypes)
    kept = KEPT_SCORES_PASSES * scores if keeps_weights else 0
    return Work(4 * scores * model.d_ff, FLOAT32_BYTES * (ends + kept), scores)


def _reprogramming_backward(of: Setting) -> Work:
    """Every product twice: for its weights and for what went in, but for the windows themselves."""
    model, facts = of.model, of.facts
    inner, queries = model.n_heads * model.d_ff, of.rows * of.patches
    once = _product(queries, 3 * model.patch_len, model.d_model, FLOAT32_BYTES)
    products = (
        _product(queries, model.d_model, inner, FLOAT32_BYTES)
        + _product(model.num_prototypes, facts.width, inner, FLOAT32_BYTES) * 2
        + _product(queries, inner, facts.width, FLOAT32_BYTES)
    )
    attention = _to_prototypes(of, keeps_weights=False)
    return once + (products + Work(attention.flop, attention.bytes)) * 2


def _reads_ahead(mode: Mode, of: Setting) -> bool:
    return mode != "published" and of.facts.causal and not of.in_one_piece


def _prompts(of: Setting) -> Work:
    """What is each row's own, after what is read once for all steps, up to the last layer's keys
    and values."""
    own = of.rows * (of.tokens - of.shared)
    asked = _keys_and_queries(of, own)
    rest = _attention(of, of.tokens - of.shared, of.tokens) + _rest_of_layer(of, own)
    return asked * (of.layers - of.words_at_hand) + rest * (of.layers - 1)


def _backbone(mode: Mode, of: Setting) -> Work:
    """The patches after their prompts, or both in one piece."""
    products, attention = _layer(mode, of)
    return (products + attention) * of.layers


def _backbone_backward(mode: Mode, of: Setting) -> Work:
    """Of what went in alone, since weights are frozen; attention has two factors everywhere."""
    products, attention = _layer(mode, of)
    without_exps = Work(products.flop, products.bytes) + Work(attention.flop, attention.bytes) * 2
    return without_exps * of.layers


def _layer(mode: Mode, of: Setting) -> tuple[Work, Work]:
    """One layer of the backbone forward: its products with weights, and its attention."""
    seen = of.tokens + of.patches
    length = of.patches if _reads_ahead(mode, of) else seen
    positions = of.rows * length
    products = _keys_and_queries(of, positions) + _rest_of_layer(of, positions)
    return products, _attention(of, length, seen, keeps_weights=mode == "published")


def _keys_and_queries(of: Setting, positions: int) -> Work:
    facts = of.facts
    out = (facts.heads + 2 * facts.kv_heads) * facts.head_width
    return _product(positions, facts.width, out, of.bytes_each)


def _rest_of_layer(of: Setting, positions: int) -> Work:
    """What follows attention: the way out of it, and the feed-forward part."""
    facts = of.facts
    out = _product(positions, facts.heads * facts.head_width, facts.width, of.bytes_each)
    wide = _product(positions, facts.width, facts.intermediate, of.bytes_each)
    narrow = _product(positions, facts.intermediate, facts.width, of.bytes_each)
    gated = facts.family in ("llama", "qwen2")
    activation = Work(exps=positions * facts.intermediate)
    return out + wide * (2 if gated else 1) + narrow + activation


def _attention(of: Setting, length: int, seen: int, *, keeps_weights: bool = False) -> Work:
    """`length` positions of every row look at `seen`, those that a mask hides included."""
    facts = of.facts
    scores = of.rows * facts.heads * length * seen
    ends = 2 * of.rows * facts.head_width * (facts.heads * length + facts.kv_heads * seen)
    kept = KEPT_SCORES_PASSES * scores if keeps_weights else 0
    return Work(4 * scores * facts.head_width, of.bytes_each * (ends + kept), scores)


def _optimiser(mode: Mode, of: Setting) -> Work:
    prototypes: Literal["mapping", "direct"] = "direct" if mode == "direct" else "mapping"
    model = msgspec.structs.replace(of.model, prototypes=prototypes)
    shapes = trainable_shapes(
        model, of.seq_len, of.pred_len,
        embedding_size=of.facts.width, vocab_size=of.facts.vocab_size,
    )  # fmt: skip
    passes = PLAIN_ADAM_PASSES if mode == "published" else FUSED_ADAM_PASSES
    return Work(bytes=passes * sum(shape.bytes for shape in shapes))
