"""Sizes of the files that a run leaves, to the byte.

A safetensors file is eight bytes that say how long its header is, the header as JSON, padded with
blanks to a multiple of eight, and the numbers. The header names every tensor with its type, shape
and place, larger types first and in the order of their names.
"""

import math
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from timellm_ops.contract.config import CheckpointSection, Config, TrainSection
from timellm_ops.contract.plan import Device, FileSize, FilesPlan
from timellm_ops.contract.shapes import TensorShape, folded_shapes, trainable_shapes

_TYPE_BYTES = {"F32": 4, "U8": 1}
_CPU_GENERATOR_BYTES, _CUDA_GENERATOR_BYTES = 5_056, 16
"""States of torch's random generators."""
_SMALLEST_IN_8_BITS, _SMALLEST_IN_PAGES = 4_096, 100_000
"""Weights of a tensor from which on bitsandbytes holds its moments like that."""
_MOMENTS_BLOCK = 256
"""Moments in 8 bits that share a scale."""


class StoredTensor(Struct, frozen=True, kw_only=True):
    """One tensor of a file."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "F32"

    @property
    def bytes(self) -> int:
        """Its numbers alone."""
        return _TYPE_BYTES[self.dtype] * math.prod(self.shape)


def safetensors_bytes(tensors: Sequence[StoredTensor]) -> int:
    """The size of a safetensors file that holds these tensors and says nothing else."""
    header, end = {}, 0
    for tensor in sorted(tensors, key=lambda t: (-_TYPE_BYTES[t.dtype], t.name)):
        begin, end = end, end + tensor.bytes
        header[tensor.name] = {
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": (begin, end),
        }  # fmt: skip
    length = len(msgspec.json.encode(header))
    return 8 + math.ceil(length / 8) * 8 + end


def weights_bytes(shapes: Sequence[TensorShape]) -> int:
    """The size of `weights.safetensors` with these trainable tensors."""
    return safetensors_bytes([StoredTensor(name=s.name, shape=s.shape) for s in shapes])


def optimiser_bytes(train: TrainSection, shapes: Sequence[TensorShape]) -> int:
    """The size of `optimiser.safetensors` after the first step."""
    stored = []
    for shape in shapes:
        stored += moments(train, shape)
        if train.optimiser != "sgd":
            stored.append(StoredTensor(name=f"step/{shape.name}", shape=()))
    return safetensors_bytes(stored)


def moments(train: TrainSection, of: TensorShape) -> list[StoredTensor]:
    """What the optimiser keeps of a trainable tensor."""
    if train.optimiser == "sgd":
        return [StoredTensor(name=f"momentum_buffer/{of.name}", shape=of.shape)]
    if train.optimiser_state == "fp32":
        kinds = ("exp_avg", "exp_avg_sq")
        return [StoredTensor(name=f"{kind}/{of.name}", shape=of.shape) for kind in kinds]
    small = of.count < _SMALLEST_IN_8_BITS
    found = [
        StoredTensor(name=f"{kind}/{of.name}", shape=of.shape, dtype="F32" if small else "U8")
        for kind in ("state1", "state2")
    ]
    if not small:
        blocks = (math.ceil(of.count / _MOMENTS_BLOCK),)
        found += [
            StoredTensor(name=f"{kind}/{of.name}", shape=blocks) for kind in ("absmax1", "absmax2")
        ]
    return found


def moments_bytes(train: TrainSection, shapes: Sequence[TensorShape], device: Device) -> int:
    """What the optimiser keeps where training is; on a GPU, without what may give way."""
    pages = train.optimiser_state == "paged" and device == "cuda"
    return sum(
        tensor.bytes
        for shape in shapes
        for tensor in moments(train, shape)
        if not (pages and tensor.dtype == "U8" and shape.count >= _SMALLEST_IN_PAGES)
    )


def random_bytes(device: Device) -> int:
    """The size of `random.safetensors`."""
    stored = [StoredTensor(name="cpu", shape=(_CPU_GENERATOR_BYTES,), dtype="U8")]
    if device == "cuda":
        stored.append(StoredTensor(name="cuda", shape=(_CUDA_GENERATOR_BYTES,), dtype="U8"))
    return safetensors_bytes(stored)


def files_plan(
    train: TrainSection,
    checkpoint: CheckpointSection,
    device: Device,
    shapes: Sequence[TensorShape],
    folded: Sequence[TensorShape],
) -> FilesPlan:
    """Checkpoints and the bundle."""
    weights = FileSize(name="weights.safetensors", bytes=weights_bytes(shapes))
    best = (weights,)
    last = (
        weights,
        FileSize(name="optimiser.safetensors", bytes=optimiser_bytes(train, shapes)),
        FileSize(name="random.safetensors", bytes=random_bytes(device)),
    )
    bundle = (FileSize(name="weights.safetensors", bytes=weights_bytes(folded)),)
    best_bytes, last_bytes, bundle_bytes = (
        sum(file.bytes for file in files) for files in (best, last, bundle)
    )
    steps = checkpoint.keep if checkpoint.every_steps is not None else 0
    kept = 2 * best_bytes + (2 + steps) * last_bytes + bundle_bytes
    return FilesPlan(
        best=best,
        last=last,
        bundle=bundle,
        best_bytes=best_bytes,
        last_bytes=last_bytes,
        bundle_bytes=bundle_bytes,
        kept_bytes=kept,
        most_bytes=kept + (last_bytes if steps else 0),
    )


def most_files(config: Config, embedding_size: int, vocab_size: int) -> FilesPlan:
    """The files of a run over a backbone with these numbers, as large as they may be."""
    data = config.data
    shapes = trainable_shapes(
        config.model, data.seq_len, data.pred_len,
        embedding_size=embedding_size, vocab_size=vocab_size,
    )  # fmt: skip
    folded = folded_shapes(shapes, config.model, embedding_size)
    return files_plan(config.train, config.checkpoint, "cuda", shapes, folded)
