"""Every trainable tensor of Time-LLM: its shape, and which settings each dimension comes from.

Known from numbers alone, so that a plan needs no model. A model that is built checks itself
against this, so the two cannot drift apart.
"""

import math

from msgspec import Struct

from timellm_ops.contract.config import ModelSection

FLOAT32_BYTES = 4
"""Trainable weights are float32, whatever the backbone's precision."""
PROTOTYPES_DRAWN_AT_ONCE = 64
"""Rows of a mapping that are in memory together where only what it gives is wanted."""
EVALUATED_BYTES, EVALUATED_BYTES_ON_A_GPU = 16 << 20, 64 << 20
"""Of a tensor of the backbone in evaluation. A GPU is given more to do between two launches."""


class TensorShape(Struct, frozen=True, kw_only=True):
    """One trainable tensor."""

    name: str
    """As in a checkpoint, `module.….kind`."""
    shape: tuple[int, ...]
    depends: tuple[tuple[str, ...], ...]
    """The settings that each dimension comes from, in the order of `shape`; none for a constant."""

    @property
    def module(self) -> str:
        """The part of the model that it belongs to."""
        return self.name.partition(".")[0]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What they take."""
        return FLOAT32_BYTES * self.count


MODULES = ("prototypes", "patch_embedding", "mapping", "reprogramming", "head")
"""The trainable parts, in the order in which a window goes through them."""

MOST_FITTED, MOST_CHECKED = 32_768, 8_192
"""Windows that a head is solved for with, at most: training windows that it is fitted to, and
validation windows that choose its penalty. Evenly spaced ones where there are more."""
MOST_SOLVED_FOR = 4096
"""Numbers that a head is given, beyond which it is not solved for: the products of all with all
are 134 MB then, four times over."""
EMBEDDING = "backbone: embedding width"
VOCABULARY = "backbone: vocabulary"


def patch_count(seq_len: int, patch_len: int, stride: int) -> int:
    """How many patches a window becomes, the one over its repeated end included."""
    return (seq_len - patch_len) // stride + 2


def head_windows(train: int, vali: int) -> int:
    """Windows that are read for a head that is solved for, of splits of so many."""
    return min(train, MOST_FITTED) + min(vali, MOST_CHECKED)


def evaluated_at_once(patches: int, hidden: int, *, on_a_gpu: bool = False) -> int:
    """Windows that are answered together where no gradient is wanted, whatever a batch has.

    So many that a feed-forward layer's inner values at their patches, four times as wide as the
    backbone, stay within `EVALUATED_BYTES`, beyond which a CPU is no faster, or within
    `EVALUATED_BYTES_ON_A_GPU`, which waits for every launch.
    """
    most = EVALUATED_BYTES_ON_A_GPU if on_a_gpu else EVALUATED_BYTES
    return max(1, most // (FLOAT32_BYTES * 4 * patches * hidden))


def trainable_shapes(
    model: ModelSection, seq_len: int, pred_len: int, *, embedding_size: int, vocab_size: int
) -> tuple[TensorShape, ...]:
    """Every trainable tensor, in the order of a window's way through the model."""
    keys, keys_from = model.n_heads * model.d_ff, ("model.n_heads", "model.d_ff")
    patches = patch_count(seq_len, model.patch_len, model.stride)
    patches_from = ("data.seq_len", "model.patch_len", "model.stride")
    prototypes, prototypes_from = model.num_prototypes, ("model.num_prototypes",)
    embedding, embedding_from = embedding_size, (EMBEDDING,)
    width, width_from = model.d_model, ("model.d_model",)
    horizon, horizon_from = pred_len, ("data.pred_len",)

    def linear(
        name: str, into: tuple[int, tuple[str, ...]], out: tuple[int, tuple[str, ...]]
    ) -> tuple[TensorShape, TensorShape]:
        return (
            _tensor(f"{name}.weight", out, into),
            _tensor(f"{name}.bias", out),
        )

    shapes = (
        _tensor(
            "patch_embedding.convolution.weight",
            (width, width_from), (model.patch_len, ("model.patch_len",)), (3, ()),
        ),
        *linear("mapping", (vocab_size, (VOCABULARY,)), (prototypes, prototypes_from)),
        *linear("reprogramming.query", (width, width_from), (keys, keys_from)),
        *linear("reprogramming.key", (embedding, embedding_from), (keys, keys_from)),
        *linear("reprogramming.value", (embedding, embedding_from), (keys, keys_from)),
        *linear("reprogramming.out", (keys, keys_from), (embedding, embedding_from)),
        *linear(
            "head.linear",
            (model.d_ff * patches, ("model.d_ff", *patches_from)), (horizon, horizon_from),
        ),
    )  # fmt: skip
    return folded_shapes(shapes, model, embedding) if model.prototypes == "direct" else shapes


def folded_shapes(
    shapes: tuple[TensorShape, ...], model: ModelSection, embedding_size: int
) -> tuple[TensorShape, ...]:
    """What forecasting needs: the prototypes themselves instead of the map that makes them."""
    if any(shape.module == "prototypes" for shape in shapes):
        return shapes
    prototypes = _tensor(
        "prototypes.values",
        (model.num_prototypes, ("model.num_prototypes",)), (embedding_size, (EMBEDDING,)),
    )  # fmt: skip
    return (prototypes, *(shape for shape in shapes if shape.module != "mapping"))


def _tensor(name: str, *dimensions: tuple[int, tuple[str, ...]]) -> TensorShape:
    return TensorShape(
        name=name,
        shape=tuple(size for size, _ in dimensions),
        depends=tuple(settings for _, settings in dimensions),
    )
