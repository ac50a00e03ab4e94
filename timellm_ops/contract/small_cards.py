"""What a config asks for that only the optional packages of small cards can do.

Both sides look: before there is a run folder, and where a bundle's backbone is loaded.
"""

from collections.abc import Iterator
from typing import Literal, TypeGuard

from timellm_ops.contract.config import Config

Quantisation = Literal["int8", "nf4"]
"""The values of `backbone.dtype` that are codes."""

EXTRA = "timellm-ops[small]"
"""What brings the packages, for `pip install`."""
PACKAGES = ("accelerate", "bitsandbytes")
"""By the names that they are imported under."""


def is_quantised(dtype: str) -> TypeGuard[Quantisation]:
    """Whether the weights of the backbone's matrix products are held as codes."""
    return dtype in ("int8", "nf4")


def wishes(config: Config) -> Iterator[tuple[str, str, str]]:
    """Everything that needs the packages: key, value, and the value that does without."""
    if is_quantised(config.backbone.dtype):
        yield "backbone.dtype", config.backbone.dtype, "bfloat16"
    if config.train.optimiser_state != "fp32":
        yield "train.optimiser_state", config.train.optimiser_state, "fp32"


def missing_words(key: str, value: str, instead: str, missing: str) -> str:
    """The one line for a wish without its package."""
    return (
        f'{key}: found "{value}", which needs the package {missing}, and that is not installed '
        f"here; expected \"{instead}\", or the package: pip install '{EXTRA}'"
    )
