"""How the engine is asked to take over a checkpoint file of the published code, and its answer."""

from msgspec import Struct

TASK = "timellm_engine.checkpoints.published_weights"
"""The engine's module for it."""


class WeightsQuestion(Struct, frozen=True, kw_only=True):
    """Both are full paths."""

    file: str
    folder: str
    """A run's folder, with its config; the checkpoint is written below it."""
    config_name: str
    """What the user calls the config, for messages."""


class WeightsAnswer(Struct, frozen=True, kw_only=True):
    """What was in the file, and the checkpoint `best` that was made of it."""

    bytes: int
    sha256: str
    """Of the checkpoint's manifest."""
    tensors: int
    """Trained ones, which were taken over."""
    parameters: int
    """Numbers in them."""
    types: tuple[str, ...]
    """In which they were stored, such as `bfloat16`."""
    ignored: int
    """Tensors of the file that belong to its frozen backbone."""
